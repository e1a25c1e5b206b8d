// The prober's thread, with a worker made of a packet socket, against bpf/decap.bpf.c in the kernel: two
// namespaces, a veth pair, real listeners.
#include "dataplane/probe/prober.h"

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
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <thread>

#include "tests/unit/dataplane/probe/liveness_judge.h"
#include "decap.skel.h"
#include "penstock/abi/decap.h"
#include "penstock/abi/own_ports.h"
#include "tests/unit/dataplane/probe/fake_responder.h"
#include "tests/unit/dataplane/probe/socket_worker.h"

namespace penstock {
namespace {

using Clock = std::chrono::steady_clock;
constexpr BackendIndex kWeb4 = 1, kWeb6 = 2, kMissing = 3, kAgentless = 4;

void shell(const std::string& command) {
  ASSERT_EQ(std::system((command + " >/dev/null 2>&1").c_str()), 0) << command;
}

abi_address mapped(const char* text) {
  const IpAddr a = IpAddr::parse(text).value();
  abi_address out{};
  if (a.is_v4()) out.bytes[10] = out.bytes[11] = 0xff;
  std::memcpy(out.bytes + (16 - a.size()), a.data(), a.size());
  return out;
}

class ProberAndProgram : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "network namespaces need root";
    name_ = "penstock-bpf-prober-" + std::to_string(getpid());
    shell("ip netns add " + name_);
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);  // this thread is the gateway, and so are those that it starts
    shell(
        "ip link add gw0 address 02:00:00:00:00:01 numrxqueues 1 numtxqueues 1 type veth peer name eth0 "
        "address 02:00:00:00:00:02 numrxqueues 1 numtxqueues 1 "
        "netns " +
        name_);
    for (const char* command : {"address add 10.9.7.1/24 dev gw0", "address add fd00:9:7::1/64 dev gw0 nodad",
                                "link set gw0 up", "link set lo up"}) {
      shell(std::string("ip ") + command);
    }
    for (const char* command :
         {"address add 10.9.7.2/24 dev eth0", "address add fd00:9:7::2/64 dev eth0 nodad", "link set eth0 up",
          "link set lo up", "address add 203.0.113.10/32 dev lo",
          "address add 2001:db8:5::10/128 dev lo nodad"}) {
      shell("ip -n " + name_ + " " + command);
    }
    shell("ethtool -K gw0 tx off");
    pass_on_this_end();
    worker_ = std::make_unique<SocketWorker>("gw0", traffic_.worker(0));
    in_backend([this] { attach(); });
  }
  void TearDown() override {
    if (!name_.empty()) shell("ip netns del " + name_);
  }

  void in_backend(const std::function<void()>& work) const {
    std::thread([&] {
      const int ns = open(("/var/run/netns/" + name_).c_str(), O_RDONLY | O_CLOEXEC);
      ASSERT_EQ(setns(ns, CLONE_NEWNET), 0);
      close(ns);
      work();
    }).join();
  }

  /// What XDP_TX sends out of a veth arrives only where the peer has a program too.
  static void pass_on_this_end() {
    const bpf_insn pass[] = {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 2}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
    const int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "pass", "GPL", pass, 2, nullptr);
    ASSERT_GE(fd, 0);
    ASSERT_EQ(bpf_xdp_attach(static_cast<int>(if_nametoindex("gw0")), fd, 0, nullptr), 0);
    close(fd);
  }

  void attach() {
    libbpf_set_print(nullptr);
    program_.reset(decap_bpf__open_and_load());
    ASSERT_NE(program_, nullptr);
    const abi_u8 present = 1;
    for (const char* own : {"10.9.7.2", "fd00:9:7::2"}) {
      const abi_address key = mapped(own);
      ASSERT_EQ(bpf_map_update_elem(bpf_map__fd(program_->maps.decap_addresses), &key, &present, BPF_ANY), 0);
    }
    set_key(1);
    const int program = bpf_program__fd(program_->progs.penstock_decap);
    ASSERT_EQ(bpf_xdp_attach(static_cast<int>(if_nametoindex("eth0")), program, 0, nullptr), 0);
  }
  void set_key(std::uint8_t fill) {
    const abi_u32 first = 0;
    const probe_key value{key_of(fill), 1, 0};
    ASSERT_EQ(bpf_map_update_elem(bpf_map__fd(program_->maps.probe_keys), &first, &value, BPF_ANY), 0);
  }

  [[nodiscard]] int listen_in_backend(const char* address, std::uint16_t port) const {
    int fd = -1;
    in_backend([&] {
      const IpAddr a = IpAddr::parse(address).value();
      sockaddr_in6 v6{};
      v6.sin6_family = AF_INET6;
      v6.sin6_port = htons(port);
      sockaddr_in v4{};
      v4.sin_family = AF_INET;
      v4.sin_port = htons(port);
      std::memcpy(a.is_v6() ? static_cast<void*>(&v6.sin6_addr) : &v4.sin_addr, a.data(), a.size());
      fd = socket(a.is_v6() ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      const sockaddr* to = a.is_v6() ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4);
      ASSERT_EQ(bind(fd, to, a.is_v6() ? sizeof v6 : sizeof v4), 0) << strerror(errno);
      ASSERT_EQ(listen(fd, 1), 0);
    });
    return fd;
  }

  static ProbePlan plan() {
    const auto service = [](BackendIndex backend, const char* vip, std::uint16_t port) {
      return ProbedService{backend, {IpAddr::parse(vip).value(), 6, port, 0, 0}};
    };
    ProbePlan plan;
    plan.key = key_of(1);
    plan.addresses = {{IpAddr::parse("10.9.7.2").value(),
                       {service(kWeb4, "203.0.113.10", 80), service(kMissing, "203.0.113.10", 81)}},
                      {IpAddr::parse("10.9.7.9").value(), {service(kAgentless, "203.0.113.10", 80)}},
                      {IpAddr::parse("fd00:9:7::2").value(), {service(kWeb6, "2001:db8:5::10", 80)}}};
    return plan;
  }

  /// The agentless address has a next hop all the same.
  std::unique_ptr<Prober> start(std::uint64_t interval_ms) {
    auto prober = Prober::start(Nanoseconds::from_millis(interval_ms), judge_, channel_).value();
    auto hops = std::make_shared<NextHops>();
    for (const ProbedAddress& a : plan().addresses) {
      const IpAddr own = IpAddr::parse(a.address.is_v6() ? "fd00:9:7::1" : "10.9.7.1").value();
      (*hops)[a.address] = {{{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 2}}, own, 0, 1500};
    }
    prober->reach(std::move(hops));
    return prober;
  }

  /// Milliseconds until the verdict; fails after 5 s.
  [[nodiscard]] double until(BackendIndex backend, BackendState wanted) const {
    const auto start = Clock::now();
    while (states_.backend(backend) != wanted) {
      if (Clock::now() - start > std::chrono::seconds(5)) {
        ADD_FAILURE() << "backend " << backend << " never became " << wanted.bits();
        break;
      }
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
    return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  }

  struct Destroy {
    void operator()(decap_bpf* p) const { decap_bpf__destroy(p); }
  };
  std::string name_;
  std::unique_ptr<decap_bpf, Destroy> program_;
  BackendStates states_{100, 16};
  LivenessJudge judge_{states_};
  OwnTraffic traffic_{1};
  OwnChannel& channel_ = traffic_.add({PENSTOCK_OWN_PROBE_FIRST_PORT, PENSTOCK_OWN_PROBE_LAST_PORT});
  std::unique_ptr<SocketWorker> worker_;
};

TEST_F(ProberAndProgram, FindsListenersDeathAndReturn) {
  const int web4 = listen_in_backend("203.0.113.10", 80);
  int web6 = listen_in_backend("2001:db8:5::10", 80);
  const auto prober = start(50);
  prober->follow(plan());
  for (const BackendIndex up : {kWeb4, kWeb6}) EXPECT_LT(until(up, kUpState), 5000);
  EXPECT_LT(until(kMissing, kDownState), 5000);
  EXPECT_EQ(states_.backend(kAgentless), BackendState());

  close(web6);
  const double gone = until(kWeb6, kDownState);
  web6 = listen_in_backend("2001:db8:5::10", 80);
  const double back = until(kWeb6, kUpState);
  EXPECT_EQ(states_.backend(kWeb4), kUpState);

  shell("ip -n " + name_ + " link set eth0 down");
  const double dead = until(kWeb4, kDownState);
  EXPECT_LT(until(kWeb6, kDownState), 5000);
  shell("ip -n " + name_ + " link set eth0 up");
  const double alive = until(kWeb4, kUpState);
  std::cout << "at 50 ms: no listener " << gone << " ms, listener " << back << " ms, dead host " << dead
            << " ms, host back " << alive << " ms\n";
  const ProbeCounters counters = prober->counters();
  EXPECT_GT(counters.answered, 0u);
  EXPECT_GT(counters.sent, counters.answered);
  EXPECT_EQ(counters.refused_malformed + counters.refused_authentication + counters.refused_stranger, 0u);
  close(web4);
  close(web6);
}

TEST_F(ProberAndProgram, AWorkerThatStandsStillKillsNobody) {
  const int web4 = listen_in_backend("203.0.113.10", 80);
  const auto prober = start(10);
  prober->follow(plan());
  EXPECT_LT(until(kWeb4, kUpState), 5000);
  const std::uint64_t lost = prober->counters().lost;
  worker_->stands_still = true;
  const std::uint64_t enough = prober->counters().sent + 60;  // twenty rounds of three addresses
  const auto deadline = Clock::now() + std::chrono::seconds(5);
  while (prober->counters().sent < enough && Clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_GE(prober->counters().sent, enough);
  EXPECT_EQ(states_.backend(kWeb4), kUpState);
  EXPECT_EQ(prober->counters().lost, lost);
  shell("ip -n " + name_ + " link set eth0 down");
  worker_->stands_still = false;
  EXPECT_LT(until(kWeb4, kDownState), 5000) << "able to hear again, and there is nothing";
  close(web4);
}

TEST_F(ProberAndProgram, UnderAnotherKeyNobodyAnswers) {
  set_key(2);
  const auto prober = start(10);
  prober->follow(plan());
  const auto deadline = Clock::now() + std::chrono::seconds(5);
  while (prober->counters().sent < 60 && Clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_GE(prober->counters().sent, 60u);
  EXPECT_EQ(prober->counters().answered, 0u);
  EXPECT_EQ(states_.backend(kWeb4), BackendState());
}

}  // namespace
}  // namespace penstock
