#include "dataplane/probe/probe_rounds.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

namespace penstock {
namespace {

constexpr std::uint32_t kGone = ProbeQuestion::kNoAddress;
constexpr unsigned kCountBits = PENSTOCK_PROBE_NONCE_COUNT_BITS;
constexpr std::uint64_t kCountMask = (std::uint64_t{1} << kCountBits) - 1;
// What is late by more than this part of an interval is not caught up.
constexpr std::uint64_t kLateParts = 8;

bool same_key(const siphash_key& a, const siphash_key& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

Nanoseconds part_of(Nanoseconds whole, std::size_t part, std::size_t parts) {
  return Nanoseconds(whole.count() * part / parts);
}

}  // namespace

ProbeRounds::ProbeRounds(const ProbeRoundsSettings& settings, ProbeSink& sink)
    : settings_(settings), memory_(settings.interval.count() * kReplyIntervals), sink_(sink) {
  judged_ = questions_.next();
}

void ProbeRounds::take_key(const siphash_key& key, Nanoseconds now) {
  if (key_ && same_key(key_->key, key)) return;
  if (key_) {
    old_key_ = key_;
    old_key_ends_ = now + kOldKeyLife;
    for (Target& target : targets_) target.knows_new_key = false;
  }
  key_ = Key{key, ++keys_};
}

std::size_t ProbeRounds::messages_per_round() const {
  std::size_t messages = 0;
  for (const ProbedAddress& a : addresses_)
    messages += (a.services.size() + PENSTOCK_PROBE_MAX_SERVICES - 1) / PENSTOCK_PROBE_MAX_SERVICES;
  return messages;
}

/// Messages about addresses that are asked the same as before keep their meaning.
/// places: of the addresses before.
void ProbeRounds::keep_questions(const std::vector<ProbedAddress>& before,
                                 const std::vector<std::uint32_t>& places) {
  for (std::uint64_t n = questions_.oldest(); n < questions_.next(); ++n) {
    ProbeQuestion& q = *questions_.find(n);
    if (q.address == kGone) continue;
    const std::uint32_t place = places[q.address];
    const bool stays = place != kGone && addresses_[place].services == before[q.address].services;
    q.address = stays ? place : kGone;
    if (!stays) q.state = ProbeQuestion::State::kOver;
  }
}

/// Addresses that stay are asked when they would have been.
void ProbeRounds::follow(ProbePlan plan, Nanoseconds now) {
  take_key(plan.key, now);
  sink_.follow(plan, now);
  if (plan.addresses == addresses_) return;
  const std::vector<ProbedAddress> before = std::exchange(addresses_, std::move(plan.addresses));
  std::map<IpAddr, std::uint32_t> known;
  for (std::uint32_t i = 0; i < before.size(); ++i) known[before[i].address] = i;
  std::vector<std::uint32_t> places(before.size(), kGone);
  const std::vector<Target> targets = std::exchange(targets_, {});
  order_.clear();
  for (std::uint32_t i = 0; i < addresses_.size(); ++i) {
    const auto found = known.find(addresses_[i].address);
    if (found != known.end()) {
      places[found->second] = i;
      targets_.push_back(targets[found->second]);
    } else {
      Target target;
      target.due = now + part_of(settings_.interval, i, addresses_.size()) - shift_;
      targets_.push_back(target);
    }
    order_.push_back(i);
  }
  keep_questions(before, places);
  // Twice: under two keys or in two versions.
  questions_.make_room(2 * messages_per_round() * (kReplyIntervals + 1));
  cursor_ = 0;
  std::stable_sort(order_.begin(), order_.end(),
                   [this](std::uint32_t a, std::uint32_t b) { return targets_[a].due < targets_[b].due; });
}

std::optional<Nanoseconds> ProbeRounds::next_due() const {
  if (order_.empty()) return std::nullopt;
  return targets_[order_[cursor_]].due + shift_;
}

void ProbeRounds::ask_under(const Key& key, std::uint8_t version, std::uint32_t position, Nanoseconds now,
                            const Send& send) {
  const ProbedAddress& probed = addresses_[position];
  const bool loads = version != PENSTOCK_PROBE_OLDEST_VERSION;
  for (std::size_t first = 0; first < probed.services.size(); first += PENSTOCK_PROBE_MAX_SERVICES) {
    ProbeQuestion& q = questions_.add();
    q.count = static_cast<std::uint8_t>(
        std::min<std::size_t>(PENSTOCK_PROBE_MAX_SERVICES, probed.services.size() - first));
    q.asked = now;
    q.address = position;
    q.first = static_cast<std::uint32_t>(first);
    q.key = key.id;
    q.version = version;
    q.state = ProbeQuestion::State::kQueued;
    last_sent_ns_ = std::max(last_sent_ns_ + 1, (now + settings_.unix_minus_now).count());
    ProbeRequest request;
    request.version = version;
    if (loads) request.sections = PENSTOCK_PROBE_SERVICE_LOADS;
    if (loads && first == 0) request.sections |= PENSTOCK_PROBE_HOST_LOAD;
    request.nonce = settings_.process << kCountBits | (q.number & kCountMask);
    request.sent_ns = last_sent_ns_;
    ProbeDatagram datagram;
    const std::size_t length =
        write_probe(key.key, request, std::span(probed.services).subspan(first, q.count), datagram);
    if (send(position, q.number, std::span(datagram).first(length))) {
      count(counters_.sent);
    } else {
      q.state = ProbeQuestion::State::kOver;
      count(counters_.not_sent);
    }
  }
}

void ProbeRounds::ask(std::uint32_t position, Nanoseconds now, const Send& send) {
  Target& target = targets_[position];
  const bool other_version = ++target.rounds % kRoundsPerOtherVersion == 0;
  std::uint8_t version = PENSTOCK_PROBE_VERSION;
  std::uint8_t other = PENSTOCK_PROBE_OLDEST_VERSION;
  if (target.speaks == Speaks::kOldest) std::swap(version, other);
  ask_under(*key_, version, position, now, send);
  if (target.speaks != Speaks::kNewest && other_version) ask_under(*key_, other, position, now, send);
  if (old_key_ && !target.knows_new_key) ask_under(*old_key_, version, position, now, send);
  if (!addresses_[position].services.empty()) questions_.find(questions_.next() - 1)->ends_round = true;
}

void ProbeRounds::send_due(Nanoseconds now, const Send& send) {
  if (order_.empty()) return;
  if (old_key_ && old_key_ends_ <= now) old_key_.reset();
  const Nanoseconds due = *next_due();
  const Nanoseconds latest = due + part_of(settings_.interval, 1, kLateParts);
  if (now > latest) shift_ = shift_ + (now - due);
  for (std::size_t n = 0; n < order_.size() && *next_due() <= now; ++n) {
    Target& target = targets_[order_[cursor_]];
    target.due = target.due + settings_.interval;
    ask(order_[cursor_], now, send);
    cursor_ = (cursor_ + 1) % order_.size();
  }
}

void ProbeRounds::transmitted(std::uint64_t message, Nanoseconds at) {
  ProbeQuestion* const q = questions_.find(message);
  if (q == nullptr) return;
  q->sent = at;
  if (q->state == ProbeQuestion::State::kQueued) q->state = ProbeQuestion::State::kSent;
}

void ProbeRounds::not_transmitted(std::uint64_t message) {
  counters_.sent.store(counters_.sent.load(std::memory_order_relaxed) - 1, std::memory_order_relaxed);
  count(counters_.not_sent);
  ProbeQuestion* const q = questions_.find(message);
  if (q != nullptr) q->state = ProbeQuestion::State::kOver;
}

const siphash_key* ProbeRounds::find_key(std::uint32_t id) const {
  if (key_ && key_->id == id) return &key_->key;
  if (old_key_ && old_key_->id == id) return &old_key_->key;
  return nullptr;
}

void ProbeRounds::receive(const IpAddr& from, std::span<const std::uint8_t> datagram, Nanoseconds arrived,
                          Nanoseconds now) {
  const auto reply = read_reply(datagram);
  if (!reply) return count(counters_.malformed);
  const std::uint64_t process = settings_.process & (UINT64_MAX >> kCountBits);
  ProbeQuestion* const q = questions_.find(questions_.latest(reply->nonce & kCountMask, kCountBits));
  if (reply->nonce >> kCountBits != process || q == nullptr || q->asked + memory_ < now ||
      q->state == ProbeQuestion::State::kAnswered || q->state == ProbeQuestion::State::kOver) {
    return count(counters_.stale);
  }
  const siphash_key* const key = find_key(q->key);
  if (key == nullptr) return count(counters_.stale);
  if (from != addresses_[q->address].address) return count(counters_.stranger);
  if (!is_authentic(*key, datagram)) return count(counters_.authentication);
  if (reply->service_count != q->count || reply->version != q->version) return count(counters_.malformed);
  believe(*q, *reply, arrived, now);
}

void ProbeRounds::believe(ProbeQuestion& q, const ProbeReply& reply, Nanoseconds arrived, Nanoseconds now) {
  const Nanoseconds left = q.sent != Nanoseconds() ? q.sent : q.asked;
  q.state = ProbeQuestion::State::kAnswered;
  count(counters_.answered);
  Target& target = targets_[q.address];
  target.lost_in_a_row = 0;
  if (q.key == key_->id) target.knows_new_key = true;
  if (q.version != PENSTOCK_PROBE_OLDEST_VERSION) {
    target.speaks = Speaks::kNewest;
  } else if (target.speaks == Speaks::kUnknown) {
    target.speaks = Speaks::kOldest;
  }
  sink_.answered(q.address, q.first, std::span(reply.services).first(reply.service_count), reply.host,
                 arrived > left ? arrived - left : Nanoseconds(), now);
}

void ProbeRounds::excuse() {
  for (std::uint64_t n = std::max(judged_, questions_.oldest()); n < questions_.next(); ++n) {
    ProbeQuestion& q = *questions_.find(n);
    if (q.state == ProbeQuestion::State::kSent || q.state == ProbeQuestion::State::kQueued)
      q.state = ProbeQuestion::State::kExcused;
  }
}

void ProbeRounds::judge(Nanoseconds heard, Nanoseconds now) {
  using State = ProbeQuestion::State;
  judged_ = std::max(judged_, questions_.oldest());
  for (; judged_ < questions_.next(); ++judged_) {
    const ProbeQuestion& q = *questions_.find(judged_);
    if (q.state == State::kQueued && q.asked + memory_ > now) return;
    if (q.state == State::kSent) {
      if (heard < q.sent + settings_.patience) return;
      round_lost_ = true;
      count(counters_.lost);
    }
    if (q.state == State::kAnswered) round_answered_ = true;
    if (q.ends_round) end_round(q.address, now);
  }
}

void ProbeRounds::end_round(std::uint32_t position, Nanoseconds now) {
  const bool lost = std::exchange(round_lost_, false);
  if (std::exchange(round_answered_, false) || !lost || position == kGone) return;
  Target& target = targets_[position];
  if (++target.lost_in_a_row >= kLostRoundsToForgetVersion) target.speaks = Speaks::kUnknown;
  sink_.lost(position, now);
}

ProbeCounters ProbeRounds::counters() const {
  const auto read = [](const std::atomic<std::uint64_t>& c) { return c.load(std::memory_order_relaxed); };
  return {read(counters_.sent),  read(counters_.not_sent),  read(counters_.answered),
          read(counters_.lost),  read(counters_.malformed), read(counters_.authentication),
          read(counters_.stale), read(counters_.stranger)};
}

}  // namespace penstock
