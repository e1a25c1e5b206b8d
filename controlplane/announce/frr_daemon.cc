#include "controlplane/announce/frr_daemon.h"

#include <chrono>
#include <sstream>
#include <utility>

#include "controlplane/announce/child_process.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
constexpr auto kVtyshTime = 5s;
constexpr const char* kOutboundMaps[] = {"penstock-out-v4", "penstock-out-v6"};
constexpr const char* kPeerGroup = "neighbor routers ";

/// The parts of FRR's configuration that are ours to change.
struct Found {
  std::string bandwidth[2];  // of each outbound map; empty: none
  bool map[2] = {false, false};
  bool peer_group = false;
  std::string bfd_profile;
};

std::string after(const std::string& line, const std::string& start) {
  return line.compare(0, start.size(), start) == 0 ? line.substr(start.size()) : std::string();
}

Found find_ours(const std::string& running_config) {
  Found found;
  int map = -1;
  std::istringstream lines(running_config);
  for (std::string line; std::getline(lines, line);) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (!line.empty() && line[0] != ' ') map = -1;
    for (int i = 0; i < 2; ++i) {
      if (line != std::string("route-map ") + kOutboundMaps[i] + " permit 10") continue;
      found.map[map = i] = true;
    }
    if (map >= 0 && !after(line, " set extcommunity bandwidth ").empty()) {
      found.bandwidth[map] = after(line, " set extcommunity bandwidth ");
    }
    const std::string peers = after(line, std::string(" ") + kPeerGroup);
    found.peer_group |= !peers.empty();
    if (const std::string profile = after(peers, "bfd profile "); !profile.empty())
      found.bfd_profile = profile;
  }
  return found;
}

class FrrDaemon final : public RoutingDaemon {
 public:
  explicit FrrDaemon(const RoutingOptions& options) : vtysh_{options.vtysh} {
    if (!options.vtysh_instance.empty()) vtysh_.insert(vtysh_.end(), {"-N", options.vtysh_instance});
  }

  Status follow(const RoutingWish& wish) override {
    if (!wish.link) return Ok{};
    auto config = vtysh({"show running-config"});
    if (!config) return config.error();
    auto commands = frr_commands(*config, *wish.link);
    if (!commands) return commands.error();
    if (commands->empty()) return Ok{};
    commands->insert(commands->begin(), "configure terminal");
    auto done = vtysh(*commands);
    return done ? Status(Ok{}) : Status(done.error());
  }

 private:
  Result<std::string> vtysh(const std::vector<std::string>& commands) {
    std::vector<std::string> words = vtysh_;
    for (const std::string& command : commands) words.insert(words.end(), {"-c", command});
    return run_command(words, kVtyshTime);
  }

  std::vector<std::string> vtysh_;
};

}  // namespace

Result<std::vector<std::string>> frr_commands(const std::string& running_config, const LinkPolicy& link) {
  const Found found = find_ours(running_config);
  std::vector<std::string> commands;
  const std::string bandwidth = link.bandwidth_mbps == 0 ? "" : std::to_string(link.bandwidth_mbps);
  for (int i = 0; i < 2; ++i) {
    if (!found.map[i]) {
      return Error{ErrorCode::kFailedPrecondition,
                   std::string("FRR has no route-map ") + kOutboundMaps[i] + " permit 10"};
    }
    if (found.bandwidth[i] == bandwidth) continue;
    commands.push_back(std::string("route-map ") + kOutboundMaps[i] + " permit 10");
    commands.push_back(bandwidth.empty() ? "no set extcommunity bandwidth"
                                         : "set extcommunity bandwidth " + bandwidth);
    commands.emplace_back("exit");
  }
  if (!found.peer_group) return Error{ErrorCode::kFailedPrecondition, "FRR has no peer group 'routers'"};
  if (found.bfd_profile != link.bfd_profile) {
    commands.emplace_back("router bgp");
    commands.push_back(std::string(kPeerGroup) + "bfd profile " + link.bfd_profile);
    commands.emplace_back("exit");
  }
  return commands;
}

std::unique_ptr<RoutingDaemon> make_frr_daemon(const RoutingOptions& options) {
  return std::make_unique<FrrDaemon>(options);
}

}  // namespace penstock
