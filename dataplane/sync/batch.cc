#include "dataplane/sync/batch.h"

#include <algorithm>
#include <array>
#include <utility>

#include "dataplane/sync/wire_bytes.h"

namespace penstock {

enum class BatchWriter::Op : std::uint8_t { kPut = 1, kEnd = 2, kContent = 3, kDigest = 4, kAsk = 5 };

namespace {

constexpr std::size_t kSectionHead = 4;  // op, type, count
constexpr std::size_t kContentHead = 16;
constexpr std::size_t kEntryHead = 9;  // key, size

using EntryBytes = std::vector<std::byte>;

EntryBytes record_entry(const SyncRecord& record) {
  EntryBytes bytes;
  bytes.reserve(kEntryHead + record.size);
  append_be(bytes, record.key);
  append_be(bytes, record.size);
  append_bytes(bytes, record.bytes());
  return bytes;
}

bool read_record(WireReader& in, SyncRecordType type, SyncRecord& out) {
  std::span<const std::byte> data;
  if (!in.read(out.key) || !in.read(out.size) || out.size > SyncRecord::kMaxBytes) return false;
  if (!in.read(out.size, data)) return false;
  out.type = type;
  std::copy(data.begin(), data.end(), out.data.begin());
  return true;
}

bool read_numbers(WireReader& in, std::size_t count, std::vector<std::uint32_t>& out) {
  if (in.left() < count * 4) return false;
  out.resize(count);
  return std::all_of(out.begin(), out.end(), [&](std::uint32_t& n) { return in.read(n); });
}

bool is_known(std::uint8_t type) {
  return type == static_cast<std::uint8_t>(SyncRecordType::kFlow) ||
         type == static_cast<std::uint8_t>(SyncRecordType::kNatSession);
}

}  // namespace

void BatchWriter::begin(Op op, SyncRecordType type, std::span<const std::byte> head) {
  // Wherever one entry of the largest kind would not fit any more, a new payload begins.
  constexpr std::size_t kLargest = kEntryHead + SyncRecord::kMaxBytes;
  if (payloads_.empty() ||
      payloads_.back().size() + kSectionHead + head.size() + kLargest > kMaxBatchPayload) {
    payloads_.emplace_back().reserve(kMaxBatchPayload);
  }
  auto& payload = payloads_.back();
  section_ = payload.size();
  append_be(payload, static_cast<std::uint8_t>(op));
  append_be(payload, static_cast<std::uint8_t>(type));
  append_be(payload, std::uint16_t{0});
  append_bytes(payload, head);
}

bool BatchWriter::room(Op op, SyncRecordType type, std::size_t entry) const noexcept {
  if (payloads_.empty()) return false;
  const auto& payload = payloads_.back();
  return payload[section_] == static_cast<std::byte>(op) &&
         payload[section_ + 1] == static_cast<std::byte>(type) && payload.size() + entry <= kMaxBatchPayload;
}

void BatchWriter::count_one() {
  std::byte* count = &payloads_.back()[section_ + 2];
  store_be(count, static_cast<std::uint16_t>(load_be<std::uint16_t>(count) + 1));
}

void BatchWriter::entry(std::span<const std::byte> bytes) {
  append_bytes(payloads_.back(), bytes);
  count_one();
}

void BatchWriter::put(const SyncRecord& record) {
  const EntryBytes bytes = record_entry(record);
  if (!room(Op::kPut, record.type, bytes.size())) begin(Op::kPut, record.type, {});
  entry(bytes);
}

void BatchWriter::end(SyncRecordType type, std::uint64_t key) {
  if (!room(Op::kEnd, type, sizeof key)) begin(Op::kEnd, type, {});
  EntryBytes bytes;
  append_be(bytes, key);
  entry(bytes);
}

void BatchWriter::digest(const RecordSet& set) {
  const unsigned bits = set.range_bits();
  bool open = false;
  for (std::uint32_t range = 0; range < 1U << bits; ++range) {
    if (!open || !room(Op::kDigest, set.type(), sizeof range)) {
      EntryBytes head;
      append_be(head, static_cast<std::uint8_t>(bits));
      append_be(head, range);
      begin(Op::kDigest, set.type(), head);
      open = true;
    }
    EntryBytes bytes;
    append_be(bytes, set.checksum(bits, range));
    entry(bytes);
  }
}

void BatchWriter::ask(SyncRecordType type, unsigned bits, std::uint32_t range) {
  if (!room(Op::kAsk, type, sizeof range) || open_bits_ != bits) {
    EntryBytes head;
    append_be(head, static_cast<std::uint8_t>(bits));
    begin(Op::kAsk, type, head);
    open_bits_ = bits;
  }
  EntryBytes bytes;
  append_be(bytes, range);
  entry(bytes);
}

std::size_t BatchWriter::content(const RecordSet& set, unsigned bits, std::size_t range) {
  std::uint64_t low = bits == 0 ? 0 : std::uint64_t{range} << (64 - bits);
  const std::uint64_t end = low | (bits == 0 ? UINT64_MAX : UINT64_MAX >> bits);
  std::vector<std::pair<std::uint64_t, EntryBytes>> entries;
  set.for_each_in(low, end, [&](const SyncRecord& record) {
    entries.emplace_back(RecordSet::mix(record.key), record_entry(record));
  });
  std::sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (std::size_t i = 0;;) {
    std::array<std::byte, kContentHead> head{};
    store_be(head.data(), low);
    begin(Op::kContent, set.type(), head);
    while (i < entries.size() && room(Op::kContent, set.type(), entries[i].second.size())) {
      entry(entries[i++].second);
    }
    // What a section covers ends at its last entry, so that each section stands for itself.
    const std::uint64_t high = i == entries.size() ? end : entries[i - 1].first;
    store_be(&payloads_.back()[section_ + kSectionHead + 8], high);
    if (i == entries.size()) return i;
    low = high + 1;
  }
}

std::vector<ParityCoder::Shard> BatchWriter::take() { return std::exchange(payloads_, {}); }

bool BatchReader::read(std::span<const std::byte> payload) {
  WireReader in(payload);
  while (!in.done()) {
    if (!read_section(in)) return false;
  }
  return true;
}

// One branch per op; the largest sections hold what fits a datagram, so nothing here grows.
bool BatchReader::read_section(WireReader& in) {
  std::uint8_t op = 0, type_byte = 0, bits = 0;
  std::uint16_t count = 0;
  std::uint32_t first = 0;
  std::uint64_t key = 0, low = 0, high = 0;
  if (!in.read(op) || !in.read(type_byte) || !in.read(count) || !is_known(type_byte)) return false;
  const auto type = static_cast<SyncRecordType>(type_byte);
  std::vector<SyncRecord> records;
  std::vector<std::uint32_t> numbers;
  switch (op) {
    case 1:
      for (SyncRecord record; count > 0; --count) {
        if (!read_record(in, type, record)) return false;
        on_put(record);
      }
      return true;
    case 2:
      for (; count > 0; --count) {
        if (!in.read(key)) return false;
        on_end(type, key);
      }
      return true;
    case 3:
      if (!in.read(low) || !in.read(high) || low > high || count > in.left() / kEntryHead) return false;
      records.resize(count);
      for (auto& record : records) {
        const bool whole = read_record(in, type, record);
        if (!whole || RecordSet::mix(record.key) < low || RecordSet::mix(record.key) > high) return false;
      }
      on_content(type, low, high, records);
      return true;
    case 4:
      if (!in.read(bits) || bits > RecordSet::kMaxRangeBits || !in.read(first)) return false;
      if (std::uint64_t{first} + count > std::uint64_t{1} << bits || !read_numbers(in, count, numbers))
        return false;
      on_digest(type, bits, first, numbers);
      return true;
    case 5:
      if (!in.read(bits) || bits > RecordSet::kMaxRangeBits || !read_numbers(in, count, numbers))
        return false;
      if (std::any_of(numbers.begin(), numbers.end(), [&](std::uint32_t n) { return n >> bits != 0; }))
        return false;
      on_ask(type, bits, numbers);
      return true;
    default:
      return false;
  }
}

}  // namespace penstock
