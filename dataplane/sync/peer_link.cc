#include "dataplane/sync/peer_link.h"

#include <algorithm>
#include <unordered_set>

namespace penstock {
namespace {

constexpr Nanoseconds kDigestInterval = Nanoseconds::from_millis(200);
// A digest of records that are still on their way asks for repairs in vain, so it waits for them, but not for
// ever: a gateway that is never done is digested all the same.
constexpr Nanoseconds kLongestDigestWait = Nanoseconds::from_seconds(1);
constexpr Nanoseconds kHelloInterval = Nanoseconds::from_millis(200);
constexpr Nanoseconds kGroupPatience = Nanoseconds::from_millis(50);
constexpr Nanoseconds kSilence = Nanoseconds::from_seconds(2);
constexpr std::uint64_t kStaleMs = 30'000;
constexpr Nanoseconds kForgotten = Nanoseconds::from_millis(2 * kStaleMs);
// A full mirror can never match; it still asks a little, lest it stay full of what has ended.
constexpr std::uint64_t kAsksWhenFull = 64;
// Ticks come every 10 ms: a walk in 10 s, which sinks add to their leases (record.h), or in half a second.
constexpr std::size_t kTicksPerWalk = 1000, kTicksPerHurriedWalk = 50;

}  // namespace

PeerLink::PeerLink(LinkContext& context, SyncPeer peer, std::uint8_t number)
    : context_(context),
      peer_(std::move(peer)),
      number_(number),
      sender_(context.shape),
      mirrors_{RecordSet(SyncRecordType::kFlow, context.capacity),
               RecordSet(SyncRecordType::kNatSession, context.capacity)} {}

// --- What comes.

bool PeerLink::receive(const OpenedDatagram& datagram, SyncTime time, bool& malformed) {
  const DatagramHeader& header = datagram.header;
  if (!fits_session(header, time) || !window_.take(header.sequence)) return false;
  heard_ = time.now;
  time_ = time.now;
  malformed_ = false;
  ++counts_.received;
  if (header.kind == DatagramKind::kHello) {
    if (header.to_session != context_.session) next_hello_ = time.now;  // it does not know us yet
  } else {
    receiver_.take(header, datagram.payload, [this](std::span<const std::byte> payload) {
      if (!read(payload)) malformed_ = true;
    });
  }
  malformed = malformed_;
  return true;
}

bool PeerLink::fits_session(const DatagramHeader& header, SyncTime time) {
  const std::uint64_t apart =
      header.sent_ms > time.wall_ms ? header.sent_ms - time.wall_ms : time.wall_ms - header.sent_ms;
  if (apart > kStaleMs) return false;
  if (header.kind != DatagramKind::kHello && header.to_session != context_.session) {
    next_hello_ = time.now;  // meant for our last run: the peer learns of this one
    return false;
  }
  if (header.session == session_) return true;
  // Whatever a silent peer said before is stale by now; its clock may have been set back while it was down.
  const bool forgotten = time.now > heard_ + kForgotten;
  if (header.session == 0 || (header.started_ns <= session_started_ && !forgotten)) return false;
  begin_session(header, time);
  return true;
}

// The peer has begun anew. What its last run told is no longer mirrored, so that an empty digest of the new
// run does not end it: those flows are exactly what is needed now. Their leases end them.
void PeerLink::begin_session(const DatagramHeader& header, SyncTime time) {
  session_ = header.session;
  session_started_ = header.started_ns;
  window_ = ReplayWindow();
  receiver_ = GroupReceiver();
  for (auto& mirror : mirrors_) mirror.clear();
  changes_.clear();
  asked_.clear();
  next_digest_ = time.now;
}

bool PeerLink::believe(const SyncRecord& record) {
  const auto put = mirrors_[type_index(record.type)].put(record.key, record.bytes());
  if (put == RecordSet::Put::kSame || put == RecordSet::Put::kFull) return false;
  if (SyncSink* sink = context_.sinks[type_index(record.type)]) sink->put(record, number_, time_);
  return true;
}

void PeerLink::on_put(const SyncRecord& record) { believe(record); }

void PeerLink::on_end(SyncRecordType type, std::uint64_t key) {
  if (mirrors_[type_index(type)].erase(key)) context_.forget(type, key, number_, time_);
}

void PeerLink::on_content(SyncRecordType type, std::uint64_t low, std::uint64_t high,
                          std::span<const SyncRecord> records) {
  std::unordered_set<std::uint64_t> listed;
  for (const SyncRecord& record : records) listed.insert(record.key);
  std::vector<std::uint64_t> ended;
  mirrors_[type_index(type)].for_each_in(low, high, [&](const SyncRecord& known) {
    if (!listed.contains(known.key)) ended.push_back(known.key);
  });
  for (const std::uint64_t key : ended) on_end(type, key);
  for (const SyncRecord& record : records) counts_.repaired += believe(record) ? 1 : 0;
}

void PeerLink::on_digest(SyncRecordType type, unsigned bits, std::uint32_t first,
                         std::span<const std::uint32_t> checksums) {
  const RecordSet& mirror = mirrors_[type_index(type)];
  for (std::size_t i = 0; i < checksums.size(); ++i) {
    if (mirror.checksum(bits, first + i) == checksums[i]) continue;
    if (mirror.size() >= context_.capacity && (first + i + counts_.received) % kAsksWhenFull != 0) continue;
    writer_.ask(type, bits, first + static_cast<std::uint32_t>(i));
    urgent_ = true;
  }
}

void PeerLink::on_ask(SyncRecordType type, unsigned bits, std::span<const std::uint32_t> ranges) {
  // No more than a whole set of its own has: what is finer than its digests was never offered.
  if (bits > context_.own[type_index(type)].range_bits()) return;
  for (const std::uint32_t range : ranges) asked_.insert({type, bits, range});
}

// --- What goes.

void PeerLink::changed(SyncRecordType type, std::uint64_t key) {
  if (session_ == 0) return;  // digests will tell it everything
  if (changes_.size() < context_.capacity) changes_.emplace_back(type, key);
}

void PeerLink::tick(SyncTime time, std::size_t& budget) {
  if (time.now >= next_hello_ && (session_ == 0 || next_hello_ != Nanoseconds())) say_hello(time);
  if (session_ != 0) {
    if (writer_.empty()) writing_since_ = time.now;
    tell_changes(budget);
    tell_ranges(budget);
    tell_digests(time);
    const bool whole = writer_.size() > context_.shape.data;
    if (urgent_ || whole || time.now >= writing_since_ + kGroupPatience) flush(time);
  }
  renew(time.now);
}

void PeerLink::say_hello(SyncTime time) {
  emit(DatagramHeader{}, {}, time);
  // Known peers are greeted when they ask for it only.
  next_hello_ = session_ == 0 ? time.now + kHelloInterval : Nanoseconds();
}

void PeerLink::tell_changes(std::size_t& budget) {
  for (; budget > 0 && !changes_.empty(); --budget) {
    const auto [type, key] = changes_.front();
    changes_.pop_front();
    SyncRecord record;
    if (context_.own[type_index(type)].find(key, record)) {
      writer_.put(record);
    } else {
      writer_.end(type, key);
    }
  }
}

void PeerLink::tell_ranges(std::size_t& budget) {
  while (budget > 0 && !asked_.empty()) {
    const Range range = *asked_.begin();
    asked_.erase(asked_.begin());
    const RecordSet& own = context_.own[type_index(range.type)];
    budget -= std::min(budget, writer_.content(own, range.bits, range.number) + 1);
    urgent_ = true;
  }
}

void PeerLink::tell_digests(SyncTime time) {
  const bool busy = !changes_.empty() || !asked_.empty();
  if (time.now < next_digest_ || (busy && time.now < last_digest_ + kLongestDigestWait)) return;
  flush(time);  // what the digest covers goes before it
  for (const RecordSet& own : context_.own) writer_.digest(own);
  next_digest_ = time.now + kDigestInterval;
  last_digest_ = time.now;
  urgent_ = true;
}

void PeerLink::flush(SyncTime time) {
  const auto payloads = writer_.take();
  sender_.send(payloads, [&](const DatagramHeader& header, std::span<const std::byte> payload) {
    emit(header, payload, time);
  });
  writing_since_ = time.now;
  urgent_ = false;
}

void PeerLink::emit(DatagramHeader header, std::span<const std::byte> payload, SyncTime time) {
  header.session = context_.session;
  header.started_ns = context_.started_ns;
  header.to_session = session_;
  header.sequence = ++sequence_;
  header.sent_ms = time.wall_ms;
  std::array<std::byte, kMaxSyncDatagram> out;
  const std::size_t size = seal(header, payload, *context_.key, out);
  context_.send(peer_.address, std::span(out).first(size));
  ++counts_.sent;
}

// A peer that lives renews the leases of all it tells, whether it repeats them or not; a silent one does not,
// and its flows live on until they have been idle for as long as their service allows.
void PeerLink::renew(Nanoseconds now) {
  if (session_ == 0 || now > heard_ + kSilence) return;
  bool done = true;
  for (std::size_t i = 0; i < kSyncRecordTypes; ++i) {
    if (context_.sinks[i] == nullptr) continue;
    const std::size_t places = mirrors_[i].places() / (hurry_ ? kTicksPerHurriedWalk : kTicksPerWalk) + 1;
    cursors_[i] =
        mirrors_[i].walk(std::min(cursors_[i], mirrors_[i].places()), places,
                         [&](const SyncRecord& record) { context_.sinks[i]->put(record, number_, now); });
    done = done && cursors_[i] == 0;
  }
  if (done) hurry_ = false;
}

SyncPeerReport PeerLink::report(Nanoseconds now) const {
  SyncPeerReport out = counts_;
  out.peer = peer_;
  out.lost = window_.missing();
  out.recovered = receiver_.counts().recovered;
  out.groups = receiver_.counts().groups;
  out.groups_beyond = receiver_.counts().beyond;
  for (const auto& mirror : mirrors_) out.records += mirror.size();
  out.silent_ms = (now - heard_).count() / 1'000'000;
  return out;
}

}  // namespace penstock
