#include "dataplane/dpdk/worker.h"

#include <rte_ethdev.h>
#include <rte_interrupts.h>
#include <rte_pause.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cstring>
#include <ctime>

namespace penstock {
namespace {

// A port that is full for longer than this does not catch up within a burst's time.
constexpr unsigned kTransmitAttempts = 8;
// Empty polls before a worker rests: long enough to span the gaps inside a train of packets.
constexpr unsigned kPollsBeforeRest = 64;
// Bounds how late a missed interrupt, a stop or an expiring flow is noticed.
constexpr int kInterruptTimeoutMs = 10;

// The first segment keeps its new length; of the others `more` bytes stay, the rest is padding.
[[gnu::cold]] void resize_segments(rte_mbuf* buffer, std::uint32_t more) noexcept {
  rte_mbuf* last = buffer;
  std::uint16_t segments = 1;
  while (more != 0 && last->next != nullptr) {
    last = last->next;
    ++segments;
    last->data_len = static_cast<std::uint16_t>(std::min<std::uint32_t>(last->data_len, more));
    more -= last->data_len;
  }
  rte_pktmbuf_free(last->next);
  last->next = nullptr;
  buffer->nb_segs = segments;
  buffer->pkt_len -= more;
}

// The buffer now holds the frame to send, without offloads. How the buffer is attached must stay.
void resize(rte_mbuf* buffer, const PacketView& packet) noexcept {
  buffer->data_off = static_cast<std::uint16_t>(packet.data - static_cast<std::uint8_t*>(buffer->buf_addr));
  buffer->data_len = static_cast<std::uint16_t>(packet.length);
  buffer->pkt_len = packet.length;
  buffer->ol_flags &= RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT;
  if (buffer->nb_segs != 1) [[unlikely]] {
    buffer->pkt_len += packet.more;
    resize_segments(buffer, packet.more);
  }
}

}  // namespace

Worker::Worker(Settings settings, FlowTable& flows, LcoreCounters& counters, RcuQuiescence& quiescence)
    : settings_(std::move(settings)),
      flows_(flows),
      counters_(counters),
      quiescence_(quiescence),
      pipeline_(flows, counters, settings_.rare, settings_.reports),
      extra_frames_(settings_.buffers),
      departures_(settings_.ports.size()) {
  burst_.frames = &extra_frames_;
}

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
    bool emptied = true;
    for (std::uint16_t position = 0; position < settings_.ports.size(); ++position) {
      const unsigned count = poll(position, publisher.current(), now);
      quiescence_.quiescent(settings_.index);
      received += count;
      emptied &= count < kMaxBurst;
    }
    if (OwnWorker* const own = settings_.rare.own; own != nullptr) {
      own->polled(now, emptied);
      send_own();
    }
    std::uint64_t end = rte_rdtsc();
    progress_tsc_.store(end, std::memory_order_relaxed);
    empty_polls = received != 0 ? 0 : empty_polls + 1;
    if (received == 0) {
      pipeline_.idle(publisher.current(), now);
      rest(empty_polls);
      end = rte_rdtsc();
    }
    (received != 0 ? counters_.busy_cycles : counters_.idle_cycles).add(end - begin);
    begin = end;
  }
  quiescence_.leave(settings_.index);
}

unsigned Worker::poll(std::uint16_t position, const Snapshot& snapshot, Nanoseconds now) noexcept {
  const std::uint16_t count = rte_eth_rx_burst(
      settings_.ports[position], static_cast<std::uint16_t>(settings_.index), buffers_.data(), kMaxBurst);
  counters_.burst_sizes[count].add(1);
  if (count == 0) return 0;
  for (unsigned i = 0; i < count; ++i) {
    rte_mbuf* buffer = buffers_[i];
    auto* frame = rte_pktmbuf_mtod(buffer, std::uint8_t*);
    __builtin_prefetch(frame);
    burst_.packets[i].set(frame, buffer->data_len, rte_pktmbuf_headroom(buffer), position,
                          buffer->pkt_len - buffer->data_len);
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
    if (!is_sent(packet.outcome)) {
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
  if (burst_.extra_count != 0) [[unlikely]]
    transmit_extra();
}

std::uint16_t Worker::send(std::uint16_t port, rte_mbuf** buffers, std::uint16_t count) noexcept {
  std::uint16_t sent = 0;
  for (unsigned attempt = 0; attempt < kTransmitAttempts; ++attempt) {
    sent = static_cast<std::uint16_t>(
        sent + rte_eth_tx_burst(port, static_cast<std::uint16_t>(settings_.index), &buffers[sent],
                                static_cast<std::uint16_t>(count - sent)));
    if (sent == count) break;
    rte_pause();
  }
  return sent;
}

void Worker::transmit(std::uint16_t port, Departure& departure) noexcept {
  const std::uint16_t sent = send(port, departure.buffers.data(), departure.count);
  for (std::uint16_t i = sent; i < departure.count; ++i) {
    burst_.packets[departure.packets[i]].outcome = Outcome::kTxFull;
    rte_pktmbuf_free(departure.buffers[i]);
  }
  departure.count = 0;
}

// After the burst's own frames, so that a fragment leaves behind the first one of its datagram.
void Worker::transmit_extra() noexcept {
  std::array<rte_mbuf*, kMaxExtraFrames> buffers;
  std::array<bool, kMaxExtraFrames> settled{};
  for (std::size_t port = 0; port < settings_.ports.size(); ++port) {
    std::uint16_t count = 0;
    for (std::uint32_t i = 0; i < burst_.extra_count; ++i) {
      const ExtraFrame& frame = burst_.extra[i];
      if (frame.length == 0 || frame.egress_port != port) continue;
      settled[i] = true;
      auto* buffer = static_cast<rte_mbuf*>(frame.handle);
      buffer->data_off =
          static_cast<std::uint16_t>(frame.data - static_cast<std::uint8_t*>(buffer->buf_addr));
      buffer->data_len = static_cast<std::uint16_t>(frame.length);
      buffer->pkt_len = frame.length;
      buffers[count++] = buffer;
    }
    if (count == 0) continue;
    const std::uint16_t sent = send(settings_.ports[port], buffers.data(), count);
    counters_.extra_sent.add(sent);
    counters_.extra_dropped.add(std::uint64_t{count} - sent);
    for (std::uint16_t i = sent; i < count; ++i) rte_pktmbuf_free(buffers[i]);
  }
  for (std::uint32_t i = 0; i < burst_.extra_count; ++i) {
    if (!settled[i]) rte_pktmbuf_free(static_cast<rte_mbuf*>(burst_.extra[i].handle));
  }
  burst_.extra_count = 0;
}

void Worker::send_own() noexcept {
  for (OutRing* ring : settings_.rare.own->out()) {
    if (ring->waiting() != 0) [[unlikely]]
      send_own(*ring);
  }
}

// A burst at most, so that clients' packets do not wait. In the order in which they were pushed, port by
// port.
void Worker::send_own(OutRing& ring) noexcept {
  const std::size_t count = std::min(ring.waiting(), kMaxBurst);
  std::array<rte_mbuf*, kMaxBurst> buffers;
  const bool room =
      rte_pktmbuf_alloc_bulk(settings_.buffers, buffers.data(), static_cast<unsigned>(count)) == 0;
  for (std::size_t begin = 0, end = 0; begin < count; begin = end) {
    const std::uint16_t port = ring.waiting_frame(begin).egress_port;
    for (; end < count && ring.waiting_frame(end).egress_port == port; ++end) {
      if (!room) continue;
      const OutFrame& frame = ring.waiting_frame(end);
      std::memcpy(rte_pktmbuf_append(buffers[end], static_cast<std::uint16_t>(frame.length)),
                  frame.bytes.data(), frame.length);
    }
    const bool known = room && port < settings_.ports.size();
    const std::uint16_t sent =
        known ? send(settings_.ports[port], &buffers[begin], static_cast<std::uint16_t>(end - begin)) : 0;
    const Nanoseconds at = clock_.at(rte_rdtsc());
    for (std::size_t i = begin; i < end; ++i) {
      const bool left = i - begin < sent;
      ring.set_sent(i, left ? at : Nanoseconds());
      if (room && !left) rte_pktmbuf_free(buffers[i]);
    }
  }
  ring.done(count);
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
