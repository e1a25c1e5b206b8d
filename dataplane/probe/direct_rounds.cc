#include "dataplane/probe/direct_rounds.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "penstock/net/headers.h"

namespace penstock {
namespace {

// So that the first segment of a response fits whole into an InFrame, whatever options it carries.
constexpr std::uint16_t kMss = kOwnFrameBytes - 14 - sizeof(Ipv6Header) - 60;
constexpr Nanoseconds kLookAgain = Nanoseconds::from_seconds(1);
constexpr Nanoseconds kExpiryInterval = Nanoseconds::from_millis(5);

Nanoseconds millis(std::uint32_t ms) { return Nanoseconds::from_millis(ms); }

std::span<const std::uint8_t> bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

}  // namespace

DirectRounds::DirectRounds(const siphash_key& key, OwnChannel& channel, Listeners listeners)
    : key_(key),
      channel_(channel),
      listeners_(std::move(listeners)),
      hops_(std::make_shared<const NextHops>()) {
  const std::size_t ports = std::size_t{channel.ports().last} - channel.ports().first + 1;
  checks_.resize(ports);
  for (std::size_t slot = 0; slot < ports; ++slot) free_.push_back(static_cast<std::uint16_t>(slot));
}

void DirectRounds::follow(DirectPlan plan, Nanoseconds now) {
  std::unordered_map<BackendIndex, Known> known;
  std::unordered_map<BackendIndex, std::uint32_t> places;
  for (std::size_t i = 0; i < plan_.targets.size(); ++i) known.emplace(plan_.targets[i].backend, known_[i]);
  const DirectPlan before = std::exchange(plan_, std::move(plan));
  known_.clear();
  turns_ = {};
  for (std::uint32_t i = 0; i < plan_.targets.size(); ++i) {
    const DirectTarget& target = plan_.targets[i];
    const std::uint64_t interval = millis(plan_.services[target.service].check.interval_ms).count();
    // Evenly over the interval.
    const std::uint64_t spread = target.backend * std::uint64_t{0x9e3779b97f4a7c15} >> 32;
    const auto found = known.find(target.backend);
    Known next{now, Nanoseconds(now.count() + spread * interval / (std::uint64_t{1} << 32))};
    if (found != known.end())
      next = {found->second.since, std::min(found->second.due, now + Nanoseconds(interval))};
    known_.push_back(next);
    turns_.push({next.due, i});
    places.emplace(target.backend, i);
  }
  keep_checks(before, places);
}

void DirectRounds::keep_checks(const DirectPlan& before,
                               const std::unordered_map<BackendIndex, std::uint32_t>& places) {
  for (std::size_t slot = 0; slot < checks_.size(); ++slot) {
    Check& check = checks_[slot];
    if (check.step == Step::kFree) continue;
    const DirectTarget& old = before.targets[check.target];
    const auto place = places.find(old.backend);
    bool same = place != places.end();
    if (same) {
      const DirectTarget& target = plan_.targets[place->second];
      same = target.host == old.host && target.address == old.address && target.port == old.port &&
             plan_.services[target.service] == before.services[old.service];
    }
    if (same) {
      check.target = place->second;
    } else {
      free(check, slot);
    }
  }
}

void DirectRounds::reach(std::shared_ptr<const NextHops> hops) {
  hops_ = std::move(hops);
  any_source_ = {};
  for (const auto& [address, hop] : *hops_) any_source_[hop.outer_source.is_v6() ? 1 : 0] = &hop.outer_source;
}

void DirectRounds::run(Nanoseconds now) {
  reap();
  const Nanoseconds heard = channel_.heard();
  for (std::size_t worker = 0; worker < channel_.workers(); ++worker)
    channel_.in(worker).drain([&](const InFrame& frame) { receive(frame, now); });
  if (in_progress_ != 0 && now >= next_expiry_) {
    expire(heard, now);
    next_expiry_ = now + kExpiryInterval;
  }
  begin_due(now);
}

void DirectRounds::reap() {
  for (std::size_t worker = 0; worker < channel_.workers(); ++worker) {
    channel_.out(worker).reap([&](std::uint64_t tag, Nanoseconds sent) {
      const std::size_t slot = tag & 0xffff;
      if (tag == 0 || slot >= checks_.size() || checks_[slot].number != tag) return;
      if (checks_[slot].step == Step::kFree) return;
      checks_[slot].sent = sent;
      if (sent.count() == 0) free(checks_[slot], slot);
    });
  }
}

void DirectRounds::receive(const InFrame& frame, Nanoseconds now) {
  const std::size_t slot = std::size_t{frame.destination_port()} - channel_.ports().first;
  if (slot >= checks_.size() || checks_[slot].step == Step::kFree) {
    count(refused_);
    return;
  }
  Check& check = checks_[slot];
  const DirectTarget& target = plan_.targets[check.target];
  const bool udp = service_of(check).check.kind == DirectCheckKind::kUdpExchange;
  if (frame.source() != target.address || frame.source_port() != target.port ||
      frame.destination() != check.source || frame.protocol != (udp ? kProtoUdp : kProtoTcp)) {
    count(refused_);
    return;
  }
  if (udp) {
    end(check, slot, is_wanted_datagram(service_of(check).check, frame.segment()), now);
  } else {
    receive_segment(check, slot, frame, now);
  }
}

/// Believed is only what acknowledges the cookie.
void DirectRounds::receive_segment(Check& check, std::size_t slot, const InFrame& frame, Nanoseconds now) {
  const auto segment = read_tcp(frame.segment());
  const DirectService& service = service_of(check);
  const auto after_request = static_cast<std::uint32_t>(check.cookie + 1 + service.request.size());
  const bool opening = check.step == Step::kOpening;
  const bool acknowledges =
      segment && segment->has(kTcpAck) &&
      (segment->acknowledgment == check.cookie + 1 || (!opening && segment->acknowledgment == after_request));
  if (!acknowledges) {
    count(refused_);
    return;
  }
  if (segment->has(kTcpRst)) {
    end(check, slot, false, now);
    return;
  }
  if (opening) {
    receive_first_segment(check, slot, *segment, now);
    return;
  }
  if (segment->payload.empty() && !segment->has(kTcpFin)) return;  // an acknowledgment, or the SYN-ACK again
  if (segment->sequence != check.next_byte) return;  // the response's first segment is still to come
  const bool passed = is_wanted_response(service.check, segment->payload);
  reset(slot, after_request);
  end(check, slot, passed, now);
}

void DirectRounds::receive_first_segment(Check& check, std::size_t slot, const TcpSegment& segment,
                                         Nanoseconds now) {
  if (!segment.has(kTcpSyn)) {
    count(refused_);
    return;
  }
  const DirectService& service = service_of(check);
  if (service.check.kind == DirectCheckKind::kTcpConnect) {
    reset(slot, check.cookie + 1);
    end(check, slot, true, now);
    return;
  }
  DirectPacket packet;
  packet.flags = kTcpAck | kTcpPsh;
  packet.sequence = check.cookie + 1;
  packet.acknowledgment = check.next_byte = segment.sequence + 1;
  packet.payload = bytes_of(service.request);
  check.step = Step::kAsking;
  check.sent = Nanoseconds();
  if (!send(slot, packet, true)) free(check, slot);
}

void DirectRounds::expire(Nanoseconds heard, Nanoseconds now) {
  const std::uint64_t dropped = channel_.dropped();
  for (std::size_t slot = 0; slot < checks_.size(); ++slot) {
    Check& check = checks_[slot];
    if (check.step == Step::kFree) continue;
    if (dropped != check.dropped || now >= check.gives_up) {
      free(check, slot);
      continue;
    }
    const Nanoseconds timeout = millis(service_of(check).check.timeout_ms);
    if (check.sent.count() == 0 || heard < check.sent + timeout) continue;
    if (check.step == Step::kAsking)
      reset(slot, static_cast<std::uint32_t>(check.cookie + 1 + service_of(check).request.size()));
    end(check, slot, false, now);
  }
}

void DirectRounds::begin_due(Nanoseconds now) {
  for (std::size_t n = 0; n < kBegunAtOnce && !turns_.empty() && turns_.top().due <= now && !free_.empty();
       ++n) {
    const std::uint32_t target = turns_.top().target;
    turns_.pop();
    const DirectService& service = plan_.services[plan_.targets[target].service];
    const bool waits = !service.always && service.probed;
    const Nanoseconds waited = known_[target].since + kWaitForProbes;
    Nanoseconds next = now + millis(service.check.interval_ms);
    if (waits && now < waited) {
      next = waited;
    } else if (waits && listeners_.answers_probes(plan_.targets[target].backend)) {
      next = now + kLookAgain;
    } else {
      begin(target, free_.front(), now);
    }
    known_[target].due = next;
    turns_.push({next, target});
  }
}

bool DirectRounds::begin(std::uint32_t target, std::size_t slot, Nanoseconds now) {
  const IpAddr* const source = source_for(plan_.targets[target]);
  if (source == nullptr) return false;
  Check& check = checks_[slot];
  check = {};
  check.step = Step::kOpening;
  check.target = target;
  check.number = ++begun_ << 16 | slot;
  check.cookie = static_cast<std::uint32_t>(siphash(&key_, &check.number, sizeof check.number));
  check.source = *source;
  check.dropped = channel_.dropped();
  const DirectService& service = service_of(check);
  check.gives_up = now + millis(4 * service.check.timeout_ms) + kLookAgain;
  DirectPacket packet;
  if (service.check.kind == DirectCheckKind::kUdpExchange) {
    packet.payload = bytes_of(service.request);
  } else {
    packet.flags = kTcpSyn;
    packet.sequence = check.cookie;
    packet.mss = kMss;
  }
  if (!send(slot, packet, true)) {
    check.step = Step::kFree;
    return false;
  }
  free_.pop_front();
  ++in_progress_;
  count(begun_count_);
  return true;
}

bool DirectRounds::send(std::size_t slot, DirectPacket packet, bool timed) {
  const Check& check = checks_[slot];
  const DirectTarget& target = plan_.targets[check.target];
  const DirectService& service = plan_.services[target.service];
  const auto hop = hops_->find(target.host.address);
  if (hop == hops_->end()) return false;
  OutRing& ring = channel_.out(slot % channel_.workers());
  OutFrame* const frame = ring.claim();
  if (frame == nullptr) return false;
  const BackendRecord record = make_backend_record(service.service, 0, target.host, &hop->second);
  packet.source = check.source;
  packet.destination = target.address;
  packet.source_port = static_cast<std::uint16_t>(channel_.ports().first + slot);
  packet.destination_port = target.port;
  packet.protocol = service.check.kind == DirectCheckKind::kUdpExchange ? kProtoUdp : kProtoTcp;
  const std::size_t length = write_direct_frame(record, packet, frame->bytes);
  if (length == 0) return false;
  frame->length = static_cast<std::uint32_t>(length);
  frame->egress_port = record.egress_port;
  ring.push(timed ? check.number : 0);
  return true;
}

/// The backend forgets the connection at once.
void DirectRounds::reset(std::size_t slot, std::uint32_t sequence) {
  DirectPacket packet;
  packet.flags = kTcpRst;
  packet.sequence = sequence;
  send(slot, packet, false);
}

void DirectRounds::end(Check& check, std::size_t slot, bool passed, Nanoseconds now) {
  const BackendIndex backend = plan_.targets[check.target].backend;
  count(passed ? passed_ : failed_);
  free(check, slot);
  listeners_.ended(backend, passed, now);
}

void DirectRounds::free(Check& check, std::size_t slot) {
  check.step = Step::kFree;
  --in_progress_;
  free_.push_back(static_cast<std::uint16_t>(slot));
}

/// The address from which the backend is reached; where the service is of the other family, any of ours.
const IpAddr* DirectRounds::source_for(const DirectTarget& target) const {
  const auto hop = hops_->find(target.host.address);
  if (hop == hops_->end()) return nullptr;
  if (hop->second.outer_source.is_v6() == target.address.is_v6()) return &hop->second.outer_source;
  return any_source_[target.address.is_v6() ? 1 : 0];
}

DirectCounters DirectRounds::counters() const {
  const auto read = [](const std::atomic<std::uint64_t>& n) { return n.load(std::memory_order_relaxed); };
  return {read(begun_count_), read(passed_), read(failed_), read(refused_)};
}

}  // namespace penstock
