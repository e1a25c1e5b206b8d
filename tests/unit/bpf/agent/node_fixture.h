// A penstock-node on a backend of its own (backend_host) with a control plane (control_plane), for tests of
// it as a whole. Every wait has a deadline.
#pragma once

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "tests/unit/bpf/agent/backend_host.h"
#include "tests/unit/bpf/agent/control_plane.h"
#include "tests/unit/bpf/probe_packet.h"

namespace penstock {

inline constexpr const char* kVip4 = "203.0.113.10";
inline constexpr const char* kVip6 = "2001:db8:5::10";

inline void add(proto::NodeDirective& directive, const std::string& vip, proto::Protocol protocol,
                std::uint32_t port) {
  auto* service = directive.add_services();
  service->set_vip(vip);
  service->set_protocol(protocol);
  service->set_port(port);
  service->set_encap(proto::GUE);
}

inline proto::NodeDirective both_vips(std::uint64_t generation) {
  proto::NodeDirective directive;
  directive.set_generation(generation);
  for (const char* vip : {kVip4, kVip6}) {
    add(directive, vip, proto::TCP, 80);
    add(directive, vip, proto::UDP, 7);
  }
  return directive;
}

inline bool eventually(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (std::chrono::steady_clock::now() < deadline) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

class Node : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "network namespaces need root";
    host_ = std::make_unique<BackendHost>();
    socket_ = host_->folder() + "/control.sock";
  }

  Child start(std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {PENSTOCK_NODE,     "--id",        "be1",
                                          "--interface",     "eth0",        "--controlplane",
                                          "unix:" + socket_, "--state-dir", host_->folder()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return {host_->backend(), arguments, host_->folder() + "/node"};
  }

  std::string link() const { return host_->in_backend("ip -d link show eth0"); }
  std::string vips() const { return host_->in_backend("ip address show dev lo"); }
  bool serving(const std::string& vip) const { return vips().find(vip + "/") != std::string::npos; }

  void attach_foreign_program() const {
    std::thread([this] {
      const int ns = open(("/var/run/netns/" + host_->backend()).c_str(), O_RDONLY | O_CLOEXEC);
      ASSERT_EQ(setns(ns, CLONE_NEWNET), 0);
      close(ns);
      const bpf_insn pass[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 2}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
      const int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "someone_elses", "GPL", pass, 2, nullptr);
      ASSERT_GE(fd, 0);
      EXPECT_EQ(bpf_xdp_attach(static_cast<int>(if_nametoindex("eth0")), fd, 0, nullptr), 0);
      close(fd);
    }).join();
  }

  void in_client(const std::function<void()>& work) const {
    std::thread([&] {
      const int ns = open(("/var/run/netns/" + host_->client()).c_str(), O_RDONLY | O_CLOEXEC);
      ASSERT_EQ(setns(ns, CLONE_NEWNET), 0);
      close(ns);
      work();
    }).join();
  }

  /// The answer to a datagram to the GUE port; nothing when none came within 300 ms.
  static std::optional<Bytes> asked(const char* host, const Bytes& datagram) {
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const timeval wait{0, 300'000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(PENSTOCK_GUE_PORT);
    inet_pton(AF_INET, host, &to.sin_addr);
    EXPECT_EQ(sendto(fd, datagram.data(), datagram.size(), 0, reinterpret_cast<sockaddr*>(&to), sizeof to),
              static_cast<ssize_t>(datagram.size()));
    Bytes answer(2048);
    const ssize_t n = recv(fd, answer.data(), answer.size(), 0);
    close(fd);
    if (n < 0) return std::nullopt;
    answer.resize(static_cast<std::size_t>(n));
    return answer;
  }

  std::unique_ptr<BackendHost> host_;
  std::string socket_;
};

}  // namespace penstock
