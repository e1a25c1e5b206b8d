// Direct checks against the kernel's own TCP and UDP, through a pair of interfaces whose far end is a backend
// host: frames leave by a packet socket as a worker would send them. Needs root.
#include <gtest/gtest.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>

#include <map>

#include "dataplane/probe/direct_rounds.h"
#include "penstock/base/clock.h"
#include "tests/unit/bpf/kernel_flows.h"

namespace penstock {
namespace {

const std::string kGateway = "10.77.0.1", kHost = "10.77.0.2", kGateway6 = "fd77::1", kHost6 = "fd77::2";
const std::string kVip = "203.0.113.10", kVip6 = "2001:db8:5::10";
constexpr OwnPorts kPorts{61128, 61191};

MacAddr mac_of(const char* interface) {
  const Socket any(socket(AF_INET, SOCK_DGRAM, 0));
  ifreq request{};
  std::snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
  EXPECT_EQ(ioctl(any.fd(), SIOCGIFHWADDR, &request), 0);
  MacAddr mac;
  std::memcpy(mac.bytes.data(), request.ifr_hwaddr.sa_data, mac.bytes.size());
  return mac;
}

class DirectKernel : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "a network namespace needs root";
    ASSERT_EQ(unshare(CLONE_NEWNET), 0) << strerror(errno);
    shell("ip link set lo up");
    shell("ip link add gw type veth peer name host");
    shell("sysctl -qw net.ipv6.conf.gw.disable_ipv6=1");
    shell("ip link set gw up");
    shell("ip link set host up");
    const std::string mac = text(mac_of("gw"));
    for (const char* address : {"10.77.0.2/24", "fd77::2/64"})
      shell(std::string("ip address add ") + address + " dev host" + (strchr(address, ':') ? " nodad" : ""));
    for (const std::string& gateway : {kGateway, kGateway6})
      shell("ip neighbour add " + gateway + " lladdr " + mac + " dev host");
    shell("ip address add " + kVip + "/32 dev lo");
    shell("ip address add " + kVip6 + "/128 dev lo nodad");
    open_wire();
    const siphash_key key{{1, 2}};
    rounds_ = std::make_unique<DirectRounds>(
        key, channel_,
        DirectRounds::Listeners{
            [this](BackendIndex b, bool passed, Nanoseconds) { verdicts_[b].push_back(passed); },
            [this](BackendIndex) { return answers_probes_; }});
    NextHops hops;
    for (const bool v6 : {false, true}) {
      hops[IpAddr::parse(v6 ? kHost6 : kHost).value()] = {
          mac_of("gw"), mac_of("host"), IpAddr::parse(v6 ? kGateway6 : kGateway).value(), 0, 1500};
    }
    rounds_->reach(std::make_shared<const NextHops>(hops));
  }

  static std::string text(const MacAddr& mac) {
    char out[18];
    std::snprintf(out, sizeof out, "%02x:%02x:%02x:%02x:%02x:%02x", mac.bytes[0], mac.bytes[1], mac.bytes[2],
                  mac.bytes[3], mac.bytes[4], mac.bytes[5]);
    return out;
  }

  void open_wire() {
    wire_ = Socket(socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, htons(0x0003)));
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(0x0003);
    address.sll_ifindex = static_cast<int>(if_nametoindex("gw"));
    ASSERT_EQ(bind(wire_.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }

  /// One backend, number 5, checked every 50 ms.
  void check(Encap encap, const std::string& vip, DirectCheckDocument how, const std::string& host) {
    DirectService service;
    service.service.encap = encap;
    service.service.key = {IpAddr::parse(vip).value(),
                           how.kind == DirectCheckKind::kUdpExchange ? kProtoUdp : kProtoTcp, 80, 0, 0};
    service.always = true;
    how.interval_ms = 50;
    how.timeout_ms = 50;
    service.request = how.kind == DirectCheckKind::kHttp ? "GET / HTTP/1.1\r\n\r\n" : how.send;
    service.check = how;
    DirectTarget target{5, 0, {"be", IpAddr::parse(host).value()}, {}, 80};
    target.address = encap == Encap::kNat ? target.host.address : service.service.key.vip;
    rounds_->follow({{service}, {target}}, monotonic_now());
  }

  /// What a worker does, and a server beside it that answers whoever has sent something.
  void turn() {
    rounds_->run(monotonic_now());
    OwnWorker& worker = own_.worker(0);
    OutRing& ring = *worker.out()[0];
    for (std::size_t left = ring.waiting(); left != 0; --left) {
      const OutFrame& frame = ring.waiting_frame(0);
      const bool sent = !drops_ && send(wire_.fd(), frame.bytes.data(), frame.length, 0) > 0;
      ring.set_sent(0, sent || drops_ ? monotonic_now() : Nanoseconds());
      ring.done(1);
    }
    const Nanoseconds began = monotonic_now();
    std::uint8_t buffer[2048];
    sockaddr_ll from{};
    socklen_t size = sizeof from;
    for (ssize_t got; (got = recvfrom(wire_.fd(), buffer, sizeof buffer, 0,
                                      reinterpret_cast<sockaddr*>(&from), &size)) > 0;)
      if (from.sll_pkttype != PACKET_OUTGOING) worker.take(buffer, static_cast<std::size_t>(got), began);
    worker.polled(began, true);
    serve();
  }

  void serve() {
    if (listener_.fd() >= 0) {
      Socket client(accept4(listener_.fd(), nullptr, nullptr, SOCK_NONBLOCK));
      if (client.fd() >= 0) ++accepted_, clients_.push_back(std::move(client));
    }
    char buffer[2048];
    for (Socket& client : clients_)
      if (client.fd() >= 0 && recv(client.fd(), buffer, sizeof buffer, 0) > 0)
        send(client.fd(), response_.data(), response_.size(), MSG_NOSIGNAL);
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    if (datagrams_.fd() >= 0 && recvfrom(datagrams_.fd(), buffer, sizeof buffer, MSG_DONTWAIT,
                                         reinterpret_cast<sockaddr*>(&peer), &size) > 0)
      sendto(datagrams_.fd(), response_.data(), response_.size(), 0, reinterpret_cast<const sockaddr*>(&peer),
             size);
  }

  /// The next three verdicts, all the same; fails if they do not come.
  void expect_verdicts(bool passed) {
    verdicts_.clear();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (verdicts_[5].size() < 3 && std::chrono::steady_clock::now() < deadline) {
      turn();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ASSERT_GE(verdicts_[5].size(), 3U);
    for (const bool verdict : verdicts_[5]) EXPECT_EQ(verdict, passed);
  }

  static Socket listen_at(const std::string& address) {
    Socket s = bound(SOCK_STREAM, address, 80);
    EXPECT_EQ(listen(s.fd(), 16), 0);
    return non_blocking(std::move(s));
  }
  static Socket non_blocking(Socket s) {
    const int on = 1;
    ioctl(s.fd(), FIONBIO, &on);
    return s;
  }

  OwnTraffic own_{1};
  OwnChannel& channel_ = own_.add(kPorts);
  std::unique_ptr<DirectRounds> rounds_;
  Socket wire_;
  Socket listener_;
  Socket datagrams_;
  std::vector<Socket> clients_;
  std::string response_;
  std::map<BackendIndex, std::vector<bool>> verdicts_;
  std::size_t accepted_ = 0;
  bool answers_probes_ = false;
  bool drops_ = false;
};

struct Way {
  Encap encap;
  std::string vip, host;
};
// Encapsulations that this kernel itself undoes; direct_frame_test.cc compares the others with the
// pipeline's.
const Way kWays[] = {{Encap::kL2dsr, kVip, kHost},
                     {Encap::kL2dsr, kVip6, kHost6},
                     {Encap::kNat, kVip, kHost},
                     {Encap::kNat, kVip6, kHost6}};

std::string server_of(const Way& way) { return way.encap == Encap::kNat ? way.host : way.vip; }

TEST_F(DirectKernel, AListenerPassesAndIsLeftWithoutAnything) {
  for (const Way& way : kWays) {
    SCOPED_TRACE(way.vip + " " + std::to_string(static_cast<int>(way.encap)));
    check(way.encap, way.vip, {}, way.host);
    expect_verdicts(false);  // the kernel resets
    listener_ = listen_at(server_of(way));
    expect_verdicts(true);
    EXPECT_EQ(accepted_, 0U) << "reset before the server sees a connection";
    listener_.close();
    expect_verdicts(false);
  }
  const DirectCounters counters = rounds_->counters();
  EXPECT_GE(counters.begun, counters.passed + counters.failed);
}

TEST_F(DirectKernel, HttpIsJudgedByWhatTheServerSays) {
  DirectCheckDocument http;
  http.kind = DirectCheckKind::kHttp;
  http.body_contains = "well";
  for (const Way& way : kWays) {
    SCOPED_TRACE(way.vip + " " + std::to_string(static_cast<int>(way.encap)));
    check(way.encap, way.vip, http, way.host);
    listener_ = listen_at(server_of(way));
    response_ = "HTTP/1.1 200 OK\r\nX: y\r\n\r\nall is well";
    expect_verdicts(true);
    response_ = "HTTP/1.1 503 no\r\n\r\nall is well";
    clients_.clear();
    check(way.encap, way.vip, http, way.host);
    while (rounds_->busy()) turn();  // what was asked before the change
    expect_verdicts(false);
    listener_.close();
    clients_.clear();
  }
  EXPECT_GT(accepted_, 0U);
}

TEST_F(DirectKernel, AServerThatAcceptsAndSaysNothingFailsByTime) {
  DirectCheckDocument http;
  http.kind = DirectCheckKind::kHttp;
  check(Encap::kL2dsr, kVip, http, kHost);
  listener_ = listen_at(kVip);
  response_.clear();
  expect_verdicts(false);
}

TEST_F(DirectKernel, UdpIsAskedAndExpected) {
  DirectCheckDocument udp;
  udp.kind = DirectCheckKind::kUdpExchange;
  udp.send = "ping";
  udp.expect = "pong";
  for (const Way& way : kWays) {
    SCOPED_TRACE(way.vip + " " + std::to_string(static_cast<int>(way.encap)));
    check(way.encap, way.vip, udp, way.host);
    datagrams_ = bound(SOCK_DGRAM, server_of(way), 80);
    response_ = "pong!";
    expect_verdicts(true);
    response_ = "what?";
    expect_verdicts(false);
    datagrams_.close();
    expect_verdicts(false);
  }
}

TEST_F(DirectKernel, AHostThatIsSilentFailsAndAGatewayThatIsDeafSaysNothing) {
  check(Encap::kL2dsr, kVip, {}, kHost);
  listener_ = listen_at(kVip);
  drops_ = true;
  expect_verdicts(false);
  // Its frames are said to have left, but no worker has polled since: nobody knows.
  verdicts_.clear();
  const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(300);
  while (std::chrono::steady_clock::now() < until) {
    rounds_->run(monotonic_now());
    OutRing& ring = *own_.worker(0).out()[0];
    for (std::size_t left = ring.waiting(); left != 0; --left) {
      ring.set_sent(0, monotonic_now());
      ring.done(1);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_TRUE(verdicts_[5].empty());
}

TEST_F(DirectKernel, BackendsThatAnswerProbesAreLeftAlone) {
  listener_ = listen_at(kVip);
  DirectService service;
  service.service.encap = Encap::kL2dsr;
  service.service.key = {IpAddr::parse(kVip).value(), kProtoTcp, 80, 0, 0};
  service.probed = true;
  service.check.interval_ms = 50;
  const DirectTarget target{5, 0, {"be", IpAddr::parse(kHost).value()}, service.service.key.vip, 80};
  const Nanoseconds now = monotonic_now();
  rounds_->follow({{service}, {target}}, now);
  rounds_->run(now + Nanoseconds::from_millis(4900));
  EXPECT_EQ(rounds_->counters().begun, 0U) << "it may answer yet";
  answers_probes_ = true;
  rounds_->run(now + Nanoseconds::from_millis(5100));
  EXPECT_EQ(rounds_->counters().begun, 0U);
  answers_probes_ = false;
  rounds_->run(now + Nanoseconds::from_millis(6200));
  EXPECT_EQ(rounds_->counters().begun, 1U);
}

}  // namespace
}  // namespace penstock
