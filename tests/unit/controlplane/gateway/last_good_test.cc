#include "controlplane/gateway/last_good.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <string>

#include "eventually.h"

namespace penstock {
namespace {

using test::TempDir;
using ::testing::HasSubstr;

proto::GatewayDirective sample(std::uint64_t generation, int services = 2) {
  proto::GatewayDirective directive;
  directive.set_announce(true);
  auto* config = directive.mutable_config();
  config->set_epoch(7);
  config->set_generation(generation);
  config->set_hash_key(std::string(32, static_cast<char>(generation)));
  for (int i = 0; i < services; ++i) {
    auto* service = config->add_services();
    service->set_id("service-" + std::to_string(i));
    service->set_vip("203.0.113.10");
    service->set_port(static_cast<std::uint32_t>(1 + i % 65535));
  }
  return directive;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// CRC-32C bit by bit, as RFC 3720 defines it: reflected 0x1EDC6F41.
std::uint32_t slow_crc32c(const std::string& bytes) {
  std::uint32_t crc = 0xffffffffu;
  for (unsigned char byte : bytes) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
  }
  return ~crc;
}

std::uint32_t little_endian(const std::string& bytes, std::size_t at) {
  std::uint32_t value = 0;
  for (std::size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

TEST(LastGood, NothingWithoutAFile) {
  const TempDir dir;
  auto loaded = LastGood(dir.path()).load();
  ASSERT_TRUE(loaded);
  EXPECT_FALSE(loaded->has_value());
}

TEST(LastGood, ReturnsWhatWasSavedLast) {
  const TempDir dir;
  const LastGood file(dir.path());
  ASSERT_TRUE(file.save(sample(1)));
  ASSERT_TRUE(file.save(sample(2, 500)));
  auto loaded = file.load();
  ASSERT_TRUE(loaded);
  ASSERT_TRUE(loaded->has_value());
  EXPECT_EQ((*loaded)->SerializeAsString(), sample(2, 500).SerializeAsString());
}

TEST(LastGood, FileIsForTheOwnerOnly) {
  const TempDir dir;
  const LastGood file(dir.path());
  const mode_t before = umask(0);
  ASSERT_TRUE(file.save(sample(1)));
  umask(before);
  struct stat info {};
  ASSERT_EQ(stat(file.path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
}

TEST(LastGood, ChecksumIsTheOneOfRfc3720) {
  ASSERT_EQ(slow_crc32c(std::string(32, '\0')), 0x8a9136aau);  // RFC 3720, B.4
  const TempDir dir;
  const LastGood file(dir.path());
  ASSERT_TRUE(file.save(sample(1)));
  const std::string bytes = read_file(file.path());
  ASSERT_EQ(bytes.substr(0, 8), "PENSTOCK");
  const std::string covered = bytes.substr(8, 8) + bytes.substr(20);
  EXPECT_EQ(little_endian(bytes, 16), slow_crc32c(covered));
}

TEST(LastGood, TruncationAtEveryByteIsRefusedAndSetAside) {
  const TempDir dir;
  const LastGood file(dir.path());
  ASSERT_TRUE(file.save(sample(1)));
  const std::string whole = read_file(file.path());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    write_file(file.path(), whole.substr(0, size));
    auto loaded = file.load();
    ASSERT_FALSE(loaded) << size << " bytes were accepted";
    EXPECT_THAT(loaded.error().message, HasSubstr(file.path()));
    EXPECT_EQ(read_file(file.path() + ".refused").size(), size);
    EXPECT_NE(access(file.path().c_str(), F_OK), 0) << "the refused file is still in place";
  }
}

TEST(LastGood, EveryFlippedBitIsRefused) {
  const TempDir dir;
  const LastGood file(dir.path());
  ASSERT_TRUE(file.save(sample(1)));
  const std::string whole = read_file(file.path());
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    write_file(file.path(), damaged);
    EXPECT_FALSE(file.load()) << "bit " << bit << " does not matter";
  }
}

TEST(LastGood, TrailingBytesAreRefused) {
  const TempDir dir;
  const LastGood file(dir.path());
  ASSERT_TRUE(file.save(sample(1)));
  write_file(file.path(), read_file(file.path()) + "x");
  EXPECT_FALSE(file.load());
}

TEST(LastGood, KilledWriterLeavesAWholeFile) {
  const TempDir dir;
  const LastGood file(dir.path());
  ASSERT_TRUE(file.save(sample(1, 2000)));
  for (int round = 0; round < 20; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(pipe(pipe_ends), 0);
    const pid_t child = fork();
    if (child == 0) {
      for (std::uint64_t generation = 1;; ++generation) {
        if (!file.save(sample(generation, 2000)) || write(pipe_ends[1], "s", 1) != 1) _exit(1);
      }
    }
    // After a few writes, at a moment that differs from round to round.
    char token;
    for (int i = 0; i <= round % 3; ++i) ASSERT_EQ(read(pipe_ends[0], &token, 1), 1);
    usleep(static_cast<useconds_t>(round * 137 % 1500));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    close(pipe_ends[0]);
    close(pipe_ends[1]);
    auto loaded = file.load();
    ASSERT_TRUE(loaded) << loaded.error().text();
    ASSERT_TRUE(loaded->has_value());
    const auto generation = (*loaded)->config().generation();
    EXPECT_EQ((*loaded)->SerializeAsString(), sample(generation, 2000).SerializeAsString());
  }
}

TEST(LastGood, SaysWhichFolderCannotBeWritten) {
  auto status = LastGood("/proc/nowhere").save(sample(1));
  ASSERT_FALSE(status);
  EXPECT_THAT(status.error().message, HasSubstr("/proc/nowhere"));
}

}  // namespace
}  // namespace penstock
