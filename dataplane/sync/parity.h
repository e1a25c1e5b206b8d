// Reed-Solomon parity over groups of payloads (Cauchy matrix over GF(2^8), by ISA-L): of k payloads and m
// parity shards any k restore all. A payload becomes a shard by its size in front and zeros behind, up to the
// size of the group's largest. Any thread; a coder belongs to one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "penstock/base/result.h"

namespace penstock {

inline constexpr std::size_t kMaxDataShards = 32;
inline constexpr std::size_t kMaxParityShards = 16;
inline constexpr std::size_t kShardSizeBytes = 2;  // the payload's size in front of it

/// How many data datagrams are protected by how many parity datagrams.
struct GroupShape {
  std::uint8_t data = 10;
  std::uint8_t parity = 4;

  /// "10+4": 1-32 and 0-16.
  static Result<GroupShape> parse(const std::string& text);
};

class ParityCoder {
 public:
  using Shard = std::vector<std::byte>;

  /// The m parity shards of 1 to kMaxDataShards payloads; each is kShardSizeBytes longer than the longest.
  [[nodiscard]] std::vector<Shard> encode(std::span<const Shard> payloads, std::size_t m);

  /// Puts the missing payloads of a group (empty in `payloads`, which has k places) in their places. parity:
  /// m places, empty where missing. False where too few are there or they do not fit each other.
  [[nodiscard]] bool recover(std::span<Shard> payloads, std::span<const Shard> parity);

 private:
  using Tables = std::vector<unsigned char>;
  const Tables& encode_tables(std::size_t k, std::size_t m);

  std::map<std::pair<std::size_t, std::size_t>, Tables> tables_;
};

}  // namespace penstock
