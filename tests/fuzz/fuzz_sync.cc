// Replication: datagrams and snapshots of peers. Input: one byte, then
//   0 a datagram as it came: refused, unless the fuzzer has found the key
//   1 datagrams that a peer with the key sealed: pieces of {kind, k, m, index, group, length (2), payload}
//   2 a snapshot as it came, in two parts
//   3 the bytes of a snapshot's chunk, which a peer with the key compressed (as a stored block)
//   4 what a peer with the key gave for the compressed bytes of a chunk
// The engine lives through all inputs; what it was told is bounded, whatever comes.
#include <array>
#include <map>
#include <vector>

#include "dataplane/sync/snapshot_stream.h"
#include "dataplane/sync/sync_engine.h"
#include "dataplane/sync/wire_bytes.h"
#include "tests/fuzz/input.h"

namespace penstock::fuzz {
namespace {

constexpr std::size_t kCapacity = 2000;
constexpr std::uint64_t kSession = 11, kPeerSession = 22, kWallMs = 1'700'000'000'000;
constexpr SnapshotNonce kNonce{std::byte{5}};

DerivedKey key_bytes() {
  DerivedKey key;
  key.fill(9);
  return key;
}

class Sink final : public SyncSink {
 public:
  [[nodiscard]] SyncRecordType type() const noexcept override { return SyncRecordType::kFlow; }
  bool put(const SyncRecord& record, std::uint8_t, Nanoseconds) override {
    require(record.type == type() && record.size <= SyncRecord::kMaxBytes, "a sink gets records of its type");
    known_[record.key] = record;
    require(known_.size() <= kCapacity, "a peer cannot tell more than the capacity");
    return true;
  }
  void erase(std::uint64_t key, std::uint8_t) override { known_.erase(key); }
  void collect(const std::function<void(const SyncRecord&)>& tell) override {
    for (const auto& [key, record] : known_) tell(record);
  }

 private:
  std::map<std::uint64_t, SyncRecord> known_;
};

class World {
 public:
  World()
      : key_(key_bytes()),
        engine_(settings(), kSession, kWallMs * 1'000'000, {}, {&sink_}, [](auto&, auto) {}) {
    engine_.set_key(key_bytes());
    engine_.set_peers({{"gw2", peer_}});
  }

  void receive(std::span<const std::byte> datagram) {
    now_ = now_ + Nanoseconds::from_millis(1);
    engine_.receive(peer_, datagram, {now_, kWallMs});
    if (++received_ % 16 == 0) engine_.tick({now_, kWallMs});
  }
  void receive_sealed(Input& in) {
    while (!in.empty()) {
      DatagramHeader header;
      header.kind = static_cast<DatagramKind>(in.u8() % 4);
      header.k = in.u8();
      header.m = in.u8();
      header.index = in.u8();
      header.group = in.u8();
      header.session = kPeerSession;
      header.started_ns = 1;
      header.to_session = kSession;
      header.sequence = ++sequence_;
      header.sent_ms = kWallMs;
      const auto payload = std::as_bytes(in.bytes(in.u16() % (kMaxSyncPayload + 1)));
      std::array<std::byte, kMaxSyncDatagram> out;
      receive(std::span(out).first(seal(header, payload, key_, out)));
    }
  }
  [[nodiscard]] const SyncKey& key() const { return key_; }

 private:
  static SyncSettings settings() {
    SyncSettings out;
    out.capacity = kCapacity;
    return out;
  }

  const SyncAddress peer_{IpAddr(Ipv4Addr{{192, 0, 2, 2}}), 6082};
  const SyncKey key_;
  Sink sink_;
  SyncEngine engine_;
  Nanoseconds now_ = Nanoseconds::from_seconds(100);
  std::uint64_t sequence_ = 0, received_ = 0;
};

void read_snapshot(const World& world, std::span<const std::byte> bytes, std::size_t cut) {
  SnapshotReader reader(kNonce, world.key(), kCapacity);
  std::size_t told = 0;
  const auto tell = [&](const SyncRecord& record) {
    require(record.size <= SyncRecord::kMaxBytes, "records have their size");
    require(++told <= kCapacity, "no more records than the limit");
  };
  const auto verdict = reader.feed(bytes.first(cut), tell);
  if (verdict == SnapshotReader::Verdict::kMore) static_cast<void>(reader.feed(bytes.subspan(cut), tell));
}

void read_chunk(const World& world, std::span<const std::byte> compressed, std::uint32_t size,
                std::uint32_t crc) {
  std::vector<std::byte> chunk;
  append_be(chunk, std::uint32_t{0});
  append_be(chunk, static_cast<std::uint32_t>(compressed.size()));
  append_be(chunk, size);
  append_be(chunk, crc);
  append_be(chunk, std::uint32_t{1} << 24);
  append_bytes(chunk, compressed);
  append_bytes(chunk, world.key().mac(kNonce, chunk));
  read_snapshot(world, chunk, chunk.size() / 2);
}

std::vector<std::byte> stored_block(std::span<const std::byte> bytes) {
  const auto size = static_cast<std::uint16_t>(bytes.size());
  std::vector<std::byte> out{std::byte{1}};  // the last block, stored (RFC 1951, 3.2.4)
  append_be(out, static_cast<std::uint16_t>(__builtin_bswap16(size)));
  append_be(out, static_cast<std::uint16_t>(__builtin_bswap16(static_cast<std::uint16_t>(~size))));
  append_bytes(out, bytes);
  return out;
}

}  // namespace
}  // namespace penstock::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace penstock;
  using namespace penstock::fuzz;
  static World world;
  Input in({data, size});
  const std::uint8_t what = in.u8() % 5;
  if (what == 1) {
    world.receive_sealed(in);
    return 0;
  }
  const auto bytes = std::as_bytes(in.rest());
  if (what == 0) world.receive(bytes);
  if (what == 2) read_snapshot(world, bytes, bytes.size() / 2);
  if (what == 3 && bytes.size() < 60'000)
    read_chunk(world, stored_block(bytes), static_cast<std::uint32_t>(bytes.size()), crc32c(bytes));
  if (what == 4) read_chunk(world, bytes, static_cast<std::uint32_t>(size % 65'537), 0);
  return 0;
}
