// One worker's pipeline with its flow table, counters, compiler and publisher, without EAL.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "dataplane/config/compiler.h"
#include "dataplane/config/publisher.h"
#include "dataplane/pipeline/pipeline.h"
#include "tests/unit/dataplane/pipeline/packet_builder.h"

namespace penstock::test {

inline constexpr std::size_t kHeadroom = 128;  // what DPDK leaves in front of a packet by default

inline IpAddr ip(const std::string& text) { return IpAddr::parse(text).value(); }

/// Services for tests: `service("web", "203.0.113.10", kProtoTcp, 80, Encap::kGue, {{"be1",
/// ip("10.0.0.1")}})`.
inline ServiceDocument service(std::string id, const std::string& vip, std::uint8_t protocol,
                               std::uint16_t port, Encap encap, std::vector<BackendDocument> backends) {
  ServiceDocument out;
  out.id = std::move(id);
  out.key = {ip(vip), protocol, port};
  out.encap = encap;
  out.backends = std::move(backends);
  out.table_size = choose_table_size(out.backends.size());
  return out;
}

/// The gateway's MAC is 02:…:a0, a neighbour's 02:…:b0, its addresses 192.0.2.1 and 2001:db8:ff::1.
inline NextHop next_hop(bool v6, std::uint16_t mtu = 1600) {
  return {{{2, 0, 0, 0, 0, 0xa0}}, {{2, 0, 0, 0, 0, 0xb0}}, ip(v6 ? "2001:db8:ff::1" : "192.0.2.1"), 3, mtu};
}

struct Answer {
  Outcome outcome;
  Bytes frame;  // as it lies in the buffer afterwards
  std::uint16_t port;
  std::uint32_t backend;
  bool new_flow;
  std::uint32_t length = 0;  // of the frame to send, further segments included
};

/// Extra frames in memory of exactly the size asked for.
class TestFrames final : public FrameSource {
 public:
  ExtraFrame take(std::uint32_t length) noexcept override {
    if (room_left == 0) return {};
    --room_left;
    buffers_.push_back(std::make_unique<std::uint8_t[]>(length));
    return {buffers_.back().get(), length, 0, nullptr};
  }
  void clear() { buffers_.clear(); }

  std::size_t room_left = 1000;

 private:
  std::vector<std::unique_ptr<std::uint8_t[]>> buffers_;
};

/// A frame that left besides those received.
struct Extra {
  Bytes frame;
  std::uint16_t port;
};

class Harness {
 public:
  explicit Harness(std::size_t flow_capacity = 4096, const RareSettings& rare = {},
                   const Reports& reports = {})
      : memory_(FlowTable::required_bytes(flow_capacity)),
        flows_(make_table()),
        counters_(256, 4096),
        publisher_(quiescence_, std::vector<LcoreCounters*>{&counters_}),
        pipeline_(flows_, counters_, rare, reports),
        compiler_(rare.nat.answered_addresses()) {
    document_.generation = 0;
    for (std::size_t i = 0; i < document_.hash_key.size(); ++i)
      document_.hash_key[i] = static_cast<std::uint8_t>(i);
  }

  /// Compiles and publishes. Every backend gets a next hop unless it is in `without`.
  void apply(std::vector<ServiceDocument> services, const std::vector<std::string>& without = {}) {
    document_.services = std::move(services);
    ++document_.generation;
    next_hops_.clear();
    for (const ServiceDocument& s : document_.services) {
      for (const BackendDocument& b : s.backends) next_hops_[b.address] = next_hop(b.address.is_v6(), mtu);
    }
    for (const std::string& address : without) next_hops_.erase(ip(address));
    auto snapshot = compiler_.compile(document_, next_hops_, now);
    if (!snapshot) throw std::runtime_error(snapshot.error().text());
    publisher_.publish(std::move(*snapshot));
  }

  /// first_segment: bytes of each frame that lie in one piece; what is behind them is out of sight.
  std::vector<Answer> run(const std::vector<Bytes>& frames, std::size_t headroom = kHeadroom,
                          std::size_t first_segment = SIZE_MAX) {
    std::vector<Bytes> buffers;
    for (const Bytes& frame : frames) {
      buffers.emplace_back(headroom);  // exactly as much room as stated, for the sanitizer to watch
      const std::size_t seen = std::min(frame.size(), first_segment);
      buffers.back().insert(buffers.back().end(), frame.begin(), frame.begin() + static_cast<long>(seen));
      buffers.back().shrink_to_fit();
    }
    burst_.count = static_cast<std::uint32_t>(frames.size());
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const std::size_t seen = buffers[i].size() - headroom;
      burst_.packets[i].set(buffers[i].data() + headroom, static_cast<std::uint32_t>(seen),
                            static_cast<std::uint32_t>(headroom), kIngressPort,
                            static_cast<std::uint32_t>(frames[i].size() - seen));
    }
    burst_.frames = &frames_;
    burst_.extra_count = 0;
    pipeline_.run(publisher_.current(), burst_, now);
    pipeline_.account(burst_);
    std::vector<Answer> answers;
    for (std::size_t i = 0; i < frames.size(); ++i) {
      const PacketView& p = burst_.packets[i];
      // Of a frame in segments what is in sight.
      const std::uint8_t* begin = p.data;
      const std::uint8_t* end =
          std::min<const std::uint8_t*>(begin + p.length, buffers[i].data() + buffers[i].size());
      answers.push_back(
          {p.outcome, Bytes(begin, end), p.egress_port, p.backend, p.new_flow, p.length + p.more});
    }
    extra.clear();
    for (std::uint32_t i = 0; i < burst_.extra_count; ++i) {
      const ExtraFrame& e = burst_.extra[i];
      if (e.length != 0) extra.push_back({Bytes(e.data, e.data + e.length), e.egress_port});
    }
    frames_.clear();
    return answers;
  }
  void idle() { pipeline_.idle(publisher_.current(), now); }
  Answer run(const PacketBuilder& one) { return run({one.build()}).front(); }

  [[nodiscard]] const Snapshot& snapshot() const { return publisher_.current(); }
  [[nodiscard]] LcoreCounters& counters() { return counters_; }
  [[nodiscard]] FlowTable& flows() { return flows_; }
  [[nodiscard]] std::uint64_t count(Outcome o) const {
    return counters_.outcomes[static_cast<std::size_t>(o)].read();
  }
  [[nodiscard]] std::uint64_t sum_of_outcomes() const {
    std::uint64_t sum = 0;
    for (const Counter& c : counters_.outcomes) sum += c.read();
    return sum;
  }
  /// The id of the backend that a packet went to; "" for none.
  [[nodiscard]] std::string backend_id(std::uint32_t index) const {
    const auto place = snapshot().find_backend(index);
    return place.service == nullptr ? "" : place.service->document.backends[place.position].id;
  }

  Nanoseconds now = Nanoseconds::from_seconds(1000);
  std::uint16_t mtu = 1600;
  std::vector<Extra> extra;  // of the last run
  TestFrames& frames() { return frames_; }
  static constexpr std::uint16_t kIngressPort = 5;

 private:
  // Nobody else reads: whatever was published before is free at once.
  struct Immediate final : Quiescence {
    void synchronize() override {}
  };
  struct AlignedMemory {
    explicit AlignedMemory(std::size_t n) : size(n), data(new (std::align_val_t{64}) std::byte[n]) {}
    std::size_t size;
    struct Free {
      void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{64}); }
    };
    std::unique_ptr<std::byte[], Free> data;
  };

  FlowTable make_table() {
    auto table = FlowTable::create({memory_.data.get(), memory_.size}, 1, tick_of(now));
    if (!table) throw std::runtime_error(table.error().text());
    return std::move(*table);
  }

  AlignedMemory memory_;
  FlowTable flows_;
  LcoreCounters counters_;
  Immediate quiescence_;
  Publisher publisher_;
  Pipeline pipeline_;
  Compiler compiler_;
  Document document_;
  NextHops next_hops_;
  Burst burst_;
  TestFrames frames_;
};

}  // namespace penstock::test
