#include "perf/pktgen/generator.h"

#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include <algorithm>
#include <array>

#include "penstock/net/headers.h"
#include "perf/pktgen/flow_ledger.h"
#include "perf/pktgen/wire_parts.h"

namespace penstock::perf {
namespace {

constexpr unsigned kBurst = 32;
constexpr unsigned kReceiveBursts = 4;  // between two sent bursts: receiving must not be the bottleneck
// Packets under way while flows are opened. Rings have 256 descriptors and more; what overflows shrinks it.
constexpr std::uint64_t kFirstWindow = 512;
constexpr double kOpened = 0.99;
constexpr unsigned kMostRounds = 3;
// Without time or rate to end it, a trial ends with its number of packets.
constexpr std::uint64_t kMostPackets = std::uint64_t{1} << 32;
// Nothing came for so long: nothing will. A busy host can take a core away for a tenth of that.
constexpr double kQuietSeconds = 0.5;
constexpr unsigned kMostStalls = 10;  // quiet times in a row after which the other end is taken for dead
constexpr double kOpenSeconds = 300;

}  // namespace

class Generator::Engine {
 public:
  Engine(Wire& wire, const Scenario& scenario, std::vector<std::uint16_t> frame_bytes, const Target& target)
      : parts_(*wire.parts_),
        port_(parts_.port->id()),
        flows_(scenario.flows),
        syn_percent_(scenario.syn_percent),
        frame_bytes_(std::move(frame_bytes)),
        target_(target),
        writer_(target),
        ledger_(scenario.flows),
        hz_(static_cast<double>(rte_get_tsc_hz())) {}

  Status establish();
  Trial trial(double pps, double seconds);

 private:
  // One burst: built from the next flows in turn, offered once, counted.
  void send(Trial& trial, unsigned count, bool spoof) noexcept;
  bool build(rte_mbuf* buffer, std::uint64_t now, bool spoof) noexcept;
  unsigned receive(Trial& trial) noexcept;
  // Whether anything came that was sent here: a port may go on with foreign packets for ever.
  bool receive_ours(Trial& trial) noexcept;
  void drain(Trial& trial) noexcept;
  bool open_flows(Trial& trial) noexcept;
  void shrink_window() noexcept;

  Wire::Parts& parts_;
  const std::uint16_t port_;
  const std::uint32_t flows_;
  const std::uint32_t syn_percent_;
  const std::vector<std::uint16_t> frame_bytes_;
  const Target target_;
  const FrameWriter writer_;
  FlowLedger ledger_;
  const double hz_;

  std::uint32_t next_flow_ = 0;
  std::uint32_t round_ = 0;  // every flow has sent this many packets, those before next_flow_ one more
  std::size_t next_size_ = 0;
  std::uint32_t syn_credit_ = 0;               // percent
  std::uint64_t random_ = 0x9e3779b97f4a7c15;  // xorshift64; any seed but 0
  std::uint8_t flags_ = kTcpAck;
  std::uint64_t window_ = kFirstWindow;
};

bool Generator::Engine::build(rte_mbuf* buffer, std::uint64_t now, bool spoof) noexcept {
  const std::uint16_t size = frame_bytes_[next_size_];
  next_size_ = next_size_ + 1 == frame_bytes_.size() ? 0 : next_size_ + 1;
  buffer->data_len = static_cast<std::uint16_t>(size - kFcsBytes);
  buffer->pkt_len = buffer->data_len;
  auto* frame = rte_pktmbuf_mtod(buffer, std::uint8_t*);
  syn_credit_ += spoof ? syn_percent_ : 0;
  if (syn_credit_ >= 100) {
    syn_credit_ -= 100;
    random_ ^= random_ << 13;
    random_ ^= random_ >> 7;
    random_ ^= random_ << 17;
    writer_.write_spoofed_syn(frame, size, random_, now);
    return true;
  }
  writer_.write(frame, size, next_flow_, round_, flags_, now);
  if (++next_flow_ == flows_) {
    next_flow_ = 0;
    ++round_;
  }
  return false;
}

void Generator::Engine::send(Trial& trial, unsigned count, bool spoof) noexcept {
  std::array<rte_mbuf*, kBurst> buffers;
  if (rte_pktmbuf_alloc_bulk(parts_.buffers.get(), buffers.data(), count) != 0) return;
  const std::uint64_t now = rte_rdtsc();
  for (unsigned i = 0; i < count; ++i) {
    trial.offered_syns += build(buffers[i], now, spoof);
    trial.offered_bytes += buffers[i]->pkt_len + kFcsBytes;
  }
  const std::uint16_t sent = rte_eth_tx_burst(port_, 0, buffers.data(), static_cast<std::uint16_t>(count));
  if (sent < count) rte_pktmbuf_free_bulk(&buffers[sent], count - sent);
  trial.offered += count;
  trial.refused += count - sent;
  parts_.totals.sent += sent;
}

unsigned Generator::Engine::receive(Trial& trial) noexcept {
  std::array<rte_mbuf*, kBurst> buffers;
  const unsigned count = rte_eth_rx_burst(port_, 0, buffers.data(), kBurst);
  if (count == 0) return 0;
  const std::uint64_t now = rte_rdtsc();
  for (unsigned i = 0; i < count; ++i) {
    const auto arrival =
        read_arrival({rte_pktmbuf_mtod(buffers[i], const std::uint8_t*), buffers[i]->data_len}, target_);
    const bool spoofed = arrival && arrival->flow == kSpoofed;
    if (!arrival || (!spoofed && !ledger_.take(*arrival))) {
      ++trial.foreign;
      continue;
    }
    ++trial.received;
    trial.received_syns += spoofed;
    trial.latency.add((now - arrival->sent_at) & kTimeMask);
  }
  rte_pktmbuf_free_bulk(buffers.data(), count);
  parts_.totals.received += count;
  return count;
}

bool Generator::Engine::receive_ours(Trial& trial) noexcept {
  const std::uint64_t before = trial.received;
  receive(trial);
  return trial.received != before;
}

void Generator::Engine::drain(Trial& trial) noexcept {
  const auto patience = static_cast<std::uint64_t>(kQuietSeconds * hz_);
  std::uint64_t last = rte_rdtsc();
  while (trial.received + trial.refused < trial.offered && rte_rdtsc() - last < patience) {
    if (receive_ours(trial)) last = rte_rdtsc();
  }
}

// A window instead of a pace, so that the flows are opened without loss whatever the other end can do.
bool Generator::Engine::open_flows(Trial& trial) noexcept {
  const auto patience = static_cast<std::uint64_t>(kQuietSeconds * hz_);
  const std::uint64_t end = rte_rdtsc() + static_cast<std::uint64_t>(kOpenSeconds * hz_);
  std::uint64_t remaining = flows_;
  std::uint64_t settled = 0;  // offered packets that are not under way: refused or given up
  std::uint64_t last = rte_rdtsc();
  unsigned stalls = 0;  // in a row
  while (remaining != 0 && rte_rdtsc() < end) {
    const std::uint64_t done = trial.received + settled;
    if (trial.offered + kBurst <= done + window_) {
      const auto count = static_cast<unsigned>(std::min<std::uint64_t>(kBurst, remaining));
      const std::uint64_t refused = trial.refused;
      send(trial, count, false);
      remaining -= count;
      settled += trial.refused - refused;
      if (trial.refused != refused) shrink_window();
    }
    if (receive_ours(trial)) {
      last = rte_rdtsc();
      stalls = 0;
    } else if (rte_rdtsc() - last > patience) {
      if (++stalls == kMostStalls) return false;
      settled = trial.offered - std::min(trial.offered, trial.received);
      shrink_window();
      last = rte_rdtsc();
    }
  }
  drain(trial);
  return remaining == 0;
}

void Generator::Engine::shrink_window() noexcept { window_ = std::max<std::uint64_t>(window_ / 2, kBurst); }

Status Generator::Engine::establish() {
  const auto wanted = static_cast<std::uint64_t>(kOpened * 2 * flows_);
  Trial total;
  for (unsigned round = 0; round < kMostRounds; ++round) {
    total = Trial();
    bool alive = true;
    for (const std::uint8_t flags : {kTcpSyn, kTcpAck}) {
      flags_ = flags;
      alive = alive && open_flows(total);
    }
    flags_ = kTcpAck;
    if (total.received >= wanted) return Ok{};
    if (!alive) break;
  }
  return unavailable(
      "only " + std::to_string(total.received) + " of " + std::to_string(2ull * flows_) +
      " packets came back while the flows were opened (" + std::to_string(total.foreign) +
      " were foreign); is there a service for the VIP, with IPIP and a next hop to this port?");
}

Trial Generator::Engine::trial(double pps, double seconds) {
  Trial trial;
  trial.wanted_pps = pps;
  const std::uint64_t misordered = ledger_.misordered();
  const std::uint64_t moved = ledger_.moved();
  const double per_cycle = pps / hz_;
  // What may be made up for at once: two bursts, or 20 µs at high rates.
  const std::uint64_t slack = 2 * kBurst + static_cast<std::uint64_t>(pps * 20e-6);
  const auto span = static_cast<std::uint64_t>(seconds * hz_);
  const std::uint64_t begin = rte_rdtsc();
  std::uint64_t forgone = 0;  // packets whose time went by unused
  std::uint64_t longest_pause = 0;
  std::uint64_t now = begin;
  while (now - begin < span && trial.offered < kMostPackets) {
    std::uint64_t due = kBurst;
    if (pps > 0) {
      const auto by_now = static_cast<std::uint64_t>(static_cast<double>(now - begin) * per_cycle);
      due = by_now - std::min(by_now, trial.offered + forgone);
      if (due > slack) {
        forgone += due - kBurst;
        due = kBurst;
      }
    }
    if (due != 0) send(trial, static_cast<unsigned>(std::min<std::uint64_t>(due, kBurst)), true);
    for (unsigned i = 0; i < kReceiveBursts && receive(trial) == kBurst; ++i) continue;
    const std::uint64_t later = rte_rdtsc();
    longest_pause = std::max(longest_pause, later - now);
    now = later;
  }
  trial.seconds = static_cast<double>(now - begin) / hz_;
  drain(trial);
  trial.misordered = ledger_.misordered() - misordered;
  trial.moved = ledger_.moved() - moved;
  trial.longest_pause_us = static_cast<double>(longest_pause) / hz_ * 1e6;
  return trial;
}

Generator::Generator(Wire& wire, const Scenario& scenario, std::vector<std::uint16_t> frame_bytes,
                     const Target& target)
    : engine_(std::make_unique<Engine>(wire, scenario, std::move(frame_bytes), target)) {}
Generator::~Generator() = default;

Status Generator::establish() { return engine_->establish(); }
Trial Generator::trial(double pps, double seconds) { return engine_->trial(pps, seconds); }

}  // namespace penstock::perf
