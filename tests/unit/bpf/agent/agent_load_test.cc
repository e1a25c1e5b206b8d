// What a gateway and the control plane hear of the load of a backend: probes over the wire, answered by the
// kernel with what penstock-node put there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/un.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "tests/unit/bpf/agent/node_fixture.h"

namespace penstock {
namespace {

using ::testing::HasSubstr;

std::uint16_t host(std::uint16_t raw) { return ntohs(raw); }

struct Heard {
  std::uint8_t listener = 0;
  probe_service_load service{};
  probe_host_load node{};
};

class NodeLoad : public Node {
 protected:
  static constexpr std::uint8_t kFill = 0x5a;

  static proto::NodeDirective web() {
    proto::NodeDirective directive;
    directive.set_generation(7);
    directive.set_probe_key(std::string(16, static_cast<char>(kFill)));
    add(directive, kVip4, proto::TCP, 80);
    directive.mutable_services(0)->set_service("web");
    auto* check = directive.mutable_services(0)->add_checks();
    check->set_name("connects");
    check->set_kind(proto::Check::TCP_CONNECT);
    check->set_interval_ms(50);
    check->set_timeout_ms(50);
    add(directive, kVip4, proto::UDP, 7);
    return directive;
  }

  /// Generic mode: what XDP sends out of a veth natively arrives only if the peer has a program as well.
  Child start_node(std::vector<std::string> more = {}) const {
    more.insert(more.end(), {"--xdp", "generic"});
    return start(more);
  }

  /// A whole answer with both sections and the right MAC, or nothing.
  std::optional<Heard> probe() {
    const siphash_key key = probe_key_of(kFill);
    const Question question{.nonce = ++nonce_,
                            .services = {{kVip4, 6, 80}},
                            .room = sizeof(probe_service_load) + sizeof(probe_host_load),
                            .sections = PENSTOCK_PROBE_SERVICE_LOADS | PENSTOCK_PROBE_HOST_LOAD};
    Bytes datagram = {PENSTOCK_GUE_CONTROL, PENSTOCK_GUE_CONTROL_PROBE, 0, 0};
    append(datagram, probe_message(key, question));
    std::optional<Bytes> answer;
    in_client([&] { answer = asked("10.9.0.2", datagram); });
    if (!answer || answer->size() != datagram.size()) return std::nullopt;
    const Bytes message(answer->begin() + 4, answer->end());
    std::uint64_t mac = 0;
    std::memcpy(&mac, message.data() + offsetof(probe_header, mac), sizeof mac);
    EXPECT_EQ(mac, mac_of(key, message));
    if (message[offsetof(probe_header, sections)] != question.sections) return std::nullopt;
    Heard out;
    out.listener = message[sizeof(probe_header) + offsetof(probe_service, listener)];
    const std::size_t loads = sizeof(probe_header) + sizeof(probe_service);
    std::memcpy(&out.service, message.data() + loads, sizeof out.service);
    std::memcpy(&out.node, message.data() + loads + sizeof out.service, sizeof out.node);
    return out;
  }

  /// The first answer that satisfies the condition, within ten seconds.
  std::optional<Heard> probe_until(const std::function<bool(const Heard&)>& condition) {
    std::optional<Heard> heard;
    const bool met = eventually([&] {
      heard = probe();
      return heard && condition(*heard);
    });
    return met ? heard : std::nullopt;
  }

  static void tell_orca(const std::string& path, const std::string& line) {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(write(fd, line.data(), line.size()), static_cast<ssize_t>(line.size()));
    close(fd);
  }

 private:
  std::uint64_t nonce_ = 0x77'0000'0000;  // the upper 40 bits name this asker
};

TEST_F(NodeLoad, ReachesGatewaysByProbesAndTheControlPlaneByReports) {
  TestControlPlane control(socket_);
  control.direct(web());
  const std::string orca = host_->folder() + "/orca.sock";
  const Child node = start_node({"--orca-socket", orca, "--label", "zone=z1", "--price-per-hour", "2",
                                 "--currency", "EUR", "--nic-speed-mbps", "eth0=100"});
  ASSERT_TRUE(control.wait_for([](const auto& s) { return s.generation() == 7; })) << host_->log("node");
  ASSERT_TRUE(probe_until([](const Heard& h) {
    return h.listener == PENSTOCK_PROBE_ABSENT && h.service.check == PENSTOCK_PROBE_FAILING;
  })) << "nobody listens; log: "
      << host_->log("node");
  const Child servers = host_->serve({kVip4});
  ASSERT_EQ(host_->exchange("gue", 4, kVip4), "");
  tell_orca(orca, "{\"service\":\"web\",\"application_utilization\":0.7,\"named_metrics\":{\"queue\":3}}\n");
  const auto heard = probe_until([](const Heard& h) {
    return h.service.check == PENSTOCK_PROBE_PASSING && host(h.service.application_utilization) == 7000 &&
           host(h.node.cpu_utilization) != PENSTOCK_PROBE_NO_VALUE &&
           host(h.node.nic_rx_utilization) != PENSTOCK_PROBE_NO_VALUE;
  });
  ASSERT_TRUE(heard) << host_->log("node");
  EXPECT_EQ(heard->listener, PENSTOCK_PROBE_PRESENT);
  EXPECT_LT(host(heard->service.age_ms), 1000);
  EXPECT_LT(host(heard->node.age_ms), 1000);
  EXPECT_LE(host(heard->node.cpu_utilization), 10'000);
  EXPECT_GT(host(heard->node.mem_utilization), 0);
  EXPECT_LT(host(heard->node.mem_utilization), 10'000);
  EXPECT_LT(host(heard->node.run_queue), 20'000);
  EXPECT_EQ(host(heard->node.gpu_utilization) == PENSTOCK_PROBE_NO_VALUE,
            access("/sys/class/drm/card0", F_OK) != 0);
  EXPECT_EQ(host(heard->service.cpu), PENSTOCK_PROBE_NO_VALUE) << "no cgroup was named";
  const auto status = control.wait_for([](const auto& s) {
    return s.services_size() == 2 && s.services(0).telemetry().new_connections() > 0 &&
           s.load().named_metrics().contains("queue") && s.services(0).checks_size() == 1 &&
           s.services(0).checks(0).state() == proto::CheckStatus::PASSING;
  });
  ASSERT_TRUE(status) << host_->log("node");
  EXPECT_GT(ntohl(heard->service.new_connections), 0u);
  EXPECT_EQ(status->services(0).service(), "web");
  EXPECT_EQ(status->services(0).checks(0).name(), "connects");
  EXPECT_EQ(status->labels().at("zone"), "z1");
  EXPECT_EQ(status->load().price_per_hour().value(), 2);
  EXPECT_GT(status->load().mem_utilization().value(), 0);
  EXPECT_LT(status->load().mem_utilization().age_ms(), 3000u);
  EXPECT_TRUE(status->load().has_run_queue());
  EXPECT_EQ(status->errors_size(), 0) << status->ShortDebugString();
}

TEST_F(NodeLoad, OfADeadAgentAgesWhileTheListenerStaysTrue) {
  TestControlPlane control(socket_);
  control.direct(web());
  Child node = start_node();
  ASSERT_TRUE(control.wait_for([](const auto& s) { return s.generation() == 7; })) << host_->log("node");
  ASSERT_TRUE(probe_until([](const Heard& h) { return host(h.node.age_ms) < 300; })) << host_->log("node");
  node.signal(SIGKILL);
  ASSERT_EQ(node.wait(), SIGKILL);
  EXPECT_TRUE(
      probe_until([](const Heard& h) { return host(h.node.age_ms) > 700 && host(h.service.age_ms) > 700; }));
  {
    const Child servers = host_->serve({kVip4});
    EXPECT_TRUE(probe_until([](const Heard& h) { return h.listener == PENSTOCK_PROBE_PRESENT; }));
  }
  EXPECT_TRUE(probe_until([](const Heard& h) { return h.listener == PENSTOCK_PROBE_ABSENT; }));
  const Child successor = start_node();
  EXPECT_TRUE(probe_until([](const Heard& h) {
    return host(h.node.age_ms) < 300 && host(h.service.age_ms) < 300;
  })) << host_->log("node");
}

TEST_F(NodeLoad, IsMeasuredWithoutTheKernelsHooksWhereTheyAreSwitchedOff) {
  TestControlPlane control(socket_);
  control.direct(web());
  const Child node = start_node({"--telemetry", "false"});
  const auto status =
      control.wait_for([](const auto& s) { return s.generation() == 7 && s.load().has_run_queue(); });
  ASSERT_TRUE(status) << host_->log("node");
  EXPECT_FALSE(status->services(0).has_telemetry());
  EXPECT_TRUE(probe_until([](const Heard& h) { return h.service.check == PENSTOCK_PROBE_FAILING; }));
}

/// CPU time of a process and its threads so far, to the nanosecond and not to the tick.
std::uint64_t cpu_ns(int pid) {
  std::uint64_t sum = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    std::uint64_t ns = 0;
    std::ifstream(task.path() / "schedstat") >> ns;
    sum += ns;
  }
  return sum;
}

std::uint64_t resident_kb(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6));
  }
  return 0;
}

TEST_F(NodeLoad, CostsLittleAtTwentyTimesASecondWithTenServices) {
  TestControlPlane control(socket_);
  auto directive = web();
  directive.clear_services();
  for (std::uint32_t port = 8000; port < 8010; ++port) {
    add(directive, kVip4, proto::TCP, port);
    auto& service = *directive.mutable_services()->rbegin();
    service.set_service("web" + std::to_string(port));
    auto* check = service.add_checks();
    check->set_name("connects");
    check->set_kind(proto::Check::TCP_CONNECT);
    check->set_interval_ms(1000);
    check->set_timeout_ms(500);
  }
  control.direct(directive);
  const Child node = start_node({"--orca-socket", host_->folder() + "/orca.sock"});
  ASSERT_TRUE(control.wait_for([](const auto& s) { return s.generation() == 7; })) << host_->log("node");
  const int pid = node.pid();
  ASSERT_TRUE(eventually([&] { return resident_kb(pid) > 0; }));
  const std::uint64_t before = cpu_ns(pid);
  constexpr int kSeconds = 10;
  std::this_thread::sleep_for(std::chrono::seconds(kSeconds));  // the length of the measurement
  const double share = static_cast<double>(cpu_ns(pid) - before) / (kSeconds * 1e9);
  std::printf("penstock-node: %.2f %% of a core, %.1f MB resident\n", share * 100,
              static_cast<double>(resident_kb(pid)) / 1024);
  // The budgets are 1 % and 40 MB; machines differ, and this one is shared.
  EXPECT_LT(share, 0.02);
  EXPECT_LT(resident_kb(pid), 40u * 1024);
}

TEST_F(NodeLoad, RefusesASocketPathThatIsTaken) {
  const Child node = start_node({"--orca-socket", host_->folder()});
  EXPECT_TRUE(eventually([&] {
    return host_->log("node").find("something else is there") != std::string::npos;
  })) << host_->log("node");
  EXPECT_THAT(link(), testing::Not(HasSubstr("xdp"))) << "a failed start leaves nothing attached";
}

}  // namespace
}  // namespace penstock
