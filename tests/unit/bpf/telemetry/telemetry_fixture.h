// A network namespace of the test's own with VIPs on `lo`, telemetry in it, and servers that are processes,
// so that they can be stopped. Needs root. Everything runs on the main thread: /proc/self/ns/net is its.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <functional>
#include <memory>
#include <vector>

#include "bpf/agent/telemetry/telemetry.h"
#include "penstock/base/clock.h"
#include "tests/unit/bpf/kernel_flows.h"

namespace penstock {

inline constexpr const char* kVip = "203.0.113.10";
inline constexpr std::uint16_t kPort = 8080;

inline Nanoseconds ms(std::uint64_t count) { return Nanoseconds::from_millis(count); }

/// Answers whatever comes with a byte, after `think`: one request after the other, as a process with one
/// thread does that blocks.
class EchoServer {
 public:
  EchoServer(const Socket& listener, Nanoseconds think) : pid_(fork()) {
    if (pid_ != 0) return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    serve(listener.fd(), think);
    _exit(0);
  }
  ~EchoServer() {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  EchoServer(const EchoServer&) = delete;
  EchoServer& operator=(const EchoServer&) = delete;

  void stop() const {
    kill(pid_, SIGSTOP);
    int status = 0;
    waitpid(pid_, &status, WUNTRACED);
  }
  void resume() const { kill(pid_, SIGCONT); }

 private:
  static void serve(int listener, Nanoseconds think) {
    std::vector<pollfd> fds = {{listener, POLLIN, 0}};
    for (;;) {
      poll(fds.data(), fds.size(), -1);
      for (std::size_t i = fds.size(); i-- > 1;) {
        if ((fds[i].revents & (POLLIN | POLLHUP | POLLERR)) == 0) continue;
        char bytes[4096];
        if (recv(fds[i].fd, bytes, sizeof bytes, 0) <= 0) {
          close(fds[i].fd);
          fds.erase(fds.begin() + static_cast<std::ptrdiff_t>(i));
          continue;
        }
        std::this_thread::sleep_for(std::chrono::nanoseconds(think.count()));
        send(fds[i].fd, "!", 1, MSG_NOSIGNAL);
      }
      if ((fds[0].revents & POLLIN) != 0) fds.push_back({accept(listener, nullptr, nullptr), POLLIN, 0});
    }
  }

  pid_t pid_;
};

class TelemetryFixture : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    ASSERT_EQ(unshare(CLONE_NEWNET), 0) << strerror(errno);
    set_up_loopback({kVip, "2001:db8:5::10"});
  }

  static VipKey service(const char* vip = kVip) {
    VipKey key;
    key.vip = *IpAddr::parse(vip);
    key.protocol = kProtoTcp;
    key.port = kPort;
    return key;
  }

  void load(const std::set<std::string>& without = {}) {
    auto loaded = Telemetry::load(without);
    ASSERT_TRUE(loaded) << loaded.error().text();
    telemetry_ = std::move(*loaded);
    ASSERT_TRUE(telemetry_->set_services({service()}));
  }

  const ServiceTelemetry& sample() { return telemetry_->sample(monotonic_now()).at(service()); }

  /// Samples 50 times a second until `met`, for 5 s at most.
  bool becomes(const std::function<bool(const ServiceTelemetry&)>& met, Nanoseconds limit = ms(5000)) {
    const Nanoseconds end = monotonic_now() + limit;
    do {
      if (met(sample())) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    } while (monotonic_now() < end);
    return false;
  }

  static Socket connected(const char* vip = kVip) {
    const SocketAddress to(vip, kPort);
    Socket s(socket(to.storage.ss_family, SOCK_STREAM, 0));
    EXPECT_EQ(connect(s.fd(), to.get(), to.length), 0) << strerror(errno);
    return s;
  }
  static void ask(const Socket& client) { EXPECT_EQ(send(client.fd(), "?", 1, MSG_NOSIGNAL), 1); }
  static void hear(const Socket& client) {
    char byte = 0;
    EXPECT_EQ(recv(client.fd(), &byte, 1, 0), 1);
  }
  static void ask_and_hear(const Socket& client, int times = 1) {
    for (int i = 0; i < times; ++i) {
      ask(client);
      hear(client);
    }
  }
  /// A close that sends a reset.
  static void abort(Socket& socket) {
    const linger hard{1, 0};
    setsockopt(socket.fd(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    socket.close();
  }

  std::unique_ptr<Telemetry> telemetry_;
};

}  // namespace penstock
