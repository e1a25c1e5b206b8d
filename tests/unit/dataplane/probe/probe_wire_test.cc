// Probes as bytes: what is asked, and which replies are read.
#include "dataplane/probe/probe_wire.h"

#include <gtest/gtest.h>

#include "penstock/config/vip_prefix.h"
#include "tests/unit/dataplane/probe/fake_responder.h"

namespace penstock {
namespace {

ProbedService service(const char* vip, std::uint8_t protocol, std::uint16_t port,
                      std::uint16_t last_port = 0) {
  const VipPrefix prefix = parse_vip(vip).value();
  return {0, {prefix.first, protocol, port, last_port, prefix.length}};
}

Bytes request(const std::vector<ProbedService>& services) {
  ProbeDatagram out;
  const std::size_t n = write_probe(key_of(1), 0x0102030405060708, Nanoseconds(77), services, out);
  return Bytes(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(n));
}

TEST(ProbeWire, ARequestIsLaidOutAsTheHeaderSays) {
  const Bytes bytes = request({service("203.0.113.10", 6, 80), service("2001:db8::1", 17, 53)});
  ASSERT_EQ(bytes.size(), 4u + 32 + 2 * 24);
  const Bytes front = {0x20, 0xb0, 0, 0, 1, 1, 2,  0, 0, 80, 0, 0, 8, 7,
                       6,    5,    4, 3, 2, 1, 77, 0, 0, 0,  0, 0, 0, 0};
  EXPECT_TRUE(std::equal(front.begin(), front.end(), bytes.begin()));
  const Bytes first = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 10, 0, 80, 6, 0, 0, 0, 0, 0};
  EXPECT_TRUE(std::equal(first.begin(), first.end(), bytes.begin() + 36));
  const Bytes second = {0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 53, 17, 0, 0, 0, 0, 0};
  EXPECT_TRUE(std::equal(second.begin(), second.end(), bytes.begin() + 60));
  EXPECT_EQ(header_of(bytes).mac, mac_of(key_of(1), bytes));
}

TEST(ProbeWire, OfServicesWithoutOneAddressAndPortNoPortIsAsked) {
  for (const ProbedService& s : {service("203.0.113.10", 6, 80, 90), service("203.0.113.0/24", 6, 80),
                                 service("203.0.113.10", 17, 0), service("203.0.113.10", kAnyProtocol, 0)}) {
    const Bytes bytes = request({s});
    EXPECT_EQ(bytes[36 + 16] | bytes[36 + 17], 0) << s.key.text();
  }
}

TEST(ProbeWire, AnAnswerIsReadBack) {
  const FakeResponder host{{key_of(1)}, {81}};
  const Bytes asked = request(
      {service("203.0.113.10", 6, 80), service("203.0.113.10", 6, 81), service("203.0.113.10", 6, 1, 2)});
  const Bytes bytes = host.answer(asked).value();
  const auto reply = read_reply(bytes);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->nonce, 0x0102030405060708u);
  ASSERT_EQ(reply->service_count, 3u);
  EXPECT_EQ(reply->listeners[0], Listener::kPresent);
  EXPECT_EQ(reply->listeners[1], Listener::kAbsent);
  EXPECT_EQ(reply->listeners[2], Listener::kUnknown);
  EXPECT_TRUE(is_authentic(key_of(1), bytes));
  EXPECT_FALSE(is_authentic(key_of(2), bytes));
  EXPECT_FALSE(read_reply(asked)) << "a request is no reply";
}

TEST(ProbeWire, NoFlippedBitIsBothReadAndAuthentic) {
  const FakeResponder host{{key_of(1)}, {}};
  const Bytes good = host.answer(request({service("203.0.113.10", 6, 80)})).value();
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes wrong = good;
    wrong[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    EXPECT_FALSE(read_reply(wrong) && is_authentic(key_of(1), wrong)) << "bit " << bit;
  }
}

TEST(ProbeWire, EveryTruncationIsRefused) {
  const FakeResponder host{{key_of(1)}, {}};
  const Bytes good = host.answer(request({service("203.0.113.10", 6, 80)})).value();
  for (std::size_t n = 0; n < good.size(); ++n)
    EXPECT_FALSE(read_reply(std::span(good).first(n))) << n << " bytes";
  Bytes longer = good;
  longer.resize(kMaxProbeDatagram + 1);
  EXPECT_FALSE(read_reply(longer));
}

}  // namespace
}  // namespace penstock
