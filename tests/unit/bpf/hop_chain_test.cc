// Packets on their way from backend to backend: several hosts with their own sockets in namespaces of their own.
#include <array>
#include <optional>

#include "tests/unit/bpf/decap_fixture.h"
#include "tests/unit/bpf/families.h"
#include "tests/unit/bpf/kernel_flows.h"

namespace penstock {
namespace {

/// Four backends, each in a namespace of its own, and packets carried between them by outer destination, as
/// routers do.
class Chain : public ::testing::Test {
 protected:
  static constexpr std::size_t kHosts = 4;

  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "loading a BPF program needs root";
    for (std::size_t i = 0; i < kHosts; ++i) {
      hosts_[i].open({address(i, false), address(i, true)});
      set_up_loopback({kV4.vip, kV4.client, kV6.vip, kV6.client});
    }
  }

  static std::string address(std::size_t host, bool v6) {
    return (v6 ? "fd00:31::1" : "10.0.31.1") + std::to_string(host);
  }

  struct Journey {
    std::optional<std::size_t> taken_by;
    std::size_t sent = 0;
    Bytes last;
  };

  /// Until somebody takes or drops the packet.
  Journey follow(Bytes frame) {
    Journey journey;
    for (;;) {
      const bool v6 = frame[12] == 0x86;
      const Bytes to(frame.begin() + (v6 ? 38 : 30), frame.begin() + (v6 ? 54 : 34));
      std::optional<std::size_t> at;
      for (std::size_t i = 0; i < kHosts; ++i) {
        if (bytes_of(address(i, v6)) == to) at = i;
      }
      if (!at) return journey;
      const Verdict verdict = hosts_[*at].run(frame);
      journey.last = verdict.out;
      if (verdict.action == XDP_PASS) journey.taken_by = at;
      if (verdict.action != XDP_TX) return journey;
      EXPECT_LE(++journey.sent, 3u) << "a packet visits four hosts at most";
      if (journey.sent > 10) return journey;
      frame = verdict.out;
    }
  }

  std::array<DecapHost, kHosts> hosts_;
};

TEST_F(Chain, APacketFindsItsSocketAtEveryHop) {
  for (const Family* inner : {&kV4, &kV6}) {
    for (const bool v6 : {false, true}) {
      const std::vector<std::string> hops = {address(1, v6), address(2, v6), address(3, v6)};
      for (std::size_t owner = 0; owner <= kHosts; ++owner) {  // kHosts: nobody
        SCOPED_TRACE("socket at hop " + std::to_string(owner) + " of " + inner->vip);
        std::optional<Socket> listener;
        std::optional<Connection> connection;
        const auto port = static_cast<std::uint16_t>(42000 + owner + (v6 ? 100 : 0));
        if (owner < kHosts) {
          hosts_[owner].enter();
          listener = listening(inner->vip, kPort);
          connection.emplace(*listener, inner->client, port, inner->vip, kPort);
        }
        const std::size_t end = std::min(owner, kHosts - 1);
        const Bytes packet = tcp_packet(inner->client, port, inner->vip, kPort);
        const std::string gateway = v6 ? kV6.gateway : kV4.gateway;
        const Journey journey = follow(gue_frame(gateway, address(0, v6), packet, hops));
        ASSERT_EQ(journey.taken_by, end);
        EXPECT_EQ(journey.sent, end);

        EXPECT_TRUE(std::equal(packet.begin(), packet.end(), journey.last.begin() + 14)) << "as it was sent";
        const decap_hop h = hosts_[end].hop(static_cast<std::uint32_t>(end));
        EXPECT_GE(owner < kHosts ? h.known : h.last, 1u);
        // A SYN stays where the gateway sent it.
        const Bytes syn = tcp_packet(inner->client, 49999, inner->vip, kPort, {kTcpSyn});
        EXPECT_EQ(follow(gue_frame(gateway, address(0, v6), syn, hops)).taken_by, 0u);
      }
    }
  }
}

TEST_F(Chain, UdpThatNobodyKnowsComesBackToTheChosenBackendAndStaysThere) {
  for (DecapHost& host : hosts_) host.remember_udp_flows();
  const std::vector<std::string> hops = {address(1, false), address(2, false), address(0, false)};
  const Bytes frame =
      gue_frame(kV4.gateway, address(0, false), udp_packet(kV4.client, 43000, kV4.vip, kUdpPort), hops);
  Journey journey = follow(frame);
  EXPECT_EQ(journey.taken_by, 0u);
  EXPECT_EQ(journey.sent, 3u);
  journey = follow(frame);
  EXPECT_EQ(journey.taken_by, 0u);
  EXPECT_EQ(journey.sent, 0u) << "it is known by now";
}

TEST_F(Chain, NoHopListMakesAPacketGoRound) {
  // Every list of up to three of the hosts, repetitions and the host itself included, from every start.
  for (std::size_t n = 1; n <= 3; ++n) {
    const std::size_t lists = n == 1 ? 4 : n == 2 ? 16 : 64;
    for (std::size_t list = 0; list < lists; ++list) {
      std::vector<std::string> hops;
      for (std::size_t i = 0, rest = list; i < n; ++i, rest /= kHosts)
        hops.push_back(address(rest % kHosts, false));
      for (std::size_t start = 0; start < kHosts; ++start) {
        const Bytes packet = tcp_packet(kV4.client, 44000, kV4.vip, kPort);
        const Journey journey = follow(gue_frame(kV4.gateway, address(start, false), packet, hops));
        ASSERT_TRUE(journey.taken_by) << "list " << list << " of " << n << " from " << start;
        ASSERT_LE(journey.sent, n);
      }
    }
  }
}

}  // namespace
}  // namespace penstock
