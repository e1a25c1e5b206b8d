// Groups on both ends of one stream.
//
// The sender cuts a batch of payloads into groups of at most k, evenly, and sends them interleaved (first of
// each group, second of each, ..., then parity the same way), so that a burst of losses is shared among the
// groups. The receiver passes every payload on as it comes and restores what is missing as soon as any k of a
// group's datagrams are there.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "dataplane/sync/datagram.h"
#include "dataplane/sync/parity.h"

namespace penstock {

class GroupSender {
 public:
  /// header: kind, k, m, group and index are set.
  using Emit = std::function<void(const DatagramHeader& header, std::span<const std::byte> payload)>;

  explicit GroupSender(GroupShape shape) : shape_(shape) {}

  /// Each payload has 1 to kMaxSyncPayload - kShardSizeBytes bytes.
  void send(std::span<const ParityCoder::Shard> payloads, const Emit& emit);
  [[nodiscard]] const GroupShape& shape() const noexcept { return shape_; }

 private:
  const GroupShape shape_;
  ParityCoder coder_;
  std::uint32_t next_group_ = 0;
};

class GroupReceiver {
 public:
  using Deliver = std::function<void(std::span<const std::byte> payload)>;
  static constexpr std::size_t kGroups = 64;  // that are kept open, the latest ones

  /// Precondition: the header is one that open() lets pass, of kind kData or kParity, and comes once.
  void take(const DatagramHeader& header, std::span<const std::byte> payload, const Deliver& deliver);

  struct Counts {
    std::uint64_t recovered = 0;  // data datagrams restored from parity
    std::uint64_t groups = 0;     // of which a parity datagram told the shape
    std::uint64_t beyond = 0;     // of them, left behind with too few datagrams to be restored
  };
  [[nodiscard]] const Counts& counts() const noexcept { return counts_; }

 private:
  struct Group {
    bool used = false;
    bool done = false;
    std::uint32_t number = 0;
    std::uint8_t k = 0;  // 0: not known before a parity datagram comes
    std::uint8_t m = 0;
    std::size_t here = 0;
    std::array<ParityCoder::Shard, kMaxDataShards> data;
    std::array<ParityCoder::Shard, kMaxParityShards> parity;
  };
  Group* group_of(std::uint32_t number);
  void restore(Group& group, const Deliver& deliver);

  std::array<Group, kGroups> groups_;
  ParityCoder coder_;
  Counts counts_;
};

}  // namespace penstock
