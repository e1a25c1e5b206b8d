// Local checks in penstock-node as a whole: from a directive to what gateways' probes and the control plane
// are told.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>
#include <optional>
#include <thread>

#include "tests/unit/bpf/agent/backend_host.h"
#include "tests/unit/bpf/agent/control_plane.h"
#include "tests/unit/bpf/probe_packet.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr const char* kVip = "203.0.113.10";

/// A gateway that asks the backend how one service is; in the client's namespace.
class Gateway {
 public:
  explicit Gateway(const std::string& network_namespace) {
    std::thread([&] {
      const int ns = open(("/var/run/netns/" + network_namespace).c_str(), O_RDONLY | O_CLOEXEC);
      ASSERT_EQ(setns(ns, CLONE_NEWNET), 0);
      close(ns);
      socket_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }).join();
    const timeval wait{0, 50'000};
    setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
  }
  ~Gateway() { close(socket_); }
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  /// PENSTOCK_PROBE_UNCHECKED, ...; nothing: no answer.
  std::optional<int> check_of(const AskedService& service) {
    Bytes datagram = {PENSTOCK_GUE_CONTROL, PENSTOCK_GUE_CONTROL_PROBE, 0, 0};
    append(datagram, probe_message(probe_key_of(0x5a), Question{.nonce = ++nonce_,
                                                                .services = {service},
                                                                .room = sizeof(probe_service_load),
                                                                .sections = PENSTOCK_PROBE_SERVICE_LOADS}));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(PENSTOCK_GUE_PORT);
    inet_pton(AF_INET, "10.9.0.2", &to.sin_addr);
    sendto(socket_, datagram.data(), datagram.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to);
    Bytes answer(2048);
    const ssize_t n = recv(socket_, answer.data(), answer.size(), 0);
    if (n != static_cast<ssize_t>(datagram.size())) return std::nullopt;
    if ((answer[4 + offsetof(probe_header, sections)] & PENSTOCK_PROBE_SERVICE_LOADS) == 0) return -1;
    return answer[4 + sizeof(probe_header) + sizeof(probe_service) + offsetof(probe_service_load, check)];
  }

  bool hears(const AskedService& service, int check) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (std::chrono::steady_clock::now() < deadline) {
      if (check_of(service) == check) return true;
      std::this_thread::sleep_for(2ms);
    }
    return false;
  }

 private:
  int socket_ = -1;
  std::uint64_t nonce_ = 0x5000'0000'0000;
};

proto::Check check(const std::string& name, proto::Check::Kind kind) {
  proto::Check out;
  out.set_name(name);
  out.set_kind(kind);
  out.set_interval_ms(100);
  out.set_timeout_ms(100);
  out.set_fall(3);
  out.set_rise(1);
  return out;
}

class NodeChecks : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "network namespaces need root";
    host_ = std::make_unique<BackendHost>();
    gateway_ = std::make_unique<Gateway>(host_->client());
    directive_.set_generation(1);
    directive_.set_probe_key(std::string(16, '\x5a'));
    auto* service = directive_.add_services();
    service->set_service("web");
    service->set_vip(kVip);
    service->set_protocol(proto::TCP);
    service->set_port(80);
    service->set_encap(proto::GUE);
    service->set_check_hold_ms(1);
    *service->add_checks() = check("tcp", proto::Check::TCP_CONNECT);
  }

  Child start() const {
    // Generic mode: what XDP sends out of a veth natively arrives only if the peer has a program as well.
    return {host_->backend(),
            {PENSTOCK_NODE, "--id", "be1", "--interface", "eth0", "--controlplane",
             "unix:" + host_->folder() + "/control.sock", "--state-dir", host_->folder(), "--xdp", "generic",
             "--check-scripts", host_->folder()},
            host_->folder() + "/node"};
  }
  std::string control_socket() const { return host_->folder() + "/control.sock"; }
  proto::NodeService& service() { return *directive_.mutable_services(0); }

  std::unique_ptr<BackendHost> host_;
  std::unique_ptr<Gateway> gateway_;
  proto::NodeDirective directive_;
  const AskedService web_{kVip, 6, 80};
};

const proto::CheckStatus* found(const proto::NodeStatus& status, const std::string& name) {
  for (const auto& service : status.services()) {
    for (const auto& check : service.checks()) {
      if (check.name() == name) return &check;
    }
  }
  return nullptr;
}

TEST_F(NodeChecks, AProcessThatStopsListeningFailsInProbesWithinFallIntervals) {
  TestControlPlane control(control_socket());
  control.direct(directive_);
  const Child node = start();
  ASSERT_TRUE(control.wait_for([](const auto& s) { return s.generation() == 1; })) << host_->log("node");
  EXPECT_TRUE(gateway_->hears(web_, PENSTOCK_PROBE_FAILING)) << "nobody listens yet";
  std::optional<Child> servers(host_->serve({kVip}));
  ASSERT_TRUE(gateway_->hears(web_, PENSTOCK_PROBE_PASSING)) << host_->log("node");
  ASSERT_TRUE(control.wait_for([](const auto& s) {
    const auto* tcp = found(s, "tcp");
    return tcp != nullptr && tcp->state() == proto::CheckStatus::PASSING && tcp->runs() > 1;
  }));
  servers->signal(SIGKILL);
  servers->wait();
  const auto stopped = std::chrono::steady_clock::now();
  ASSERT_TRUE(gateway_->hears(web_, PENSTOCK_PROBE_FAILING));
  const auto took = std::chrono::steady_clock::now() - stopped;
  EXPECT_LE(took, 3 * 100ms + 50ms + 100ms) << "fall intervals, a tick, and 100 ms for a busy machine";
  RecordProperty("took_ms", static_cast<int>(took / 1ms));
  const auto status = control.wait_for([](const auto& s) {
    return found(s, "tcp") != nullptr && found(s, "tcp")->state() == proto::CheckStatus::FAILING;
  });
  ASSERT_TRUE(status);
  EXPECT_EQ(found(*status, "tcp")->detail(), "connection refused");
}

TEST_F(NodeChecks, EveryKindRunsOnTheHostAndAnUnknownOneIsNamed) {
  auto http = check("http", proto::Check::HTTP);
  http.set_body_contains("xxx");
  *service().add_checks() = http;
  auto script = check("script", proto::Check::SCRIPT);
  script.set_script("probe.sh");
  script.set_interval_ms(1000);
  *service().add_checks() = script;
  *service().add_checks() = check("newer", static_cast<proto::Check::Kind>(99));
  const std::string path = host_->folder() + "/probe.sh";
  std::ofstream(path) << "#!/bin/sh\necho $PENSTOCK_SERVICE $PENSTOCK_VIP $PENSTOCK_PORT\n";
  chmod(path.c_str(), 0755);
  auto* nat = directive_.add_nat_targets();
  nat->set_service("nat");
  nat->set_address("10.9.0.2");
  nat->set_protocol(proto::UDP);
  nat->set_port(7);
  auto udp = check("udp", proto::Check::UDP_EXCHANGE);
  udp.set_send("hello");
  udp.set_expect("hell");
  *nat->add_checks() = udp;
  TestControlPlane control(control_socket());
  control.direct(directive_);
  const Child node = start();
  ASSERT_TRUE(control.wait_for([](const auto& s) { return s.generation() == 1; })) << host_->log("node");
  const Child servers = host_->serve({kVip, "10.9.0.2"});
  const auto status = control.wait_for([](const auto& s) {
    for (const char* name : {"tcp", "http", "script"}) {
      if (found(s, name) == nullptr || found(s, name)->state() != proto::CheckStatus::PASSING) return false;
    }
    return s.nat_targets_size() == 1 && s.nat_targets(0).checks_size() == 1 &&
           s.nat_targets(0).checks(0).state() == proto::CheckStatus::PASSING;
  });
  ASSERT_TRUE(status) << host_->log("node");
  EXPECT_EQ(found(*status, "script")->detail(), "web 203.0.113.10 80");
  EXPECT_EQ(status->nat_targets(0).service(), "nat");
  EXPECT_EQ(status->nat_targets(0).address(), "10.9.0.2");
  EXPECT_EQ(status->nat_targets(0).port(), 7u);
  ASSERT_NE(found(*status, "newer"), nullptr);
  EXPECT_EQ(found(*status, "newer")->state(), proto::CheckStatus::UNCHECKED);
  ASSERT_EQ(status->errors_size(), 1) << status->ShortDebugString();
  EXPECT_THAT(status->errors(0), HasSubstr("check 'newer' of tcp 203.0.113.10:80 is not run"));
  EXPECT_TRUE(gateway_->hears(web_, PENSTOCK_PROBE_UNCHECKED)) << "not all pass, none fails";
}

TEST_F(NodeChecks, GoOnAfterARestartWithoutAControlPlane) {
  std::optional<TestControlPlane> control(control_socket());
  control->direct(directive_);
  Child node = start();
  ASSERT_TRUE(control->wait_for([](const auto& s) { return s.generation() == 1; })) << host_->log("node");
  const Child servers = host_->serve({kVip});
  ASSERT_TRUE(gateway_->hears(web_, PENSTOCK_PROBE_PASSING));
  control.reset();
  node.signal(SIGTERM);
  ASSERT_EQ(node.wait(), 0) << host_->log("node");
  Child successor = start();
  EXPECT_TRUE(gateway_->hears(web_, PENSTOCK_PROBE_PASSING)) << host_->log("node");
  successor.signal(SIGTERM);
  EXPECT_EQ(successor.wait(), 0) << host_->log("node");
}

}  // namespace
}  // namespace penstock
