#include "dataplane/restart/index_register.h"

#include <algorithm>
#include <random>

#include "tests/unit/dataplane/restart/kept_folder.h"

namespace penstock {
namespace {

IndexPool pool_of(const std::vector<std::string>& names) {
  IndexPool pool(1000);
  for (const auto& name : names) EXPECT_TRUE(pool.claim(name).has_value());
  pool.commit();
  return pool;
}

std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

TEST(IndexRegister, ReadsWhatWasWritten) {
  IndexPool pool = pool_of({"web\nbe1\n10.0.0.1", "web\nbe2\n10.0.0.2", ""});
  pool.retire("web\nbe1\n10.0.0.1", Nanoseconds::from_seconds(100));
  const auto read = decode_register(bytes_of(encode_register(42, 3, pool)));
  ASSERT_TRUE(read.ok()) << read.error().text();
  EXPECT_EQ((*read).id, 42U);
  EXPECT_EQ((*read).workers, 3U);
  auto names = (*read).names;
  std::ranges::sort(names, {}, &NamedIndex::index);
  EXPECT_EQ(names, (std::vector<NamedIndex>{{"web\nbe1\n10.0.0.1", 0}, {"web\nbe2\n10.0.0.2", 1}, {"", 2}}));
}

TEST(IndexRegister, PaddingBehindItIsNoMatterAndEveryOtherChangeIsSeen) {
  const std::string good = encode_register(42, 3, pool_of({"a", "bb", "ccc"}));
  EXPECT_TRUE(decode_register(bytes_of(good + std::string(4096, '\0'))).ok());
  for (std::size_t length = 0; length < good.size(); ++length)
    EXPECT_FALSE(decode_register(bytes_of(good.substr(0, length))).ok()) << length;
  for (std::size_t at = 0; at < good.size(); ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 0x10);
    EXPECT_FALSE(decode_register(bytes_of(bad)).ok()) << at;
  }
}

TEST(IndexRegister, SaysWhichVersionItDoesNotKnow) {
  std::string other = encode_register(42, 3, pool_of({"a"}));
  other[8] = 9;
  const auto read = decode_register(bytes_of(other));
  ASSERT_FALSE(read.ok());
  EXPECT_EQ(read.error().message, "the register of backends has version 9, this program writes 1");
}

TEST(IndexRegister, IsReplacedAsAWhole) {
  const KeptFolder parent;
  const auto folder = MemoryFolder::open(parent.path(), "gw");
  ASSERT_TRUE(folder.ok());
  EXPECT_EQ(read_register(*folder).error().code, ErrorCode::kNotFound);
  ASSERT_TRUE(write_register(*folder, encode_register(1, 1, pool_of({"a"}))).ok());
  ASSERT_TRUE(write_register(*folder, encode_register(2, 1, pool_of({"a", "b"}))).ok());
  const auto read = read_register(*folder);
  ASSERT_TRUE(read.ok());
  EXPECT_EQ((*read).id, 2U);
  EXPECT_EQ((*read).names.size(), 2U);
  EXPECT_FALSE(std::filesystem::exists(folder.value().file("backends.new")));
}

TEST(IndexRegister, WhatCannotBeWrittenTakesTheOldOneAway) {
  const KeptFolder parent;
  const auto folder = MemoryFolder::open(parent.path(), "gw");
  ASSERT_TRUE(folder.ok());
  ASSERT_TRUE(write_register(*folder, encode_register(1, 1, pool_of({"a"}))).ok());
  // A folder of that name is in the way.
  std::filesystem::create_directories(folder.value().file("backends.new") + "/x");
  EXPECT_FALSE(write_register(*folder, encode_register(1, 1, pool_of({"b"}))).ok());
  EXPECT_EQ(read_register(*folder).error().code, ErrorCode::kNotFound);
}

TEST(IndexPoolRestore, NamesFindTheirOwnIndexAndOthersNeverGetItBeforeTime) {
  IndexPool pool(4);
  const std::vector<NamedIndex> kept{{"a", 2}, {"b", 0}};
  ASSERT_TRUE(pool.restore(kept, Nanoseconds::from_seconds(50)));
  EXPECT_EQ(pool.quarantined(), 2U);
  EXPECT_EQ(pool.bound(), 3U);
  EXPECT_EQ(pool.claim("a"), 2U);
  EXPECT_EQ(pool.claim("new"), 1U);
  EXPECT_EQ(pool.claim("newer"), 3U);
  EXPECT_EQ(pool.claim("newest"), std::nullopt);
  EXPECT_EQ(pool.commit(), (std::vector<std::uint32_t>{1, 3}));
  pool.advance(Nanoseconds::from_seconds(49));
  EXPECT_EQ(pool.claim("newest"), std::nullopt);
  pool.advance(Nanoseconds::from_seconds(50));
  EXPECT_EQ(pool.claim("newest"), 0U) << "b did not come back in time, a did";
}

TEST(IndexPoolRestore, ContradictionsAreRefused) {
  const std::vector<std::vector<NamedIndex>> bad{
      {{"a", 1}, {"b", 1}}, {{"a", 1}, {"a", 2}}, {{"a", 4}}, {{"a", UINT32_MAX}}};
  for (const auto& names : bad) {
    IndexPool pool(4);
    EXPECT_FALSE(pool.restore(names, {}));
    EXPECT_EQ(pool.bound(), 0U);
  }
}

TEST(IndexPoolVersion, GrowsWithNewNamesOnly) {
  IndexPool pool = pool_of({"a", "b"});
  const auto before = pool.version();
  ASSERT_TRUE(pool.claim("a").has_value());
  pool.commit();
  pool.retire("a", Nanoseconds::from_seconds(9));
  ASSERT_TRUE(pool.claim("a").has_value());
  pool.commit();
  ASSERT_TRUE(pool.claim("c").has_value());
  pool.roll_back();
  EXPECT_EQ(pool.version(), before);
  ASSERT_TRUE(pool.claim("c").has_value());
  pool.commit();
  EXPECT_GT(pool.version(), before);
}

}  // namespace
}  // namespace penstock
