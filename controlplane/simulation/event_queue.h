// What happens next. Two heaps: one of events, and one of nodes by their next end, whose keys change at every
// arrival.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

namespace penstock::simulation {

enum class EventKind : std::uint8_t {
  kArrival,
  kReport,
  kReportArrives,
  kProbe,
  kProbeArrives,
  kStep,
  kMeasure,
  kBackground,
  kFault,
  kHealth,
  kAwake
};

struct Event {
  double time = 0;
  std::uint64_t order = 0;  // of equal times the one that was scheduled first
  EventKind kind = EventKind::kStep;
  std::uint32_t index = 0;   // of the service, node, message or fault
  std::uint32_t detail = 0;  // kBackground: which of the node's
};

class EventQueue {
 public:
  void schedule(double time, EventKind kind, std::uint32_t index, std::uint32_t detail = 0) {
    heap_.push_back({time, order_++, kind, index, detail});
    std::push_heap(heap_.begin(), heap_.end(), later);
  }
  /// Infinity if there is none.
  [[nodiscard]] double next() const {
    return heap_.empty() ? std::numeric_limits<double>::infinity() : heap_.front().time;
  }
  Event take() {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const Event event = heap_.back();
    heap_.pop_back();
    return event;
  }

 private:
  static bool later(const Event& a, const Event& b) {
    return a.time != b.time ? a.time > b.time : a.order > b.order;
  }

  std::vector<Event> heap_;
  std::uint64_t order_ = 0;
};

/// Nodes by the time of their next end: a binary heap with each node's place, O(log nodes) a change.
class NodeEnds {
 public:
  explicit NodeEnds(std::uint32_t nodes)
      : times_(nodes, std::numeric_limits<double>::infinity()), heap_(nodes), place_(nodes) {
    for (std::uint32_t i = 0; i < nodes; ++i) heap_[i] = place_[i] = i;
  }
  [[nodiscard]] std::uint32_t first() const { return heap_.front(); }
  [[nodiscard]] double next() const { return times_[heap_.front()]; }

  void set(std::uint32_t node, double time) {
    times_[node] = time;
    std::uint32_t at = place_[node];
    while (at > 0 && before(node, heap_[(at - 1) / 2])) at = move(heap_[(at - 1) / 2], at, (at - 1) / 2);
    for (std::uint32_t child = 2 * at + 1; child < heap_.size(); child = 2 * at + 1) {
      if (child + 1 < heap_.size() && before(heap_[child + 1], heap_[child])) ++child;
      if (!before(heap_[child], node)) break;
      at = move(heap_[child], at, child);
    }
    heap_[at] = node;
    place_[node] = at;
  }

 private:
  [[nodiscard]] bool before(std::uint32_t a, std::uint32_t b) const {
    return times_[a] != times_[b] ? times_[a] < times_[b] : a < b;
  }
  std::uint32_t move(std::uint32_t node, std::uint32_t to, std::uint32_t from) {
    heap_[to] = node;
    place_[node] = to;
    return from;
  }

  std::vector<double> times_;
  std::vector<std::uint32_t> heap_, place_;
};

}  // namespace penstock::simulation
