#include "dataplane/sync/datagram.h"

#include <gtest/gtest.h>

#include "tests/unit/dataplane/sync/seeded.h"

namespace penstock {
namespace {

DerivedKey key_of(std::uint8_t byte) {
  DerivedKey key;
  key.fill(byte);
  return key;
}

struct Sealed {
  std::array<std::byte, kMaxSyncDatagram> bytes;
  std::size_t size;
  [[nodiscard]] std::span<std::byte> span() { return std::span(bytes).first(size); }
};

Sealed sample(const SyncKey& key, std::size_t payload_bytes = 100) {
  DatagramHeader header;
  header.kind = DatagramKind::kData;
  header.k = 10;
  header.m = 4;
  header.index = 3;
  header.group = 77;
  header.session = 1;
  header.started_ns = 2;
  header.to_session = 3;
  header.sequence = 4;
  header.sent_ms = 5;
  const std::vector<std::byte> payload(payload_bytes, std::byte{0x5a});
  Sealed out;
  out.size = seal(header, payload, key, out.bytes);
  return out;
}

TEST(SyncDatagram, OpensAsItWasSealed) {
  const SyncKey key(key_of(1));
  Sealed sealed = sample(key, kMaxSyncPayload);
  EXPECT_EQ(sealed.size, kMaxSyncDatagram);
  OpenedDatagram opened;
  Refusal why{};
  ASSERT_TRUE(open(sealed.span(), key, opened, why));
  EXPECT_EQ(opened.header.kind, DatagramKind::kData);
  EXPECT_EQ(opened.header.index, 3);
  EXPECT_EQ(opened.header.group, 77U);
  EXPECT_EQ(opened.header.session, 1U);
  EXPECT_EQ(opened.header.started_ns, 2U);
  EXPECT_EQ(opened.header.to_session, 3U);
  EXPECT_EQ(opened.header.sequence, 4U);
  EXPECT_EQ(opened.header.sent_ms, 5U);
  EXPECT_EQ(opened.payload.size(), kMaxSyncPayload);
}

TEST(SyncDatagram, EveryFlippedBitIsRefused) {
  const SyncKey key(key_of(1));
  Sealed sealed = sample(key);
  OpenedDatagram opened;
  std::array<std::size_t, kRefusals> refused{};
  for (std::size_t bit = 0; bit < sealed.size * 8; ++bit) {
    sealed.bytes[bit / 8] ^= std::byte{1} << bit % 8;
    Refusal why{};
    ASSERT_FALSE(open(sealed.span(), key, opened, why)) << "bit " << bit;
    ++refused[static_cast<std::size_t>(why)];
    sealed.bytes[bit / 8] ^= std::byte{1} << bit % 8;
  }
  EXPECT_GE(refused[static_cast<std::size_t>(Refusal::kMalformed)], 800U) << "the payload by its CRC";
  EXPECT_GE(refused[static_cast<std::size_t>(Refusal::kAuthentication)], 128U);
}

TEST(SyncDatagram, EveryCutIsMalformed) {
  const SyncKey key(key_of(1));
  Sealed sealed = sample(key);
  OpenedDatagram opened;
  for (std::size_t size = 0; size < sealed.size; ++size) {
    Refusal why{};
    ASSERT_FALSE(open(sealed.span().first(size), key, opened, why)) << size;
    EXPECT_EQ(why, Refusal::kMalformed) << size;
  }
}

TEST(SyncDatagram, ThatAnotherKeySealedIsAForgery) {
  const SyncKey key(key_of(1)), other(key_of(2));
  Sealed sealed = sample(other);
  OpenedDatagram opened;
  Refusal why{};
  EXPECT_FALSE(open(sealed.span(), key, opened, why));
  EXPECT_EQ(why, Refusal::kAuthentication);
}

TEST(SyncDatagram, HeadersThatMakeNoSenseAreMalformedEvenWithTheKey) {
  const SyncKey key(key_of(1));
  const std::vector<std::byte> payload(10);
  const auto refused = [&](DatagramKind kind, std::uint8_t k, std::uint8_t m, std::uint8_t index,
                           std::size_t bytes) {
    DatagramHeader header;
    header.kind = kind;
    header.k = k;
    header.m = m;
    header.index = index;
    Sealed out;
    out.size = seal(header, std::span(payload).first(bytes), key, out.bytes);
    OpenedDatagram opened;
    Refusal why{};
    return !open(out.span(), key, opened, why) && why == Refusal::kMalformed;
  };
  EXPECT_FALSE(refused(DatagramKind::kData, 10, 4, 9, 10));
  EXPECT_TRUE(refused(DatagramKind::kData, 10, 4, 10, 10)) << "index";
  EXPECT_TRUE(refused(DatagramKind::kData, 0, 4, 0, 10)) << "k";
  EXPECT_TRUE(refused(DatagramKind::kData, 33, 4, 0, 10)) << "k";
  EXPECT_TRUE(refused(DatagramKind::kData, 10, 17, 0, 10)) << "m";
  EXPECT_TRUE(refused(DatagramKind::kData, 10, 4, 0, 0)) << "empty";
  EXPECT_TRUE(refused(DatagramKind::kParity, 10, 4, 9, 10)) << "a data index";
  EXPECT_TRUE(refused(DatagramKind::kParity, 10, 4, 14, 10)) << "beyond m";
  EXPECT_TRUE(refused(DatagramKind::kHello, 0, 0, 0, 1)) << "not empty";
  EXPECT_TRUE(refused(static_cast<DatagramKind>(9), 10, 4, 0, 10)) << "kind";
}

TEST(SyncDatagram, TheChecksumIsCastagnolis) {
  const char text[] = "123456789";  // the check value of CRC-32C
  EXPECT_EQ(crc32c(std::as_bytes(std::span(text, 9))), 0xe306'9283U);
}

}  // namespace
}  // namespace penstock
