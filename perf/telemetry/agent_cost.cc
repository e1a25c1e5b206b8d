// What a whole agent takes of a backend host. It runs as it does there: from a directive, over a link, with
// servers behind its services, clients, and two gateways that ask for everything.
#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <thread>

#include "perf/telemetry/cases.h"
#include "tests/unit/bpf/agent/backend_host.h"
#include "tests/unit/bpf/agent/control_plane.h"
#include "tests/unit/bpf/probe_packet.h"

namespace penstock::perf {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr const char* kVip = "203.0.113.10";
constexpr const char* kHost = "10.9.0.2";
constexpr std::uint16_t kFirstPort = 8000;
constexpr std::uint16_t kServices = 10;
constexpr std::uint8_t kKeyFill = 0x5a;

void enter(const std::string& network_namespace) {
  const int ns = open(("/var/run/netns/" + network_namespace).c_str(), O_RDONLY | O_CLOEXEC);
  if (ns < 0 || setns(ns, CLONE_NEWNET) != 0) throw std::runtime_error("cannot enter " + network_namespace);
  close(ns);
}

sockaddr_in at(const char* address, std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  inet_pton(AF_INET, address, &out.sin_addr);
  return out;
}

/// Accepts and ends connections to all services.
void serve(const std::string& ns, const std::stop_token& stop) {
  enter(ns);
  std::vector<pollfd> listeners;
  for (std::uint16_t port = kFirstPort; port < kFirstPort + kServices; ++port) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    const sockaddr_in any = at("0.0.0.0", port);
    if (bind(fd, reinterpret_cast<const sockaddr*>(&any), sizeof any) != 0 || listen(fd, 128) != 0) return;
    listeners.push_back({fd, POLLIN, 0});
  }
  while (!stop.stop_requested()) {
    poll(listeners.data(), listeners.size(), 50);
    for (const pollfd& listener : listeners) {
      for (int fd; (listener.revents & POLLIN) != 0 && (fd = accept(listener.fd, nullptr, nullptr)) >= 0;) {
        [[maybe_unused]] const ssize_t sent = send(fd, "hello\n", 6, MSG_NOSIGNAL);
        close(fd);
      }
    }
  }
  for (const pollfd& listener : listeners) close(listener.fd);
}

/// 100 connections a second, over all services, from the host itself: what the hooks see is the same.
void connect_often(const std::string& ns, const std::stop_token& stop) {
  enter(ns);
  auto next = Clock::now();
  for (std::uint16_t n = 0; !stop.stop_requested(); ++n) {
    std::this_thread::sleep_until(next += milliseconds(10));
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in from = at(kHost, 0);
    const sockaddr_in to = at(kVip, static_cast<std::uint16_t>(kFirstPort + n % kServices));
    bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof from);
    char buffer[16];
    if (connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0)
      while (recv(fd, buffer, sizeof buffer, 0) > 0) {
      }
    close(fd);
  }
}

/// One gateway: asks for all services and loads, as the prober does, 20 times a second.
class Asker {
 public:
  Asker(std::string ns, std::uint64_t name)
      : thread_([this, ns = std::move(ns), name](const std::stop_token& stop) { ask(ns, name, stop); }) {}

  std::atomic<std::uint64_t> asked{0};
  std::atomic<std::uint64_t> answered{0};

 private:
  void ask(const std::string& ns, std::uint64_t name, const std::stop_token& stop) {
    enter(ns);
    const siphash_key key = probe_key_of(kKeyFill);
    const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const sockaddr_in to = at(kHost, PENSTOCK_GUE_PORT);
    std::uint64_t count = 0;
    auto next = Clock::now();
    while (!stop.stop_requested()) {
      std::this_thread::sleep_until(next += milliseconds(50));
      std::uint8_t buffer[2048];
      while (recv(fd, buffer, sizeof buffer, 0) > 0) answered.fetch_add(1, std::memory_order_relaxed);
      for (std::uint16_t first = 0; first < kServices; first = static_cast<std::uint16_t>(first + 8)) {
        Question q;
        q.nonce = name << PENSTOCK_PROBE_NONCE_COUNT_BITS | ++count;
        q.sent_ns = time_of_day(count);
        for (std::uint16_t n = first; n < kServices && n < first + 8; ++n)
          q.services.push_back({kVip, 6, static_cast<std::uint16_t>(kFirstPort + n)});
        q.room = q.services.size() * sizeof(probe_service_load) + sizeof(probe_host_load);
        q.sections = PENSTOCK_PROBE_SERVICE_LOADS | PENSTOCK_PROBE_HOST_LOAD;
        Bytes datagram = {PENSTOCK_GUE_CONTROL, PENSTOCK_GUE_CONTROL_PROBE, 0, 0};
        append(datagram, probe_message(key, q));
        sendto(fd, datagram.data(), datagram.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
        asked.fetch_add(1, std::memory_order_relaxed);
      }
    }
    close(fd);
  }

  /// Strictly growing within an asker (probe_packet.h's own is not for threads).
  static std::uint64_t time_of_day(std::uint64_t count) {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(now).count()) +
           count;
  }

  std::jthread thread_;  // last
};

/// CPU time of a process and its threads so far.
std::uint64_t cpu_ns(int pid) {
  std::uint64_t sum = 0;
  std::error_code error;
  for (const auto& task :
       std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task", error)) {
    std::uint64_t ns = 0;
    std::ifstream(task.path() / "schedstat") >> ns;
    sum += ns;
  }
  return sum;
}

double resident_mb(int pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

proto::NodeDirective directive() {
  proto::NodeDirective out;
  out.set_generation(7);
  out.set_probe_key(std::string(16, static_cast<char>(kKeyFill)));
  for (std::uint16_t port = kFirstPort; port < kFirstPort + kServices; ++port) {
    auto* service = out.add_services();
    service->set_service("web" + std::to_string(port));
    service->set_vip(kVip);
    service->set_protocol(proto::TCP);
    service->set_port(port);
    service->set_encap(proto::GUE);
    auto* check = service->add_checks();
    check->set_name("connects");
    check->set_kind(proto::Check::TCP_CONNECT);
  }
  return out;
}

}  // namespace

Status measure_agent(Figures& figures, bool quick) {
  const BackendHost host;
  const std::string socket = host.folder() + "/control.sock";
  TestControlPlane control(socket);
  control.direct(directive());
  // Generic mode: what XDP sends out of a veth natively arrives only if the peer has a program as well.
  const Child node(
      host.backend(),
      {PENSTOCK_NODE, "--id", "be1", "--interface", "eth0", "--controlplane", "unix:" + socket, "--state-dir",
       host.folder(), "--xdp", "generic", "--orca-socket", host.folder() + "/orca.sock"},
      host.folder() + "/node");
  if (!control.wait_for(
          [](const proto::NodeStatus& s) { return s.generation() == 7 && s.services_size() == kServices; }))
    return unavailable("penstock-node did not take its directive: " + host.log("node"));
  std::jthread servers([&](const std::stop_token& stop) { serve(host.backend(), stop); });
  std::jthread clients([&](const std::stop_token& stop) { connect_often(host.backend(), stop); });
  std::mt19937_64 random(std::random_device{}());
  Asker one(host.client(), random() >> PENSTOCK_PROBE_NONCE_COUNT_BITS);
  Asker two(host.client(), random() >> PENSTOCK_PROBE_NONCE_COUNT_BITS);
  std::vector<double> share;
  std::this_thread::sleep_for(milliseconds(1000));  // until it has settled: not part of the measurement
  for (int n = 0; n < (quick ? 3 : 7); ++n) {
    const std::uint64_t before = cpu_ns(node.pid());
    const auto began = Clock::now();
    std::this_thread::sleep_for(milliseconds(quick ? 2000 : 4000));
    const std::chrono::duration<double, std::nano> took = Clock::now() - began;
    share.push_back(100 * static_cast<double>(cpu_ns(node.pid()) - before) / took.count());
  }
  const auto asked = static_cast<double>(one.asked + two.asked);
  figures.add("agent.cpu", Samples(share), "% of a core", at_most(1));
  figures.add("agent.resident", resident_mb(node.pid()), "MB", at_most(40));
  figures.add("agent.probes_answered", 100 * static_cast<double>(one.answered + two.answered) / asked, "%",
              at_least(90));
  return Ok{};
}

}  // namespace penstock::perf
