#include "dataplane/dpdk/rss_steering.h"

#include <rte_errno.h>
#include <rte_thash.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace penstock {

namespace {

constexpr char kName[] = "penstock_nat";
constexpr std::size_t kTupleV4 = 4 + 4 + 2 + 2;
constexpr std::size_t kTupleV6 = 16 + 16 + 2 + 2;
constexpr std::size_t kLeastKey = kTupleV6 + 4;  // the hash of the last bit reads 32 bits of the key
constexpr std::uint32_t kPortBits = 16;

Error cannot(const RssShape& port, const std::string& why) {
  return invalid("nat_source",
                 "port " + port.port + " " + why +
                     ", so answers cannot be steered to the worker that translates them: give " +
                     "one CPU with --lcores");
}

Status check(const RssShape& port) {
  if (!port.by_ports) return cannot(port, "does not spread packets by TCP and UDP ports");
  if (port.table_entries < 4 || !std::has_single_bit(port.table_entries))
    return cannot(port, "has an indirection table of " + std::to_string(port.table_entries) + " entries");
  if (port.key_bytes < kLeastKey)
    return cannot(port, "takes RSS keys of " + std::to_string(port.key_bytes) + " bytes");
  return Ok{};
}

}  // namespace

class RssSteering::OfWorker final : public ReturnSteering {
 public:
  // entries: of the smallest table; below that number an entry means the same queue on every port.
  OfWorker(rte_thash_ctx* context, std::uint32_t entries, std::uint32_t queues, std::uint32_t worker)
      : context_(context),
        v4_(rte_thash_get_helper(context, "v4")),
        v6_(rte_thash_get_helper(context, "v6")),
        entries_(entries),
        queues_(queues),
        worker_(worker) {}

  void adjust(NatTuple& answer) const noexcept override {
    alignas(4) std::uint8_t tuple[kTupleV6];
    const std::size_t address = answer.address_bytes();
    std::memcpy(tuple, answer.source.data(), address);
    std::memcpy(tuple + address, answer.destination.data(), address);
    std::memcpy(tuple + 2 * address, &answer.source_port, 2);
    std::memcpy(tuple + 2 * address + 2, &answer.destination_port, 2);
    const auto length = static_cast<unsigned>(answer.v6 ? kTupleV6 : kTupleV4);
    rte_thash_adjust_tuple(context_, answer.v6 ? v6_ : v4_, tuple, length, entry_near(hash_of(tuple, length)),
                           1, nullptr, nullptr);
    std::memcpy(&answer.destination_port, tuple + 2 * address + 2, 2);
  }

 private:
  [[nodiscard]] std::uint32_t hash_of(const std::uint8_t* tuple, unsigned length) const noexcept {
    std::uint32_t words[kTupleV6 / 4];
    std::memcpy(words, tuple, length);
    for (unsigned i = 0; i < length / 4; ++i) words[i] = __builtin_bswap32(words[i]);
    return rte_softrss(words, length / 4, rte_thash_get_key(context_));
  }

  // Of the worker's entries one by the hash that the port has already: all of them are used, so that no port
  // is lost.
  [[nodiscard]] std::uint32_t entry_near(std::uint32_t hash) const noexcept {
    const std::uint32_t entry = hash % entries_;
    const std::uint32_t near = entry - entry % queues_ + worker_;
    return near < entries_ ? near : near - queues_;
  }

  rte_thash_ctx* context_;
  rte_thash_subtuple_helper* v4_;
  rte_thash_subtuple_helper* v6_;
  std::uint32_t entries_;
  std::uint32_t queues_;
  std::uint32_t worker_;
};

RssSteering::~RssSteering() {
  if (context_ != nullptr) rte_thash_free_ctx(context_);
}

Result<std::unique_ptr<RssSteering>> RssSteering::make(std::span<const RssShape> ports,
                                                       std::uint16_t queues) {
  std::unique_ptr<RssSteering> out(new RssSteering());
  out->key_bytes_ = kLeastKey;
  std::uint32_t entries = 4;
  std::uint32_t least = 1U << 16;
  for (const RssShape& port : ports) {
    if (auto checked = check(port); !checked) return checked.error();
    out->key_bytes_ = std::max<std::size_t>(out->key_bytes_, port.key_bytes);
    entries = std::max<std::uint32_t>(entries, port.table_entries);
    least = std::min<std::uint32_t>(least, port.table_entries);
    if (port.table_entries < queues) return cannot(port, "has fewer indirection entries than there are CPUs");
  }
  out->context_ = rte_thash_init_ctx(kName, static_cast<std::uint32_t>(out->key_bytes_),
                                     static_cast<std::uint32_t>(std::countr_zero(entries)), nullptr,
                                     RTE_THASH_IGNORE_PERIOD_OVERFLOW);
  const bool made = out->context_ != nullptr &&
                    rte_thash_add_helper(out->context_, "v4", kPortBits, 8 * (kTupleV4 - 2)) == 0 &&
                    rte_thash_add_helper(out->context_, "v6", kPortBits, 8 * (kTupleV6 - 2)) == 0;
  if (!made)
    return unavailable("no RSS key for NAT could be made (" + std::string(rte_strerror(rte_errno)) + ")");
  for (std::uint32_t worker = 0; worker < queues; ++worker)
    out->workers_.push_back(std::make_unique<OfWorker>(out->context_, least, queues, worker));
  return out;
}

std::span<const std::uint8_t> RssSteering::key(std::size_t bytes) const {
  return {rte_thash_get_key(context_), std::min(bytes, key_bytes_)};
}

}  // namespace penstock
