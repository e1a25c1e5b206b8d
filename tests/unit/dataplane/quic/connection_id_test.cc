#include "dataplane/quic/connection_id.h"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/quic/hex.h"

namespace penstock {
namespace {

using quic_test::hex;
using quic_test::hex16;

struct Vector {
  const char* what;
  const char* key;  // null: in the clear
  const char* server_id;
  const char* nonce;
  const char* connection_id;
};

// draft-ietf-quic-load-balancers-21: appendix B, and the worked example of section 5.4.2. (The second
// vector of B.1 is not here: its printed nonce is half an octet short.)
constexpr const char* kDraftKey = "8f95f09245765f80256934e50c66207f";
constexpr Vector kVectors[] = {
    {"in the clear", nullptr, "c4605e", "4504cc4f", "07c4605e4504cc4f"},
    {"odd length, three rounds", kDraftKey, "ed793a", "ee080dbf", "0720b1d07b359d3c"},
    {"odd length, four rounds", kDraftKey, "ed793a51d49b8f5fab65", "ee080dbf48",
     "2fcc381bc74cb4fbad2823a3d1f8fed2"},
    {"one block", kDraftKey, "ed793a51d49b8f5f", "ee080dbf48c0d1e5", "504dd2d05a7b0de9b2b9907afb5ecf8cc3"},
    {"even length, three rounds", kDraftKey, "ed793a51d49b8f5fab", "ee080dbf48c0d1e55d",
     "125779c9cc86beb3a3a4a3ca96fce4bfe0cdbc"},
    {"worked example", "fdf726a9893ec05c0632d3956680baf0", "31441a", "9c69c275", "0767947d29be054a"},
};

QuicConfig config_of(const Vector& v) {
  QuicConfig config;
  config.server_id_length = static_cast<std::uint8_t>(hex(v.server_id).size());
  config.nonce_length = static_cast<std::uint8_t>(hex(v.nonce).size());
  if (v.key != nullptr) config.key = hex16(v.key);
  return config;
}

QuicServerId server_id(const std::vector<std::uint8_t>& octets) {
  QuicServerId id;
  std::ranges::copy(octets, id.octets.begin());
  id.octets.back() = static_cast<std::uint8_t>(octets.size());
  return id;
}

TEST(ConnectionIdReader, ReadsTheServerIdsOfTheDraftsVectors) {
  for (const Vector& v : kVectors) {
    QuicServerId found;
    ASSERT_TRUE(ConnectionIdReader(config_of(v)).read(hex(v.connection_id), found)) << v.what;
    EXPECT_EQ(found, server_id(hex(v.server_id))) << v.what;
  }
}

TEST(ConnectionIdReader, IgnoresWhatTheServerAppends) {
  for (const Vector& v : kVectors) {
    QuicServerId found;
    ASSERT_TRUE(ConnectionIdReader(config_of(v)).read(hex(std::string(v.connection_id) + "a5"), found));
    EXPECT_EQ(found, server_id(hex(v.server_id))) << v.what;
  }
}

TEST(ConnectionIdReader, RefusesEveryShorterId) {
  for (const Vector& v : kVectors) {
    const std::vector<std::uint8_t> whole = hex(v.connection_id);
    for (std::size_t length = 0; length < whole.size(); ++length) {
      QuicServerId found;
      EXPECT_FALSE(ConnectionIdReader(config_of(v)).read(std::span(whole).first(length), found))
          << v.what << " at " << length;
    }
  }
}

std::vector<std::uint8_t> found_in(const std::vector<std::uint8_t>& payload) {
  const auto id = destination_connection_id(payload);
  return {id.begin(), id.end()};
}

TEST(DestinationConnectionId, BeginsBehindTheFirstOctetOfAShortHeader) {
  EXPECT_EQ(found_in(hex("40a1a2a3")), hex("a1a2a3"));
  EXPECT_EQ(found_in(hex("00a1a2a3")), hex("a1a2a3")) << "the fixed bit may be greased (RFC 9287)";
  EXPECT_EQ(found_in(hex("40000102030405060708090a0b0c0d0e0f10111213141516")),
            hex("000102030405060708090a0b0c0d0e0f10111213"));
}

TEST(DestinationConnectionId, HasTheLengthThatALongHeaderSays) {
  EXPECT_EQ(found_in(hex("c00000000103a1a2a304b1b2b3b4")), hex("a1a2a3"));
  EXPECT_EQ(found_in(hex("800000000003a1a2a3")), hex("a1a2a3")) << "version negotiation: no different";
  EXPECT_EQ(found_in(hex("c0deadbeef03a1a2a3")), hex("a1a2a3")) << "a version of tomorrow";
}

TEST(DestinationConnectionId, IsEmptyIfThePayloadEndsBeforeIt) {
  const std::vector<std::uint8_t> whole = hex("c00000000114000102030405060708090a0b0c0d0e0f10111213");
  ASSERT_EQ(found_in(whole).size(), kMaxConnectionId);
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_TRUE(destination_connection_id(std::span(whole).first(length)).empty()) << length;
  }
  EXPECT_TRUE(found_in(hex("40")).empty());
}

TEST(DestinationConnectionId, IsNeverLongerThanTwentyOctets) {
  EXPECT_TRUE(found_in(hex("c00000000115000102030405060708090a0b0c0d0e0f1011121314")).empty());
  EXPECT_TRUE(found_in(hex("c000000001ff000102030405060708090a0b0c0d0e0f1011121314")).empty());
}

}  // namespace
}  // namespace penstock
