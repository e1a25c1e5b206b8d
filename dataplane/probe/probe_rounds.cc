#include "dataplane/probe/probe_rounds.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

namespace penstock {
namespace {

bool same_key(const siphash_key& a, const siphash_key& b) { return std::memcmp(&a, &b, sizeof a) == 0; }

Nanoseconds part_of(Nanoseconds whole, std::size_t part, std::size_t parts) {
  return Nanoseconds(whole.count() * part / parts);
}

}  // namespace

void ProbeRounds::take_key(const siphash_key& key, Nanoseconds now) {
  if (key_ && !same_key(*key_, key)) {
    old_key_ = key_;
    old_key_ends_ = now + kOldKeyLife;
    knows_new_key_.assign(addresses_.size(), false);
  }
  key_ = key;
}

/// Addresses that stay are asked when they would have been. Questions that are on their way are given up,
/// since they name positions in the old plan; the interval that they began is not judged.
void ProbeRounds::follow(ProbePlan plan, Nanoseconds now) {
  take_key(plan.key, now);
  if (plan.addresses == addresses_) return;
  std::map<IpAddr, Target> known;
  for (const Target& target : targets_) known[addresses_[target.position].address] = target;
  const std::vector<bool> knew_key = std::exchange(knows_new_key_, {});
  addresses_ = std::move(plan.addresses);
  judge_.follow(addresses_);
  outstanding_.clear();
  by_age_.clear();
  targets_.clear();
  cursor_ = 0;
  for (std::size_t i = 0; i < addresses_.size(); ++i) {
    const auto found = known.find(addresses_[i].address);
    const bool stays = found != known.end();
    targets_.push_back(
        {i, stays ? found->second.due : now + part_of(interval_, i, addresses_.size()), false});
    knows_new_key_.push_back(stays && knew_key[found->second.position]);
  }
  std::stable_sort(targets_.begin(), targets_.end(),
                   [](const Target& a, const Target& b) { return a.due < b.due; });
}

std::optional<Nanoseconds> ProbeRounds::next_due() const {
  if (targets_.empty()) return std::nullopt;
  return targets_[cursor_].due;
}

std::uint64_t ProbeRounds::next_nonce() {
  const std::uint64_t number = ++nonces_;
  return siphash(&nonce_key_, &number, sizeof number);
}

void ProbeRounds::ask_under(const siphash_key& key, bool new_key, std::size_t position, Nanoseconds now,
                            const Send& send) {
  const ProbedAddress& probed = addresses_[position];
  for (std::size_t first = 0; first < probed.services.size(); first += PENSTOCK_PROBE_MAX_SERVICES) {
    const std::size_t count =
        std::min<std::size_t>(PENSTOCK_PROBE_MAX_SERVICES, probed.services.size() - first);
    const std::uint64_t nonce = next_nonce();
    ProbeDatagram datagram;
    const std::size_t length =
        write_probe(key, nonce, now, std::span(probed.services).subspan(first, count), datagram);
    outstanding_[nonce] = {position, first, count, key, new_key};
    by_age_.emplace_back(now, nonce);
    send(probed.address, std::span(datagram).first(length));
    counters_.sent.fetch_add(1, std::memory_order_relaxed);
  }
}

void ProbeRounds::ask(Target& target, Nanoseconds now, const Send& send) {
  if (target.asked) judge_.interval_over(target.position);
  target.asked = true;
  target.due = target.due + interval_;
  if (target.due < now + part_of(interval_, 1, 2)) target.due = now + interval_;
  ask_under(*key_, true, target.position, now, send);
  if (old_key_ && !knows_new_key_[target.position]) ask_under(*old_key_, false, target.position, now, send);
}

void ProbeRounds::forget_old(Nanoseconds now) {
  const Nanoseconds life(interval_.count() * kReplyIntervals);
  while (!by_age_.empty() && by_age_.front().first + life < now) {
    outstanding_.erase(by_age_.front().second);
    by_age_.pop_front();
  }
  if (old_key_ && old_key_ends_ <= now) old_key_.reset();
}

void ProbeRounds::send_due(Nanoseconds now, const Send& send) {
  forget_old(now);
  for (std::size_t n = 0; n < targets_.size() && targets_[cursor_].due <= now; ++n) {
    ask(targets_[cursor_], now, send);
    cursor_ = (cursor_ + 1) % targets_.size();
  }
}

void ProbeRounds::receive(const IpAddr& from, std::span<const std::uint8_t> datagram, Nanoseconds now) {
  forget_old(now);
  const auto reply = read_reply(datagram);
  if (!reply) return count(counters_.malformed);
  const auto found = outstanding_.find(reply->nonce);
  if (found == outstanding_.end()) return count(counters_.stale);
  const Question question = found->second;
  if (from != addresses_[question.position].address) return count(counters_.stranger);
  if (!is_authentic(question.key, datagram)) return count(counters_.authentication);
  if (reply->service_count != question.count) return count(counters_.malformed);
  outstanding_.erase(found);
  count(counters_.answered);
  if (question.new_key) knows_new_key_[question.position] = true;
  judge_.answered(question.position, question.first, std::span(reply->listeners).first(question.count));
}

ProbeCounters ProbeRounds::counters() const {
  const auto read = [](const std::atomic<std::uint64_t>& c) { return c.load(std::memory_order_relaxed); };
  return {read(counters_.sent),           read(counters_.answered), read(counters_.malformed),
          read(counters_.authentication), read(counters_.stale),    read(counters_.stranger)};
}

}  // namespace penstock
