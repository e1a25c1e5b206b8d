// The wire form of NAT sessions: what is sent is understood, what nobody sends is refused.

#include "dataplane/nat/nat_record.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "tests/unit/dataplane/nat/session_maker.h"

namespace penstock::test {
namespace {

using Wire = std::array<std::byte, NatSessionRecord::kBytes>;

Wire wire_of(const NatSessionRecord& record) {
  Wire wire;
  encode(record, wire);
  return wire;
}

NatTuple random_tuple(std::mt19937_64& random, std::uint8_t protocol, bool v6) {
  NatTuple out;
  out.protocol = protocol;
  out.v6 = v6;
  for (std::size_t i = 0; i < out.address_bytes(); ++i) {
    out.source[i] = static_cast<std::uint8_t>(random());
    out.destination[i] = static_cast<std::uint8_t>(random());
  }
  out.source_port = be16(static_cast<std::uint16_t>(random()));
  out.destination_port = be16(static_cast<std::uint16_t>(random()));
  return out;
}

NatSessionRecord random_session(std::mt19937_64& random) {
  const std::uint8_t protocol = random() % 2 == 0 ? kProtoTcp : kProtoUdp;
  NatSessionRecord out;
  out.client = random_tuple(random, protocol, random() % 2 == 0);
  out.answer = random_tuple(random, protocol, random() % 2 == 0);
  out.backend_name = random();
  out.opened_ms = random();
  out.progress = {NatPhase::kEstablished, 0, true};
  if (protocol == kProtoUdp) return out;
  const NatPhase phases[] = {NatPhase::kEstablished, NatPhase::kClosing, NatPhase::kReset};
  out.progress.phase = phases[random() % 3];
  out.progress.fins = out.progress.phase == NatPhase::kClosing ? 3 : static_cast<std::uint8_t>(random() % 3);
  if (random() % 2 == 0) return out;
  out.proxy.phase = static_cast<ProxyStream::Phase>(1 + random() % 3);
  out.proxy.first = static_cast<std::uint32_t>(random());
  out.proxy.length = ProxyStream::header_bytes(out.client.v6);
  out.proxy.sent = random() % 2 == 0;
  return out;
}

bool same(const NatSessionRecord& a, const NatSessionRecord& b) {
  return a.client == b.client && a.answer == b.answer && a.backend_name == b.backend_name &&
         a.opened_ms == b.opened_ms && a.progress.phase == b.progress.phase &&
         a.progress.fins == b.progress.fins && a.progress.confirmed == b.progress.confirmed &&
         a.proxy.phase == b.proxy.phase && a.proxy.first == b.proxy.first &&
         a.proxy.length == b.proxy.length && a.proxy.sent == b.proxy.sent;
}

TEST(NatRecord, EverySessionComesBackAsItWasSent) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  for (int i = 0; i < 20'000; ++i) {
    const NatSessionRecord session = random_session(random);
    const auto decoded = decode_nat_record(wire_of(session));
    ASSERT_TRUE(decoded) << "session " << i;
    ASSERT_TRUE(same(*decoded, session)) << "session " << i;
  }
}

// Whatever is accepted means exactly what its bytes say: there is no second spelling, and nothing is left
// over.
TEST(NatRecord, BytesThatAreAcceptedAreTheOnesThatWouldBeSent) {
  const std::uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  int accepted = 0;
  for (int i = 0; i < 200'000; ++i) {
    Wire wire = wire_of(random_session(random));
    for (std::uint64_t n = random() % 4; n != 0; --n) wire[random() % wire.size()] = std::byte(random());
    const auto decoded = decode_nat_record(wire);
    if (!decoded) continue;
    ++accepted;
    ASSERT_EQ(wire_of(*decoded), wire) << "case " << i;
  }
  EXPECT_GT(accepted, 50'000);
  for (int i = 0; i < 200'000; ++i) {
    std::vector<std::byte> noise(random() % 200);
    for (std::byte& b : noise) b = std::byte(random() % 8 == 0 ? random() : 0);
    EXPECT_FALSE(decode_nat_record(noise)) << "no session is made of noise";
  }
}

TEST(NatRecord, RefusesWhatNoSessionCanBe) {
  struct Case {
    const char* what;
    std::size_t offset;
    std::uint8_t value;
  };
  const Case cases[] = {{"another version", 0, 2},
                        {"neither TCP nor UDP", 1, 1},
                        {"an unknown bit", 2, 8},
                        {"a header that was sent without one", 2, 4},
                        {"not answered yet", 3, 1},
                        {"no such phase", 3, 5},
                        {"closing without FINs", 3, 3},
                        {"both FINs without closing", 4, 3},
                        {"a third side", 4, 4},
                        {"a PROXY phase without a header", 5, 1},
                        {"a header's length without a header", 6, 28},
                        {"a byte that means nothing", 7, 1},
                        {"a stream's number without a header", 8, 1},
                        {"bytes that mean nothing", 12, 1},
                        {"more than an IPv4 address", 36, 1},
                        {"bytes behind the client's ports", 68, 1},
                        {"bytes behind the answer's ports", 111, 1}};
  const Wire good = wire_of(numbered_session(1, 2));
  ASSERT_TRUE(decode_nat_record(good));
  for (const Case& c : cases) {
    Wire bad = good;
    bad[c.offset] = std::byte(c.value);
    EXPECT_FALSE(decode_nat_record(bad)) << c.what;
  }
  EXPECT_FALSE(decode_nat_record(std::span(good).first(good.size() - 1)));
  EXPECT_FALSE(decode_nat_record({}));
}

}  // namespace
}  // namespace penstock::test
