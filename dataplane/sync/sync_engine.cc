#include "dataplane/sync/sync_engine.h"

#include <algorithm>

namespace penstock {
namespace {

constexpr std::uint64_t kBillion = 1'000'000'000;
// What may be sent at once after a pause.
constexpr Nanoseconds kMostCredit = Nanoseconds::from_millis(50);

}  // namespace

SyncEngine::SyncEngine(const SyncSettings& settings, std::uint64_t session, std::uint64_t wall_ns,
                       std::vector<SyncSource*> sources, std::vector<SyncSink*> sinks, Send send)
    : settings_(settings),
      sources_(std::move(sources)),
      context_{.shape = settings.shape,
               .capacity = settings.capacity,
               .session = session,
               .started_ns = wall_ns,
               .key = {},
               .own = {RecordSet(SyncRecordType::kFlow, settings.capacity),
                       RecordSet(SyncRecordType::kNatSession, settings.capacity)},
               .sinks = {},
               .send = std::move(send),
               .forget = {}} {
  for (SyncSink* sink : sinks) context_.sinks[type_index(sink->type())] = sink;
  context_.forget = [this](SyncRecordType type, std::uint64_t key, std::uint8_t peer, Nanoseconds now) {
    forget(type, key, peer, now);
  };
}

void SyncEngine::set_key(const DerivedKey& key) { context_.key.emplace(key); }

void SyncEngine::set_peers(const std::vector<SyncPeer>& peers) {
  std::erase_if(links_, [&](const auto& link) {
    return std::find(peers.begin(), peers.end(), link->peer()) == peers.end();
  });
  for (const SyncPeer& peer : peers) {
    if (link_of(peer.address) != nullptr) continue;
    links_.push_back(std::make_unique<PeerLink>(context_, peer, free_number()));
  }
}

std::vector<SyncPeer> SyncEngine::peers() const {
  std::vector<SyncPeer> out;
  for (const auto& link : links_) out.push_back(link->peer());
  return out;
}

std::uint8_t SyncEngine::free_number() const {
  for (unsigned number = 1; number < 256; ++number) {
    const auto has_it = [&](const auto& link) { return link->number() == number; };
    if (std::none_of(links_.begin(), links_.end(), has_it)) return static_cast<std::uint8_t>(number);
  }
  return 0;
}

PeerLink* SyncEngine::link_of(const SyncAddress& address) noexcept {
  for (const auto& link : links_) {
    if (link->peer().address == address) return link.get();
  }
  return nullptr;
}

void SyncEngine::receive(const SyncAddress& from, std::span<const std::byte> datagram, SyncTime time) {
  PeerLink* link = link_of(from);
  if (link == nullptr || !context_.key) return count(Refusal::kStranger);
  OpenedDatagram opened;
  Refusal why{};
  if (!open(datagram, *context_.key, opened, why)) return count(why);
  bool malformed = false;
  if (!link->receive(opened, time, malformed)) return count(Refusal::kReplay);
  if (malformed) count(Refusal::kMalformed);
}

void SyncEngine::tick(SyncTime time) {
  if (!context_.key || links_.empty()) return;
  const Nanoseconds passed =
      last_tick_ == Nanoseconds() ? Nanoseconds::from_millis(10) : time.now - last_tick_;
  last_tick_ = time.now;
  credit_ += std::min(passed, kMostCredit).count() * settings_.records_per_second;
  credit_ = std::min(credit_, kMostCredit.count() * settings_.records_per_second);
  std::size_t budget = credit_ / kBillion;
  credit_ -= budget * kBillion;
  first_ = (first_ + 1) % links_.size();
  for (std::size_t i = 0; i < links_.size(); ++i) {
    links_[(first_ + i) % links_.size()]->tick(time, budget);
  }
  credit_ += budget * kBillion;
}

void SyncEngine::collect(Nanoseconds now) {
  const auto tell_all = [this](SyncRecordType type, std::uint64_t key) {
    for (const auto& link : links_) link->changed(type, key);
  };
  for (RecordSet& own : context_.own) own.begin_round();
  for (SyncSource* source : sources_) {
    source->collect(now, [&](const SyncRecord& record) {
      const auto put = context_.own[type_index(record.type)].put(record.key, record.bytes());
      if (put == RecordSet::Put::kNew || put == RecordSet::Put::kChanged) tell_all(record.type, record.key);
    });
  }
  for (RecordSet& own : context_.own) {
    own.end_round([&](std::uint64_t key) { tell_all(own.type(), key); });
  }
}

void SyncEngine::renew_soon() {
  for (const auto& link : links_) link->renew_soon();
}

void SyncEngine::forget(SyncRecordType type, std::uint64_t key, std::uint8_t peer, Nanoseconds now) {
  SyncSink* sink = context_.sinks[type_index(type)];
  if (sink == nullptr) return;
  for (const auto& link : links_) {
    SyncRecord record;
    if (link->number() == peer || !link->tells(type, key, record)) continue;
    sink->put(record, link->number(), now);
    return;
  }
  sink->erase(key, peer);
}

void SyncEngine::snapshot(const Tell& tell) const {
  for (const SyncSink* sink : context_.sinks) {
    if (sink != nullptr) const_cast<SyncSink*>(sink)->collect(tell);
  }
  for (const RecordSet& own : context_.own) own.for_each(tell);
}

void SyncEngine::believe(const SyncRecord& record, const SyncAddress& from, Nanoseconds now) {
  const PeerLink* link = link_of(from);
  SyncSink* sink = context_.sinks[type_index(record.type)];
  if (sink != nullptr) sink->put(record, link != nullptr ? link->number() : 0, now);
}

SyncReport SyncEngine::report(Nanoseconds now) const {
  SyncReport out;
  for (const RecordSet& own : context_.own) out.replicated += own.size();
  out.refused = refused_;
  for (const auto& link : links_) out.peers.push_back(link->report(now));
  return out;
}

}  // namespace penstock
