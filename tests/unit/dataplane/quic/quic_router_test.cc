#include "dataplane/quic/quic_router.h"

#include <gtest/gtest.h>

#include <iostream>
#include <memory>
#include <random>

#include "tests/unit/dataplane/quic/hex.h"

namespace penstock {
namespace {

using quic_test::hex;
using quic_test::hex16;
using Octets = std::vector<std::uint8_t>;

constexpr const char* kKey = "8f95f09245765f80256934e50c66207f";

const QuicConfig kClear{0, 3, 4, std::nullopt};
const QuicConfig kEncrypted{2, 8, 8, hex16(kKey)};
const Octets kClearServer = hex("c4605e");
const Octets kEncryptedServer = hex("ed793a51d49b8f5f");
// draft-ietf-quic-load-balancers-21, appendix B
const Octets kClearId = hex("07c4605e4504cc4f");
const Octets kEncryptedId = hex("504dd2d05a7b0de9b2b9907afb5ecf8cc3");

QuicRouter router(const std::vector<QuicConfig>& configs, const std::vector<QuicServer>& servers) {
  auto built = QuicRouter::build(configs, servers);
  EXPECT_TRUE(built) << (built ? "" : built.error().text());
  return std::move(*built);
}

QuicRouter both() { return router({kClear, kEncrypted}, {{kClearServer, 11}, {kEncryptedServer, 22}}); }

Octets short_header(const Octets& id, std::size_t behind = 30) {
  Octets out{0x41};
  out.insert(out.end(), id.begin(), id.end());
  out.resize(out.size() + behind, 0x5a);
  return out;
}

Octets long_header(const Octets& id, std::uint8_t first = 0xc3, std::uint32_t version = 1) {
  Octets out{first};
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(version >> shift));
  out.push_back(static_cast<std::uint8_t>(id.size()));
  out.insert(out.end(), id.begin(), id.end());
  for (const std::uint8_t octet : hex("08a1a2a3a4a5a6a7a8005a5a5a5a")) out.push_back(octet);
  return out;
}

TEST(QuicRouter, FollowsTheConnectionIdInEveryKindOfHeader) {
  const QuicRouter quic = both();
  EXPECT_EQ(quic.route(short_header(kClearId)), 11U);
  EXPECT_EQ(quic.route(short_header(kEncryptedId)), 22U);
  for (const std::uint8_t first : {0xc0, 0xd0, 0xe0, 0xf0, 0x80}) {  // Initial, 0-RTT, Handshake, Retry, any
    EXPECT_EQ(quic.route(long_header(kClearId, first)), 11U);
    EXPECT_EQ(quic.route(long_header(kEncryptedId, first)), 22U);
  }
  EXPECT_EQ(quic.route(long_header(kClearId, 0xc0, 0)), 11U) << "version negotiation";
  EXPECT_EQ(quic.route(long_header(kClearId, 0xc0, 0x6b3343cf)), 11U) << "version 2";
}

TEST(QuicRouter, GivesUnroutableIdsToNobody) {
  const QuicRouter quic = both();
  Octets id = kClearId;
  for (unsigned rotation = 1; rotation < 8; ++rotation) {
    id[0] = static_cast<std::uint8_t>(rotation << 5 | 7);
    EXPECT_EQ(quic.route(short_header(id, 0)), kNoBackend) << rotation;
    EXPECT_EQ(quic.route(long_header(id)), kNoBackend) << rotation;
  }
  EXPECT_EQ(quic.route(short_header(hex("07c4605f4504cc4f"))), kNoBackend) << "a server that is none of ours";
  EXPECT_EQ(quic.route(long_header({})), kNoBackend) << "a client without a destination ID";
}

TEST(QuicRouter, IgnoresTheLengthBitsOfTheFirstOctet) {
  const QuicRouter quic = both();
  Octets id = kEncryptedId;
  for (unsigned low = 0; low < 32; ++low) {
    id[0] = static_cast<std::uint8_t>(0x40 | low);
    EXPECT_EQ(quic.route(short_header(id)), 22U) << low;
  }
}

// Each payload is an allocation of its own: the sanitizer run sees any read behind it.
TEST(QuicRouter, IsSafeAndUnroutableAtEveryTruncation) {
  const QuicRouter quic = both();
  const auto cut = [&](const Octets& whole, std::size_t needed, BackendIndex backend) {
    for (std::size_t length = 0; length <= whole.size(); ++length) {
      const auto bytes = std::make_unique<std::uint8_t[]>(length);
      std::copy_n(whole.begin(), length, bytes.get());
      EXPECT_EQ(quic.route({bytes.get(), length}), length < needed ? kNoBackend : backend) << length;
    }
  };
  cut(short_header(kClearId), 1 + kClearId.size(), 11);
  cut(short_header(kEncryptedId), 1 + kEncryptedId.size(), 22);
  cut(long_header(kClearId), 6 + kClearId.size(), 11);
  cut(long_header(kEncryptedId), 6 + kEncryptedId.size(), 22);
}

TEST(QuicRouter, TellsServerIdsFromTheirOwnPrefixes) {
  const QuicConfig three{0, 3, 5, std::nullopt}, four{1, 4, 4, std::nullopt};
  const Octets shorter = hex("aabb00"), longer = hex("aabb0000");
  const QuicRouter quic = router({three, four}, {{shorter, 1}, {longer, 2}});
  EXPECT_EQ(quic.route(short_header(hex("00aabb000000000000"))), 1U);
  EXPECT_EQ(quic.route(short_header(hex("20aabb000000000000"))), 2U);
}

// Section 3.1: the new configuration reaches the balancer before the servers, and the old one stays until its
// connections have moved.
TEST(QuicRouter, LosesNoConnectionWhileConfigurationsRotate) {
  const QuicConfig old_config{0, 3, 4, hex16(kKey)};
  const QuicConfig new_config{5, 3, 4, hex16("fdf726a9893ec05c0632d3956680baf0")};
  const Octets server = hex("ed793a"), other = hex("31441a");
  const std::vector<QuicServer> servers{{server, 1}, {other, 2}};
  const Octets old_id = hex("0720b1d07b359d3c");  // server ed793a under the old key
  const Octets new_id = hex("a767947d29be054a");  // server 31441a under the new key

  const QuicRouter before = router({old_config}, servers);
  EXPECT_EQ(before.route(short_header(old_id)), 1U);
  EXPECT_EQ(before.route(short_header(new_id)), kNoBackend);
  const QuicRouter during = router({new_config, old_config}, servers);
  EXPECT_EQ(during.route(short_header(old_id)), 1U);
  EXPECT_EQ(during.route(short_header(new_id)), 2U);
  const QuicRouter after = router({new_config}, servers);
  EXPECT_EQ(after.route(short_header(new_id)), 2U);
  EXPECT_EQ(after.route(short_header(old_id)), kNoBackend);
}

TEST(QuicRouter, FindsEachOfManyServersAndNoOther) {
  const std::uint64_t seed = std::random_device{}();
  std::cout << "seed " << seed << "\n";
  std::mt19937_64 random(seed);
  std::vector<Octets> ids(10'000);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ids[i] = {static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i), 0x01,
              static_cast<std::uint8_t>(random())};
  }
  std::vector<QuicServer> servers;
  for (std::size_t i = 0; i < ids.size(); ++i) servers.push_back({ids[i], static_cast<BackendIndex>(i)});
  const QuicRouter quic = router({{0, 4, 6, std::nullopt}}, servers);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    Octets id{0};
    id.insert(id.end(), ids[i].begin(), ids[i].end());
    id.resize(11, static_cast<std::uint8_t>(random()));
    ASSERT_EQ(quic.route(short_header(id)), i);
    id[3] = 0x02;
    ASSERT_EQ(quic.route(short_header(id)), kNoBackend);
  }
}

TEST(QuicRouter, RefusesConfigurationsThatCannotBe) {
  const auto field = [](const std::vector<QuicConfig>& configs, const std::vector<QuicServer>& servers = {}) {
    auto built = QuicRouter::build(configs, servers);
    return built ? std::string("accepted") : built.error().field;
  };
  EXPECT_EQ(field({}), "quic.configs");
  EXPECT_EQ(field({{7, 3, 4, {}}}), "quic.configs[0].rotation");
  EXPECT_EQ(field({{0, 3, 4, {}}, {0, 4, 4, {}}}), "quic.configs[1].rotation");
  EXPECT_EQ(field({{0, 0, 4, {}}}), "quic.configs[0].server_id_length");
  EXPECT_EQ(field({{0, 16, 4, {}}}), "quic.configs[0].server_id_length");
  EXPECT_EQ(field({{0, 3, 3, {}}}), "quic.configs[0].nonce_length");
  EXPECT_EQ(field({{0, 15, 5, {}}}), "quic.configs[0].nonce_length");
  EXPECT_EQ(field({{0, 15, 4, {}}, {1, 1, 18, {}}}), "accepted");
  EXPECT_EQ(field({kClear}, {{{}, 1}}), "backends[0].quic_server_id");
  const Octets too_long(16), twice(3);
  EXPECT_EQ(field({kClear}, {{too_long, 1}}), "backends[0].quic_server_id");
  EXPECT_EQ(field({kClear}, {{twice, 1}, {twice, 2}}), "backends[1].quic_server_id");
}

}  // namespace
}  // namespace penstock
