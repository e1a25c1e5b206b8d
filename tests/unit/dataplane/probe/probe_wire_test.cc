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

constexpr std::uint8_t kBoth = PENSTOCK_PROBE_SERVICE_LOADS | PENSTOCK_PROBE_HOST_LOAD;

Bytes request(const std::vector<ProbedService>& services, std::uint8_t sections = 0,
              std::uint8_t version = PENSTOCK_PROBE_VERSION) {
  ProbeDatagram out;
  out.fill(0xee);
  const ProbeRequest asked{version, sections, 0x0102030405060708, 77};
  const std::size_t n = write_probe(key_of(1), asked, services, out);
  return Bytes(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(n));
}

TEST(ProbeWire, ARequestIsLaidOutAsTheHeaderSays) {
  const Bytes bytes = request({service("203.0.113.10", 6, 80), service("2001:db8::1", 17, 53)});
  ASSERT_EQ(bytes.size(), 4u + 32 + 2 * 24);
  const Bytes front = {0x20, 0xb0, 0, 0, 2, 1, 2,  0, 0, 80, 0, 0, 8, 7,
                       6,    5,    4, 3, 2, 1, 77, 0, 0, 0,  0, 0, 0, 0};
  EXPECT_TRUE(std::equal(front.begin(), front.end(), bytes.begin()));
  const Bytes first = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 10, 0, 80, 6, 0, 0, 0, 0, 0};
  EXPECT_TRUE(std::equal(first.begin(), first.end(), bytes.begin() + 36));
  const Bytes second = {0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 53, 17, 0, 0, 0, 0, 0};
  EXPECT_TRUE(std::equal(second.begin(), second.end(), bytes.begin() + 60));
  EXPECT_EQ(header_of(bytes).mac, mac_of(key_of(1), bytes));
}

TEST(ProbeWire, ARequestHasRoomForWhatItWantsAndNoMacOverIt) {
  const std::vector<ProbedService> two = {service("203.0.113.10", 6, 80), service("203.0.113.10", 6, 81)};
  Bytes bytes = request(two, kBoth);
  ASSERT_EQ(bytes.size(), 4u + 32 + 2 * 24 + 2 * 48 + 40);
  EXPECT_EQ(header_of(bytes).sections, kBoth);
  EXPECT_TRUE(std::all_of(bytes.begin() + 84, bytes.end(), [](std::uint8_t b) { return b == 0; }));
  EXPECT_EQ(header_of(bytes).mac, mac_of(key_of(1), bytes));
  bytes.resize(84);
  bytes[4 + 5] = 80;
  EXPECT_NE(header_of(bytes).mac, mac_of(key_of(1), bytes)) << "but over the length that the header says";
  EXPECT_EQ(request(two, PENSTOCK_PROBE_SERVICE_LOADS).size(), 4u + 32 + 2 * 24 + 2 * 48);
  EXPECT_EQ(request(std::vector(8, two[0]), kBoth).size(), kMaxProbeDatagram);
}

TEST(ProbeWire, ARequestOfVersionOneIsAsItEverWas) {
  const Bytes bytes = request({service("203.0.113.10", 6, 80)}, 0, PENSTOCK_PROBE_OLDEST_VERSION);
  ASSERT_EQ(bytes.size(), 4u + 32 + 24);
  EXPECT_EQ(bytes[4], 1);
  FakeResponder old{{key_of(1)}, {80}};
  old.newest_version = 1;
  const auto reply = read_reply(old.answer(bytes).value());
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->version, 1);
  EXPECT_EQ(reply->services[0].listener, Listener::kAbsent);
  EXPECT_FALSE(reply->services[0].load);
  EXPECT_FALSE(reply->host);
}

TEST(ProbeWire, LoadsAreReadInHostOrderAndWhatTheHostLeftOutIsAbsent) {
  probe_service_load load{};
  load.age_ms = htons(7);
  load.check = PENSTOCK_PROBE_FAILING;
  load.accept_queue = htons(3);
  load.accept_limit = htons(511);
  load.established = htonl(70'000);
  load.response_p99 = htons(0x1234);
  load.new_connections = htonl(123'456);
  load.accept_drops = htons(9);
  probe_host_load host{};
  host.cpu_utilization = htons(9876);
  host.disk_iops = htonl(1'000'000);
  const std::vector<ProbedService> two = {service("203.0.113.10", 6, 80), service("203.0.113.10", 6, 81)};
  FakeResponder responder{{key_of(1)}, {}};
  responder.service_load = load;
  const auto loads = read_reply(responder.answer(request(two, kBoth)).value());
  ASSERT_TRUE(loads);
  EXPECT_FALSE(loads->host);
  for (std::size_t i = 0; i < 2; ++i) {
    ASSERT_TRUE(loads->services[i].load);
    const probe_service_load& l = *loads->services[i].load;
    EXPECT_EQ(l.age_ms, 7);
    EXPECT_EQ(l.check, PENSTOCK_PROBE_FAILING);
    EXPECT_EQ(l.accept_queue, 3);
    EXPECT_EQ(l.accept_limit, 511);
    EXPECT_EQ(l.established, 70'000u);
    EXPECT_EQ(l.response_p99, 0x1234);
    EXPECT_EQ(l.new_connections, 123'456u);
    EXPECT_EQ(l.accept_drops, 9);
  }
  responder.host_load = host;
  responder.service_load.reset();  // the host's then begins the room
  const auto alone = read_reply(responder.answer(request(two, kBoth)).value());
  ASSERT_TRUE(alone && alone->host);
  EXPECT_FALSE(alone->services[1].load);
  EXPECT_EQ(alone->host->cpu_utilization, 9876);
  EXPECT_EQ(alone->host->disk_iops, 1'000'000u);
  responder.service_load = load;
  const auto both = read_reply(responder.answer(request(two, kBoth)).value());
  ASSERT_TRUE(both && both->host && both->services[1].load);
  EXPECT_EQ(both->host->cpu_utilization, 9876);
}

TEST(ProbeWire, SectionsThatDoNotFitOrThatNobodyKnowsAreRefused) {
  const FakeResponder host{{key_of(1)}, {}};
  const std::vector<ProbedService> two = {service("203.0.113.10", 6, 80), service("203.0.113.10", 6, 81)};
  struct Case {
    const char* what;
    std::uint8_t asked, claimed, version;
    bool read;
  };
  for (const Case& c : {Case{"nothing", 0, 0, 2, true}, Case{"loads without room", 0, 1, 2, false},
                        Case{"the host without room", 0, 2, 2, false}, Case{"both in half", 1, 3, 2, false},
                        Case{"the host in the loads' room", 1, 2, 2, true}, Case{"unknown", 3, 4, 2, false},
                        Case{"loads in version 1", 3, 1, 1, false}, Case{"version 3", 0, 0, 3, false},
                        Case{"version 0", 0, 0, 0, false}}) {
    Bytes reply = host.answer(request(two, c.asked)).value();
    reply[kMessageAt] = c.version;
    reply[kMessageAt + offsetof(probe_header, sections)] = c.claimed;
    EXPECT_EQ(read_reply(reply).has_value(), c.read) << c.what;
  }
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
  EXPECT_EQ(reply->services[0].listener, Listener::kPresent);
  EXPECT_EQ(reply->services[1].listener, Listener::kAbsent);
  EXPECT_EQ(reply->services[2].listener, Listener::kUnknown);
  EXPECT_TRUE(is_authentic(key_of(1), bytes));
  EXPECT_FALSE(is_authentic(key_of(2), bytes));
  EXPECT_FALSE(read_reply(asked)) << "a request is no reply";
}

TEST(ProbeWire, NoFlippedBitIsBothReadAndAuthentic) {
  const FakeResponder host{{key_of(1)}, {}};
  const Bytes good = host.answer(request({service("203.0.113.10", 6, 80)}, kBoth)).value();
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Bytes wrong = good;
    wrong[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
    EXPECT_FALSE(read_reply(wrong) && is_authentic(key_of(1), wrong)) << "bit " << bit;
  }
}

TEST(ProbeWire, EveryTruncationIsRefused) {
  const FakeResponder host{{key_of(1)}, {}};
  const Bytes good = host.answer(request({service("203.0.113.10", 6, 80)}, kBoth)).value();
  for (std::size_t n = 0; n < good.size(); ++n)
    EXPECT_FALSE(read_reply(std::span(good).first(n))) << n << " bytes";
  Bytes longer = good;
  longer.resize(kMaxProbeDatagram + 1);
  EXPECT_FALSE(read_reply(longer));
}

}  // namespace
}  // namespace penstock
