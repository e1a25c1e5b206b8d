#include "dataplane/sync/snapshot_stream.h"

#include <isa-l/igzip_lib.h>

#include <algorithm>

#include "dataplane/sync/wire_bytes.h"

namespace penstock {
namespace {

constexpr std::uint32_t kRequestMagic = 0x5053'4e51;  // "PSNQ"
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kChunkHead = 20;
constexpr std::size_t kChunkBytes = std::size_t{64} << 10;
constexpr std::size_t kLargestEntry = 10 + SyncRecord::kMaxBytes;
// What does not compress is stored in blocks with a few bytes each.
constexpr std::size_t kMaxCompressed = kChunkBytes + kChunkBytes / 8;

std::vector<std::byte> compress(std::span<std::byte> bytes) {
  std::vector<std::byte> out(kMaxCompressed);
  std::vector<std::uint8_t> work(ISAL_DEF_LVL1_DEFAULT);
  isal_zstream stream;
  isal_deflate_stateless_init(&stream);
  stream.level = 1;
  stream.level_buf = work.data();
  stream.level_buf_size = static_cast<std::uint32_t>(work.size());
  stream.next_in = reinterpret_cast<std::uint8_t*>(bytes.data());
  stream.avail_in = static_cast<std::uint32_t>(bytes.size());
  stream.next_out = reinterpret_cast<std::uint8_t*>(out.data());
  stream.avail_out = static_cast<std::uint32_t>(out.size());
  stream.end_of_stream = 1;
  stream.flush = NO_FLUSH;
  isal_deflate_stateless(&stream);
  out.resize(stream.total_out);
  return out;
}

/// False unless exactly `out` is what comes out.
bool decompress(std::span<std::byte> bytes, std::span<std::byte> out) {
  inflate_state state;
  isal_inflate_init(&state);
  state.next_in = reinterpret_cast<std::uint8_t*>(bytes.data());
  state.avail_in = static_cast<std::uint32_t>(bytes.size());
  state.next_out = reinterpret_cast<std::uint8_t*>(out.data());
  state.avail_out = static_cast<std::uint32_t>(out.size());
  return isal_inflate_stateless(&state) == ISAL_DECOMP_OK && state.total_out == out.size();
}

SyncMac chunk_mac(const SyncKey& key, const SnapshotNonce& nonce, std::span<const std::byte> chunk) {
  return key.mac(nonce, chunk);
}

}  // namespace

std::vector<std::byte> write_request(const SnapshotRequest& request, const SyncKey& key) {
  std::vector<std::byte> out;
  append_be(out, kRequestMagic);
  append_be(out, std::uint32_t{kVersion} << 24);
  append_bytes(out, request.nonce);
  append_be(out, request.sent_ms);
  const SyncMac mac = key.mac(out);
  append_bytes(out, mac);
  return out;
}

bool read_request(std::span<const std::byte> bytes, const SyncKey& key, SnapshotRequest& out, Refusal& why) {
  why = Refusal::kMalformed;
  if (bytes.size() != kSnapshotRequestBytes || load_be<std::uint32_t>(bytes.data()) != kRequestMagic ||
      load_be<std::uint32_t>(bytes.data() + 4) != std::uint32_t{kVersion} << 24) {
    return false;
  }
  std::copy_n(bytes.begin() + 8, kSnapshotNonceBytes, out.nonce.begin());
  out.sent_ms = load_be<std::uint64_t>(bytes.data() + 8 + kSnapshotNonceBytes);
  why = Refusal::kAuthentication;
  return SyncKey::equal(key.mac(bytes.first(bytes.size() - kSyncMacBytes)), bytes.last(kSyncMacBytes));
}

void SnapshotWriter::add(const SyncRecord& record) {
  append_be(chunk_, static_cast<std::uint8_t>(record.type));
  append_be(chunk_, record.key);
  append_be(chunk_, record.size);
  append_bytes(chunk_, record.bytes());
  ++records_;
  if (chunk_.size() + kLargestEntry > kChunkBytes) write_chunk(false);
}

void SnapshotWriter::write_chunk(bool last) {
  const auto compressed = compress(chunk_);
  const std::size_t begin = out_.size();
  append_be(out_, index_++);
  append_be(out_, static_cast<std::uint32_t>(compressed.size()));
  append_be(out_, static_cast<std::uint32_t>(chunk_.size()));
  append_be(out_, crc32c(chunk_));
  append_be(out_, std::uint32_t{last ? 1U : 0U} << 24);
  append_bytes(out_, compressed);
  append_bytes(out_, chunk_mac(key_, nonce_, std::span(out_).subspan(begin)));
  chunk_.clear();
}

std::vector<std::byte> SnapshotWriter::finish() {
  write_chunk(true);
  return std::move(out_);
}

SnapshotReader::Verdict SnapshotReader::feed(std::span<const std::byte> bytes, const Tell& tell) {
  while (true) {
    // Never more than one chunk is kept.
    std::size_t wanted = kChunkHead;
    if (buffer_.size() >= kChunkHead) {
      const std::size_t compressed = load_be<std::uint32_t>(buffer_.data() + 4);
      if (compressed > kMaxCompressed || load_be<std::uint32_t>(buffer_.data() + 8) > kChunkBytes ||
          load_be<std::uint32_t>(buffer_.data()) != index_) {
        return Verdict::kMalformed;
      }
      wanted += compressed + kSyncMacBytes;
      if (buffer_.size() == wanted) {
        const Verdict verdict = read_chunk(compressed, tell);
        if (verdict == Verdict::kDone && !bytes.empty()) return Verdict::kMalformed;
        if (verdict != Verdict::kMore) return verdict;
        buffer_.clear();
        ++index_;
        continue;
      }
    }
    if (bytes.empty()) return Verdict::kMore;
    const std::size_t taken = std::min(wanted - buffer_.size(), bytes.size());
    append_bytes(buffer_, bytes.first(taken));
    bytes = bytes.subspan(taken);
  }
}

SnapshotReader::Verdict SnapshotReader::read_chunk(std::size_t compressed, const Tell& tell) {
  const auto chunk = std::span(buffer_).first(kChunkHead + compressed);
  if (!SyncKey::equal(chunk_mac(key_, nonce_, chunk), std::span(buffer_).last(kSyncMacBytes)))
    return Verdict::kForged;
  std::vector<std::byte> bytes(load_be<std::uint32_t>(buffer_.data() + 8));
  if (!decompress(chunk.subspan(kChunkHead), bytes)) return Verdict::kMalformed;
  if (crc32c(bytes) != load_be<std::uint32_t>(buffer_.data() + 12)) return Verdict::kMalformed;
  if (!read_entries(bytes, tell)) return Verdict::kMalformed;
  return buffer_[16] == std::byte{1} ? Verdict::kDone : Verdict::kMore;
}

bool SnapshotReader::read_entries(std::span<const std::byte> bytes, const Tell& tell) {
  WireReader in(bytes);
  while (!in.done()) {
    SyncRecord record;
    std::uint8_t type = 0;
    std::span<const std::byte> data;
    if (!in.read(type) || !in.read(record.key) || !in.read(record.size)) return false;
    if (type < 1 || type > 2 || record.size > SyncRecord::kMaxBytes || !in.read(record.size, data))
      return false;
    if (++records_ > limit_) return false;
    record.type = static_cast<SyncRecordType>(type);
    std::copy(data.begin(), data.end(), record.data.begin());
    tell(record);
  }
  return true;
}

}  // namespace penstock
