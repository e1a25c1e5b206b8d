// Gateways that tell each other of their NAT sessions, in memory: what the replication engine carries is
// handed over by tell(). One connection of one client, with all its packets.
#pragma once

#include <set>

#include "dataplane/sync/nat_sink.h"
#include "dataplane/sync/nat_source.h"
#include "tests/unit/dataplane/nat/segments.h"

namespace penstock::test {

/// What connections are made of: families, protocol, PROXY header.
struct Shape {
  bool client_v6 = false;
  bool backend_v6 = false;
  bool proxy = false;
};

inline std::uint64_t test_unix_ms = 1'000'000;

class Gateway {
 public:
  /// number: names its NAT addresses, 192.0.2.20x and 2001:db8:ff::20x.
  Gateway(unsigned number, const Shape& shape, const std::vector<unsigned>& backups = {})
      : number_(number), shape_(shape), harness_(1024, settings(backups)) {
    apply();
  }

  void apply(const std::string& backend = "be1", bool drain = false) {
    ServiceDocument web = nat_service("web", shape_.client_v6, kProtoTcp, 80,
                                      {nat_backend(backend, backend_of(shape_.backend_v6), 8080)});
    web.forwarding.proxy_protocol = shape_.proxy;
    web.backends[0].drain = drain;
    ServiceDocument dns = nat_service("dns", shape_.client_v6, kProtoUdp, 80,
                                      {nat_backend("be1", backend_of(shape_.backend_v6), 8080)});
    harness_.apply({web, dns});
  }

  static std::string nat_address(unsigned number, bool v6) {
    return (v6 ? "2001:db8:ff::20" : "192.0.2.20") + std::to_string(number);
  }

  /// Time passes, and the worker has nothing else to do. 64 ticks are a round of the sweep.
  void rest(Nanoseconds span) {
    for (std::uint64_t ticks = span.count() >> kTickShift; ticks != 0; --ticks) {
      harness_.now = harness_.now + Nanoseconds(std::uint64_t{1} << kTickShift);
      harness_.idle();
    }
  }

  /// Hands over what this gateway would tell the other by now, ends included.
  void tell(Gateway& other) {
    std::set<std::uint64_t> keys;
    source_.collect(harness_.now, [&](const SyncRecord& record) {
      keys.insert(record.key);
      EXPECT_TRUE(other.sink_.put(record, static_cast<std::uint8_t>(number_), other.harness_.now));
    });
    for (const std::uint64_t key : told_) {
      if (!keys.contains(key)) other.sink_.erase(key, static_cast<std::uint8_t>(number_));
    }
    told_ = std::move(keys);
  }

  Answer pass(const Bytes& frame) { return harness_.run({frame}).front(); }
  Harness& harness() { return harness_; }
  ForeignSessions& foreign() { return foreign_; }
  [[nodiscard]] std::uint64_t sessions() { return harness_.counters().nat_sessions.read(); }
  [[nodiscard]] std::uint64_t adopted() { return harness_.counters().nat_adopted.read(); }

 private:
  RareSettings settings(const std::vector<unsigned>& backups) {
    RareSettings out = nat_settings();
    out.nat.addresses = {ip(nat_address(number_, false)), ip(nat_address(number_, true))};
    for (const unsigned backup : backups) {
      out.nat.backup_addresses.push_back(ip(nat_address(backup, false)));
      out.nat.backup_addresses.push_back(ip(nat_address(backup, true)));
    }
    out.nat.events = &events_;
    out.nat.foreign = &foreign_;
    out.nat.unix_ms = [] { return test_unix_ms; };
    return out;
  }

  unsigned number_;
  Shape shape_;
  NatEvents events_{256};
  ForeignSessions foreign_{64, std::array<std::uint8_t, 32>{1}};
  NatSource source_{std::vector<NatEvents*>{&events_}};
  NatSink sink_{foreign_};
  Harness harness_;
  std::set<std::uint64_t> told_;
};

/// A client and a backend that count their bytes. Each step goes through the gateway that is named.
class Connection {
 public:
  static constexpr std::uint32_t kClientIsn = 0xffff'ff00;  // wraps soon
  static constexpr std::uint32_t kBackendIsn = 7000;

  explicit Connection(const Shape& shape, std::uint16_t port = 5555)
      : client_{client_of(shape.client_v6), vip_of(shape.client_v6), port, 80},
        header_(shape.proxy ? static_cast<std::uint32_t>(expected_header(shape.client_v6).size()) : 0) {}

  /// SYN, SYN-ACK, the ACK that ends the handshake.
  void open(Gateway& gateway) {
    const Segment syn = to_backend(gateway, {kClientIsn, 0, kTcpSyn, {}, {}});
    EXPECT_EQ(syn.sequence, kClientIsn);
    to_client(gateway, {kBackendIsn, kClientIsn + 1, kTcpSyn | kTcpAck, {}, {}});
    const Segment ack = to_backend(gateway, {kClientIsn + 1, kBackendIsn + 1, kTcpAck, {}, {}});
    EXPECT_EQ(ack.data.size(), header_);
  }

  /// The backend acknowledges what it has: of the handshake on, the PROXY header too.
  void acknowledge(Gateway& gateway) {
    const Segment got =
        to_client(gateway, {kBackendIsn + 1 + down_, kClientIsn + 1 + header_ + up_, kTcpAck, {}, {}});
    EXPECT_EQ(got.acknowledgment, kClientIsn + 1 + up_);
    EXPECT_EQ(got.sequence, kBackendIsn + 1 + down_);
  }

  /// The client sends bytes, which the backend receives behind all those before.
  void send(Gateway& gateway, const std::string& text, std::uint8_t flags = kTcpAck) {
    const Segment got = to_backend(
        gateway, {kClientIsn + 1 + up_, kBackendIsn + 1 + down_, flags, {}, Bytes(text.begin(), text.end())});
    EXPECT_EQ(got.sequence, kClientIsn + 1 + header_ + up_);
    EXPECT_EQ(got.data, Bytes(text.begin(), text.end()));
    up_ += static_cast<std::uint32_t>(text.size());
  }

  /// The backend sends bytes, and acknowledges what it has.
  void answer(Gateway& gateway, const std::string& text, std::uint8_t flags = kTcpAck) {
    const Segment got = to_client(gateway, {kBackendIsn + 1 + down_,
                                            kClientIsn + 1 + header_ + up_,
                                            flags,
                                            {},
                                            Bytes(text.begin(), text.end())});
    EXPECT_EQ(got.acknowledgment, kClientIsn + 1 + up_);
    EXPECT_EQ(got.data, Bytes(text.begin(), text.end()));
    down_ += static_cast<std::uint32_t>(text.size());
  }

  Segment to_backend(Gateway& gateway, const Segment& segment) {
    last = gateway.pass(frame_of(client_, segment));
    EXPECT_EQ(last.outcome, Outcome::kForwarded) << outcome_metric(last.outcome);
    if (last.outcome != Outcome::kForwarded) return {};
    const Route route = route_of(last.frame);
    if (nat.source.empty()) nat = route;
    EXPECT_EQ(route.source, nat.source);
    EXPECT_EQ(route.source_port, nat.source_port);
    EXPECT_EQ(route.destination, nat.destination);
    EXPECT_EQ(route.destination_port, 8080);
    return parse_segment(last.frame);
  }

  Segment to_client(Gateway& gateway, const Segment& segment) {
    last =
        gateway.pass(frame_of({nat.destination, nat.source, nat.destination_port, nat.source_port}, segment));
    EXPECT_EQ(last.outcome, Outcome::kForwarded) << outcome_metric(last.outcome);
    if (last.outcome != Outcome::kForwarded) return {};
    const Route route = route_of(last.frame);
    EXPECT_EQ(route.source, client_.destination);
    EXPECT_EQ(route.destination, client_.source);
    EXPECT_EQ(route.source_port, 80);
    EXPECT_EQ(route.destination_port, client_.source_port);
    return parse_segment(last.frame);
  }

  /// The client's frame, as it comes to a gateway.
  [[nodiscard]] Bytes frame(std::uint8_t flags) const {
    return frame_of(client_, {kClientIsn + 1 + up_, kBackendIsn + 1 + down_, flags, {}, {}});
  }
  [[nodiscard]] Bytes answer_frame(std::uint8_t flags) const {
    return frame_of({nat.destination, nat.source, nat.destination_port, nat.source_port},
                    {kBackendIsn + 1 + down_, kClientIsn + 1 + header_ + up_, flags, {}, {}});
  }

  Answer last{};
  Route nat{};  // N:n -> B:b, as the first packet had it

 private:
  Route client_;
  std::uint32_t header_;
  std::uint32_t up_ = 0;    // bytes that the client has sent
  std::uint32_t down_ = 0;  // and the backend
};

}  // namespace penstock::test
