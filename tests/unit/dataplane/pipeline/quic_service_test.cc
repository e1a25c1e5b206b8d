// A service balanced by QUIC connection ID: which backend a connection has, through all that may change.

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/dataplane/pipeline/harness.h"

namespace penstock::test {
namespace {

constexpr int kBackends = 8;

Bytes server_id(int backend) { return {0xc4, 0x60, static_cast<std::uint8_t>(backend)}; }

BackendDocument backend(int n, bool drain = false) {
  BackendDocument out{"be" + std::to_string(n), ip("10.0.0." + std::to_string(n)), 1, drain};
  const Bytes id = server_id(n);
  out.quic_server_id.assign(id.begin(), id.end());
  return out;
}

std::vector<ServiceDocument> http3(int drained = 0, std::uint8_t rotation = 0) {
  std::vector<BackendDocument> backends;
  for (int n = 1; n <= kBackends; ++n) backends.push_back(backend(n, n == drained));
  ServiceDocument v4 = service("h3", "203.0.113.10", kProtoUdp, 443, Encap::kGue, backends);
  ServiceDocument v6 = service("h3-six", "2001:db8::10", kProtoUdp, 443, Encap::kGue, backends);
  for (ServiceDocument* s : {&v4, &v6}) s->quic = {{rotation, 3, 4, std::nullopt}};
  return {v4, v6};
}

Bytes with_payload(PacketBuilder builder, const Bytes& payload) {
  Bytes frame = builder.payload(payload.size()).build();
  std::ranges::copy(payload, frame.end() - static_cast<std::ptrdiff_t>(payload.size()));
  return frame;
}

// A short header for a connection on that backend.
Bytes one_rtt(int backend, std::uint8_t first_octet = 0x07) {
  Bytes out{0x4a, first_octet};
  for (const std::uint8_t octet : server_id(backend)) out.push_back(octet);
  out.resize(60, 0x33);
  return out;
}

PacketBuilder from(int client, std::uint16_t port = 50'000) {
  return packet().v4("198.51.100." + std::to_string(client), "203.0.113.10").udp(port, 443);
}

std::string backend_of(Harness& harness, const Bytes& frame) {
  const Answer answer = harness.run({frame}).front();
  EXPECT_EQ(answer.outcome, Outcome::kForwarded);
  return harness.backend_id(answer.backend);
}

TEST(QuicService, ConnectionKeepsItsBackendWhenTheClientsAddressChanges) {
  Harness harness;
  harness.apply(http3());
  for (int n = 1; n <= kBackends; ++n) {
    const std::string wanted = "be" + std::to_string(n);
    for (int client = 1; client <= 20; ++client) {
      const auto port = static_cast<std::uint16_t>(1000 + client * 7);
      ASSERT_EQ(backend_of(harness, with_payload(from(client, port), one_rtt(n))), wanted);
      ASSERT_EQ(
          backend_of(harness,
                     with_payload(
                         packet().v6("2001:db8:9::" + std::to_string(client), "2001:db8::10").udp(port, 443),
                         one_rtt(n))),
          wanted);
    }
  }
}

TEST(QuicService, IpOptionsDoNotHideTheConnectionId) {
  Harness harness;
  harness.apply(http3());
  for (int n = 1; n <= kBackends; ++n) {
    EXPECT_EQ(backend_of(harness, with_payload(from(1).options(8), one_rtt(n))), "be" + std::to_string(n));
  }
}

TEST(QuicService, UnroutableConnectionsFollowTheirFiveTuple) {
  Harness harness;
  harness.apply(http3());
  std::set<std::string> seen;
  for (int client = 1; client <= 60; ++client) {
    const std::string first = backend_of(harness, with_payload(from(client), one_rtt(1, 0xe7)));
    seen.insert(first);
    // Rotation bits of no configuration, a server that does not exist, and a datagram too short for any ID.
    EXPECT_EQ(backend_of(harness, with_payload(from(client), one_rtt(1, 0x27))), first);
    EXPECT_EQ(backend_of(harness, with_payload(from(client), one_rtt(200))), first);
    EXPECT_EQ(backend_of(harness, with_payload(from(client), {0x40, 0x07, 0xc4})), first);
    EXPECT_EQ(backend_of(harness, with_payload(from(client), {})), first);
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(kBackends));
}

TEST(QuicService, DrainedBackendKeepsItsConnectionsAndGetsNoOthers) {
  Harness harness;
  harness.apply(http3());
  harness.apply(http3(3));
  EXPECT_EQ(backend_of(harness, with_payload(from(77), one_rtt(3))), "be3");
  for (int client = 1; client <= 100; ++client) {
    EXPECT_NE(backend_of(harness, with_payload(from(client), one_rtt(0, 0xff))), "be3");
  }
}

TEST(QuicService, RemovedBackendsConnectionsGoToAnotherOne) {
  Harness harness;
  harness.apply(http3());
  ASSERT_EQ(backend_of(harness, with_payload(from(1), one_rtt(8))), "be8");
  auto without = http3();
  for (ServiceDocument& s : without) s.backends.pop_back();
  harness.apply(without);
  const std::string now = backend_of(harness, with_payload(from(1), one_rtt(8)));
  EXPECT_NE(now, "be8");
  EXPECT_EQ(backend_of(harness, with_payload(from(1), one_rtt(8))), now);
}

TEST(QuicService, NoConnectionIsLostWhileConfigurationsRotate) {
  Harness harness;
  harness.apply(http3());
  auto both = http3();
  for (ServiceDocument& s : both) s.quic.push_back({5, 3, 8, std::nullopt});
  harness.apply(both);
  for (int n = 1; n <= kBackends; ++n) {
    const std::string wanted = "be" + std::to_string(n);
    EXPECT_EQ(backend_of(harness, with_payload(from(n), one_rtt(n))), wanted);
    EXPECT_EQ(backend_of(harness, with_payload(from(n), one_rtt(n, 0xab))), wanted);
  }
}

TEST(QuicService, EveryDatagramGoesSomewhereHoweverShort) {
  Harness harness;
  harness.apply(http3());
  const Bytes whole = one_rtt(2);
  for (std::size_t length = 0; length <= whole.size(); ++length) {
    const Bytes cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
    const std::string found = backend_of(harness, with_payload(from(1), cut));
    if (length >= 9) {
      EXPECT_EQ(found, "be2") << length;
    }
  }
}

}  // namespace
}  // namespace penstock::test
