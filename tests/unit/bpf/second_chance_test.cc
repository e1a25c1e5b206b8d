// Who takes a packet with hops: every state that a socket can have x SYN or not x position in the hop list x
// families, with the kernel's own sockets.
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <time.h>

#include <functional>
#include <iostream>
#include <map>
#include <optional>

#include "tests/unit/bpf/decap_fixture.h"
#include "tests/unit/bpf/families.h"
#include "tests/unit/bpf/kernel_flows.h"

namespace penstock {
namespace {

enum class Taken { kKnown, kUnknown };

class SecondChance : public DecapFixture {
 protected:
  void SetUp() override {
    DecapFixture::SetUp();
    if (IsSkipped()) return;
    set_up_loopback({kV4.vip, kV4.client, kV6.vip, kV6.client});
  }

  static std::uint64_t sum(const decap_hop& h) { return h.known + h.begun + h.last + h.passed_on; }

  /// Sends `inner` with three hops, at each position and with each outer family, and expects what must become
  /// of it.
  void expect_at_every_position(const Bytes& inner, Taken taken) {
    for (const Family* outer : {&kV4, &kV6}) {
      for (std::uint8_t next = 0; next <= 3; ++next) {
        SCOPED_TRACE("next hop " + std::to_string(next) + " in " + outer->own);
        const auto before = outcomes();
        const decap_hop hop_before = hop(next);
        const Bytes frame = gue_frame(outer->gateway, outer->own, inner, outer->hops, next);
        const Verdict verdict = run(frame);
        const decap_hop after = hop(next);
        const bool here = taken == Taken::kKnown || next == 3;
        EXPECT_EQ(moved_since(before), here ? DECAP_DECAPSULATED : DECAP_PASSED_ON);
        EXPECT_EQ(verdict.action, static_cast<std::uint32_t>(here ? XDP_PASS : XDP_TX));
        EXPECT_EQ(after.known - hop_before.known, taken == Taken::kKnown ? 1u : 0u);
        EXPECT_EQ(after.last - hop_before.last, taken == Taken::kUnknown && next == 3 ? 1u : 0u);
        EXPECT_EQ(after.passed_on - hop_before.passed_on, here ? 0u : 1u);
        EXPECT_EQ(sum(after), sum(hop_before) + 1);
      }
    }
  }

  void expect_begun_everywhere(const Bytes& inner) {
    for (std::uint8_t next = 0; next <= 3; ++next) {
      const decap_hop before = hop(next);
      const auto counts = outcomes();
      run(gue_frame(kV4.gateway, kV4.own, inner, kV4.hops, next));
      EXPECT_EQ(moved_since(counts), DECAP_DECAPSULATED);
      EXPECT_EQ(hop(next).begun, before.begun + 1);
    }
  }

  /// Segments of every kind from client:port; only a SYN may begin something.
  void expect_tcp(const Family& f, std::uint16_t port, Taken taken) {
    for (const std::uint8_t flags : {kTcpAck, std::uint8_t{kTcpAck | kTcpFin}, kTcpRst, std::uint8_t{0},
                                     std::uint8_t{kTcpSyn | kTcpAck}, std::uint8_t{kTcpRst | kTcpAck}}) {
      SCOPED_TRACE("flags " + std::to_string(flags));
      expect_at_every_position(tcp_packet(f.client, port, f.vip, kPort, {flags}), taken);
    }
    expect_begun_everywhere(tcp_packet(f.client, port, f.vip, kPort, {kTcpSyn}));
    SCOPED_TRACE("quoted by an ICMP error");
    expect_at_every_position(error_about(f.gateway, f.vip, tcp_packet(f.vip, kPort, f.client, port)), taken);
  }

  void expect_udp(const Family& f, std::uint16_t port, Taken taken) {
    expect_at_every_position(udp_packet(f.client, port, f.vip, kUdpPort), taken);
  }
};

TEST_F(SecondChance, WithoutASocketTcpIsUnknown) {
  for (const Family* f : {&kV4, &kV6}) expect_tcp(*f, 40000, Taken::kUnknown);
}

TEST_F(SecondChance, AListenerAloneKnowsNoFlow) {
  for (const Family* f : {&kV4, &kV6}) {
    const Socket listener = listening(f->vip, kPort);
    expect_tcp(*f, 40000, Taken::kUnknown);
  }
}

TEST_F(SecondChance, EveryStateOfAConnectionIsKnown) {
  for (const Family* f : {&kV4, &kV6}) {
    SCOPED_TRACE(f->vip);
    const Socket listener = listening(f->vip, kPort);
    {
      SCOPED_TRACE("established");
      const Connection c(listener, f->client, 40001, f->vip, kPort);
      expect_tcp(*f, 40001, Taken::kKnown);
      expect_tcp(*f, 40002, Taken::kUnknown);
    }
    {
      SCOPED_TRACE("close wait");
      Connection c(listener, f->client, 40003, f->vip, kPort);
      c.client.close();
      ASSERT_TRUE(wait_for_state(c.server, TCP_CLOSE_WAIT));
      expect_tcp(*f, 40003, Taken::kKnown);
    }
    {
      SCOPED_TRACE("FIN wait");
      Connection c(listener, f->client, 40004, f->vip, kPort);
      shutdown(c.server.fd(), SHUT_WR);
      ASSERT_TRUE(wait_for_state(c.server, TCP_FIN_WAIT2));
      expect_tcp(*f, 40004, Taken::kKnown);
    }
    {
      SCOPED_TRACE("time wait");
      Connection c(listener, f->client, 40005, f->vip, kPort);
      c.server.close();
      ASSERT_TRUE(wait_for_state(c.client, TCP_CLOSE_WAIT));
      c.client.close();
      // The client's socket is gone with its last ACK; the server's end waits for a minute.
      expect_tcp(*f, 40005, Taken::kKnown);
    }
    {
      SCOPED_TRACE("half-open");
      inject(with_tcp_checksum(tcp_packet(f->stranger, 40006, f->vip, kPort, {kTcpSyn, 7, 0})), f->vip);
      Family stranger = *f;
      stranger.client = f->stranger;
      expect_tcp(stranger, 40006, Taken::kKnown);
      expect_tcp(stranger, 40007, Taken::kUnknown);
    }
  }
}

/// The sequence number of the next SYN-ACK to `port`, as seen on `lo`.
class SynAckWatch {
 public:
  explicit SynAckWatch(bool v6) : v6_(v6) {
    watch_ = Socket(socket(AF_PACKET, SOCK_DGRAM, htons(v6 ? ETH_P_IPV6 : ETH_P_IP)));
    EXPECT_GE(watch_.fd(), 0);
  }
  std::optional<std::uint32_t> wait_for(std::uint16_t port) const {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
    while (std::chrono::steady_clock::now() < deadline) {
      pollfd p{watch_.fd(), POLLIN, 0};
      if (poll(&p, 1, 100) <= 0) continue;
      std::uint8_t packet[256];
      const ssize_t n = recv(watch_.fd(), packet, sizeof packet, 0);
      const std::uint8_t* tcp = packet + (v6_ ? 40 : 20);
      if (n < (v6_ ? 60 : 40) || packet[v6_ ? 6 : 9] != 6) continue;
      if (tcp[13] != (kTcpSyn | kTcpAck) || (tcp[2] << 8 | tcp[3]) != port) continue;
      std::uint32_t sequence;
      std::memcpy(&sequence, tcp + 4, 4);
      return ntohl(sequence);
    }
    return std::nullopt;
  }

 private:
  Socket watch_;
  bool v6_;
};

TEST_F(SecondChance, AnAckIsKnownByTheSynCookieThatItReturns) {
  shell("sysctl -qw net.ipv4.tcp_syncookies=2");  // for every handshake
  shell("ip neigh add " + kV6.stranger + " lladdr 02:00:00:00:00:66 dev out0");
  for (const Family* f : {&kV4, &kV6}) {
    SCOPED_TRACE(f->vip);
    const Socket listener = listening(f->vip, kPort);
    const SynAckWatch watch(f == &kV6);
    constexpr std::uint32_t kSequence = 1000;
    inject(with_tcp_checksum(tcp_packet(f->stranger, 40010, f->vip, kPort, {kTcpSyn, kSequence, 0})), f->vip);
    const auto cookie = watch.wait_for(40010);
    ASSERT_TRUE(cookie);
    const Segment good{kTcpAck, kSequence + 1, *cookie + 1};
    expect_at_every_position(tcp_packet(f->stranger, 40010, f->vip, kPort, good), Taken::kKnown);
    Segment wrong = good;
    wrong.acknowledged += 1U << 20;  // the lowest bits of a cookie hold the MSS, and several are good
    expect_at_every_position(tcp_packet(f->stranger, 40010, f->vip, kPort, wrong), Taken::kUnknown);
    expect_at_every_position(tcp_packet(f->stranger, 40011, f->vip, kPort, good), Taken::kUnknown);
    Segment reset = good;
    reset.flags = kTcpRst | kTcpAck;
    expect_at_every_position(tcp_packet(f->stranger, 40010, f->vip, kPort, reset), Taken::kUnknown);
  }
}

TEST_F(SecondChance, UdpIsKnownByAConnectedSocket) {
  for (const Family* f : {&kV4, &kV6}) {
    SCOPED_TRACE(f->vip);
    expect_udp(*f, 41000, Taken::kUnknown);
    const Socket unconnected = bound(SOCK_DGRAM, f->vip, kUdpPort);
    expect_udp(*f, 41000, Taken::kUnknown);
    const Socket connected = bound(SOCK_DGRAM, f->vip, kUdpPort);
    const SocketAddress peer(f->client, 41000);
    ASSERT_EQ(connect(connected.fd(), peer.get(), peer.length), 0);
    expect_udp(*f, 41000, Taken::kKnown);
    expect_udp(*f, 41001, Taken::kUnknown);
    expect_at_every_position(error_about(f->gateway, f->vip, udp_packet(f->vip, kUdpPort, f->client, 41000)),
                             Taken::kKnown);
  }
}

TEST_F(SecondChance, AUdpFlowThatWasDeliveredHereIsKnownIfTheServiceAsksForIt) {
  for (const Family* f : {&kV4, &kV6}) {
    run(gue_frame(f->gateway, f->own, udp_packet(f->client, 41010, f->vip, kUdpPort)));
    expect_at_every_position(udp_packet(f->client, 41010, f->vip, kUdpPort), Taken::kUnknown);
  }
  remember_udp_flows();
  for (const Family* f : {&kV4, &kV6}) {
    SCOPED_TRACE(f->vip);
    // Passing on does not make it known, being taken as the last hop does; so does a packet without hops.
    const Bytes last = udp_packet(f->client, 41011, f->vip, kUdpPort);
    run(gue_frame(f->gateway, f->own, last, f->hops, 0));
    EXPECT_EQ(run(gue_frame(f->gateway, f->own, last, f->hops, 0)).action,
              static_cast<std::uint32_t>(XDP_TX));
    run(gue_frame(f->gateway, f->own, last, f->hops, 3));
    expect_udp(*f, 41011, Taken::kKnown);
    run(gue_frame(f->gateway, f->own, udp_packet(f->client, 41012, f->vip, kUdpPort)));
    expect_udp(*f, 41012, Taken::kKnown);
    expect_at_every_position(error_about(f->gateway, f->vip, udp_packet(f->vip, kUdpPort, f->client, 41012)),
                             Taken::kKnown);
    EXPECT_EQ(
        run(gue_frame(f->gateway, f->own, udp_packet(f->client, 41013, f->vip, kUdpPort), f->hops)).action,
        static_cast<std::uint32_t>(XDP_TX))
        << "another flow";
  }
}

TEST_F(SecondChance, AUdpFlowThatWasSilentForLongIsForgottenAndRenewedAtMostOnceASecond) {
  remember_udp_flows();
  decap_udp_flow name{};
  name.remote = key_of(kV4.client.c_str());
  name.local = key_of(kV4.vip.c_str());
  name.remote_port = htons(41020);
  name.local_port = htons(kUdpPort);
  const int map = fd(program_->maps.decap_udp_flows);
  const auto now = [] {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return static_cast<abi_u64>(t.tv_sec) * 1'000'000'000 + static_cast<abi_u64>(t.tv_nsec);
  };
  const auto enter = [&](abi_u64 seen) { ASSERT_EQ(bpf_map_update_elem(map, &name, &seen, BPF_ANY), 0); };
  const auto seen = [&] {
    abi_u64 value = 0;
    EXPECT_EQ(bpf_map_lookup_elem(map, &name, &value), 0);
    return value;
  };
  constexpr abi_u64 kSecond = 1'000'000'000;
  const Bytes packet = udp_packet(kV4.client, 41020, kV4.vip, kUdpPort);
  const auto action = [&] { return run(gue_frame(kV4.gateway, kV4.own, packet, kV4.hops)).action; };
  enter(now() - (PENSTOCK_DECAP_UDP_SEEN_SECONDS + 1) * kSecond);
  EXPECT_EQ(action(), static_cast<std::uint32_t>(XDP_TX));
  const abi_u64 old = now() - (PENSTOCK_DECAP_UDP_SEEN_SECONDS - 30) * kSecond;
  enter(old);
  EXPECT_EQ(action(), static_cast<std::uint32_t>(XDP_PASS));
  const abi_u64 renewed = seen();
  EXPECT_GT(renewed, old);
  enter(renewed - kSecond / 4);
  EXPECT_EQ(action(), static_cast<std::uint32_t>(XDP_PASS));
  EXPECT_LE(seen(), renewed) << "not written for every packet";
}

}  // namespace
}  // namespace penstock
