#include "dataplane/dpdk/worker.h"

#include <rte_ethdev.h>
#include <rte_interrupts.h>
#include <rte_pause.h>
#include <sys/prctl.h>

#include <ctime>

namespace penstock {
namespace {

// A port that is full for longer than this does not catch up within a burst's time.
constexpr unsigned kTransmitAttempts = 8;
// Empty polls before a worker rests: long enough to span the gaps inside a train of packets.
constexpr unsigned kPollsBeforeRest = 64;
// Bounds how late a missed interrupt, a stop or an expiring flow is noticed.
constexpr int kInterruptTimeoutMs = 10;

// The packet was whole in its first segment, so that the others hold nothing but padding.
[[gnu::cold]] void drop_padding_segments(rte_mbuf* buffer) noexcept {
  rte_pktmbuf_free(buffer->next);
  buffer->next = nullptr;
  buffer->nb_segs = 1;
}

// The buffer now holds the encapsulated frame: one segment, no offload. How the buffer is attached must stay.
void resize(rte_mbuf* buffer, const PacketView& packet) noexcept {
  if (buffer->nb_segs != 1) drop_padding_segments(buffer);
  buffer->data_off = static_cast<std::uint16_t>(packet.data - static_cast<std::uint8_t*>(buffer->buf_addr));
  buffer->data_len = static_cast<std::uint16_t>(packet.length);
  buffer->pkt_len = packet.length;
  buffer->ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT;
}

}  // namespace

Worker::Worker(Settings settings, FlowTable& flows, LcoreCounters& counters, RcuQuiescence& quiescence,
               const TscClock& clock)
    : settings_(std::move(settings)),
      flows_(flows),
      counters_(counters),
      quiescence_(quiescence),
      clock_(clock),
      pipeline_(flows, counters),
      departures_(settings_.ports.size()) {}

void Worker::run(const Publisher& publisher) noexcept {
  prctl(PR_SET_TIMERSLACK, 1UL);  // the default of 50 µs would double a sleep of 50 µs
  if (settings_.idle.mode == IdleMode::kInterrupt) listen_for_interrupts();
  quiescence_.enter(settings_.index);
  unsigned empty_polls = 0;
  std::uint64_t begin = rte_rdtsc();
  while (!stopping_.load(std::memory_order_relaxed)) {
    const Nanoseconds now = clock_.at(begin);
    flows_.advance(tick_of(now));
    unsigned received = 0;
    for (const std::uint16_t port : settings_.ports) {
      received += poll(port, publisher.current(), now);
      quiescence_.quiescent(settings_.index);
    }
    std::uint64_t end = rte_rdtsc();
    progress_tsc_.store(end, std::memory_order_relaxed);
    empty_polls = received != 0 ? 0 : empty_polls + 1;
    if (received == 0) {
      rest(empty_polls);
      end = rte_rdtsc();
    }
    (received != 0 ? counters_.busy_cycles : counters_.idle_cycles).add(end - begin);
    begin = end;
  }
  quiescence_.leave(settings_.index);
}

unsigned Worker::poll(std::uint16_t port, const Snapshot& snapshot, Nanoseconds now) noexcept {
  const std::uint16_t count =
      rte_eth_rx_burst(port, static_cast<std::uint16_t>(settings_.index), buffers_.data(), kMaxBurst);
  counters_.burst_sizes[count].add(1);
  if (count == 0) return 0;
  for (unsigned i = 0; i < count; ++i) {
    rte_mbuf* buffer = buffers_[i];
    auto* frame = rte_pktmbuf_mtod(buffer, std::uint8_t*);
    __builtin_prefetch(frame);
    // Of a frame that spans segments only the first is seen: the rest counts as missing.
    burst_.packets[i].set(frame, buffer->data_len, rte_pktmbuf_headroom(buffer));
  }
  burst_.count = count;
  pipeline_.run(snapshot, burst_, now);
  dispatch();
  pipeline_.account(burst_);
  return count;
}

void Worker::dispatch() noexcept {
  unsigned rejected = 0;  // they move to the front of buffers_
  for (unsigned i = 0; i < burst_.count; ++i) {
    const PacketView& packet = burst_.packets[i];
    if (packet.outcome != Outcome::kForwarded) {
      buffers_[rejected++] = buffers_[i];
      continue;
    }
    resize(buffers_[i], packet);
    Departure& departure = departures_[packet.egress_port];
    departure.buffers[departure.count] = buffers_[i];
    departure.packets[departure.count++] = static_cast<std::uint8_t>(i);
  }
  for (std::size_t i = 0; i < departures_.size(); ++i) {
    if (departures_[i].count != 0) transmit(settings_.ports[i], departures_[i]);
  }
  if (rejected != 0) rte_pktmbuf_free_bulk(buffers_.data(), rejected);
}

void Worker::transmit(std::uint16_t port, Departure& departure) noexcept {
  std::uint16_t sent = 0;
  for (unsigned attempt = 0; attempt < kTransmitAttempts; ++attempt) {
    sent = static_cast<std::uint16_t>(
        sent + rte_eth_tx_burst(port, static_cast<std::uint16_t>(settings_.index), &departure.buffers[sent],
                                static_cast<std::uint16_t>(departure.count - sent)));
    if (sent == departure.count) break;
    rte_pause();
  }
  for (std::uint16_t i = sent; i < departure.count; ++i) {
    burst_.packets[departure.packets[i]].outcome = Outcome::kTxFull;
    rte_pktmbuf_free(departure.buffers[i]);
  }
  departure.count = 0;
}

void Worker::rest(unsigned empty_polls) noexcept {
  switch (settings_.idle.mode) {
    case IdleMode::kSpin:
      return;
    case IdleMode::kPause:
      rte_pause();
      return;
    case IdleMode::kSleep:
      if (empty_polls >= kPollsBeforeRest) sleep();
      return;
    case IdleMode::kInterrupt:
      if (empty_polls >= kPollsBeforeRest) wait_for_interrupt();
      return;
  }
}

void Worker::sleep() noexcept {
  quiescence_.offline(settings_.index);
  const timespec span{0, static_cast<long>(settings_.idle.sleep_us) * 1000};
  clock_nanosleep(CLOCK_MONOTONIC, 0, &span, nullptr);
  quiescence_.online(settings_.index);
}

void Worker::listen_for_interrupts() noexcept {
  for (const std::uint16_t port : settings_.ports) {
    rte_eth_dev_rx_intr_ctl_q(port, static_cast<std::uint16_t>(settings_.index), RTE_EPOLL_PER_THREAD,
                              RTE_INTR_EVENT_ADD, nullptr);
  }
}

void Worker::wait_for_interrupt() noexcept {
  const auto queue = static_cast<std::uint16_t>(settings_.index);
  quiescence_.offline(settings_.index);
  for (const std::uint16_t port : settings_.ports) rte_eth_dev_rx_intr_enable(port, queue);
  rte_epoll_event event[1];
  rte_epoll_wait(RTE_EPOLL_PER_THREAD, event, 1, kInterruptTimeoutMs);
  for (const std::uint16_t port : settings_.ports) rte_eth_dev_rx_intr_disable(port, queue);
  quiescence_.online(settings_.index);
}

}  // namespace penstock
