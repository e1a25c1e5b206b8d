#include "controlplane/announce/bird_daemon.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include "controlplane/announce/child_process.h"
#include "controlplane/announce/link_bandwidth.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
constexpr auto kBirdcTime = 5s;

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The old file or the new one, whole: BIRD may read it at any moment.
Status replace_file(const std::string& path, const std::string& text) {
  const auto failed = [&](const std::string& what) {
    return unavailable("cannot " + what + " " + path + ": " + std::strerror(errno));
  };
  const std::string fresh = path + ".new";
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return failed("write");
  const bool written =
      write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
  close(fd);
  if (!written || std::rename(fresh.c_str(), path.c_str()) != 0) return failed("replace");
  return Ok{};
}

class BirdDaemon final : public RoutingDaemon {
 public:
  explicit BirdDaemon(const RoutingOptions& options)
      : birdc_{options.birdc, "-s", options.bird_socket}, include_(options.bird_include) {}

  Status follow(const RoutingWish& wish) override {
    if (!wish.link) return Ok{};
    const std::string text = bird_include_text(*wish.link);
    if (read_file(include_) != text) {
      read_ = false;
      if (auto status = replace_file(include_, text); !status) return status;
    }
    // A BIRD that starts reads the file by itself; one that runs is told once.
    auto answer = birdc(read_ ? "show status" : "configure");
    if (!answer) return answer.error();
    read_ = true;
    return Ok{};
  }

 private:
  Result<std::string> birdc(const std::string& command) {
    std::vector<std::string> words = birdc_;
    words.push_back(command);
    return run_command(words, kBirdcTime);
  }

  std::vector<std::string> birdc_;
  std::string include_;
  bool read_ = false;  // BIRD has read what the file holds
};

}  // namespace

std::string bird_include_text(const LinkPolicy& link) {
  std::string weight;
  if (link.bandwidth_mbps != 0) {
    char community[96];
    std::snprintf(community, sizeof community,
                  " bgp_ext_community.add((generic, PENSTOCK_LINK_BANDWIDTH, 0x%08x));",
                  link_bandwidth_bits(link.bandwidth_mbps));
    weight = community;
  }
  return "# Written by penstock-gateway, which replaces it whenever its policy changes.\n"
         "define PENSTOCK_BFD_INTERVAL = " +
         std::string(link.bfd_profile == "normal" ? "300" : "50") +
         ";\n"
         "function penstock_weight() {" +
         weight + " }\n";
}

std::unique_ptr<RoutingDaemon> make_bird_daemon(const RoutingOptions& options) {
  return std::make_unique<BirdDaemon>(options);
}

}  // namespace penstock
