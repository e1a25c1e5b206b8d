#include "controlplane/simulation/processor_node.h"

#include <algorithm>
#include <utility>

namespace penstock::simulation {
namespace {
constexpr auto kCpu = static_cast<std::size_t>(Dimension::kCpu);

constexpr auto kLater = [](const auto& a, const auto& b) { return a.finish > b.finish; };
}  // namespace

ProcessorNode::ProcessorNode(const Node& node, std::vector<PerDimension> work)
    : capacity_(node.capacity), most_cpu_per_flow_(node.most_cpu_per_flow), classes_(work.size()) {
  factor_.fill(1);
  for (std::size_t k = 0; k < load::kDimensions; ++k) {
    if (capacity_[k] <= 0) continue;
    dimensions_.push_back(k);
    (is_occupancy(static_cast<Dimension>(k)) ? occupancies_ : rates_).push_back(k);
  }
  for (std::size_t c = 0; c < work.size(); ++c) classes_[c].work = work[c];
}

void ProcessorNode::advance(double now) {
  const double span = now - now_;
  now_ = now;
  if (span <= 0) return;
  for (Class& c : classes_) c.clock += c.rate * span;
  for (std::size_t k : dimensions_) {
    integrals_.used[k] += used_[k] * span;
    integrals_.background[k] += background_[k] * span;
  }
  integrals_.active += active_ * span;
  if (powered_) integrals_.powered += span;
}

void ProcessorNode::add(std::uint32_t service, FlowId flow, double size) {
  Class& c = classes_[service];
  c.heap.push_back({c.clock + size, flow});
  std::push_heap(c.heap.begin(), c.heap.end(), kLater);
  ++active_;
  share_out();
}

FlowId ProcessorNode::end_next() {
  Class& c = classes_[next_class_];
  std::pop_heap(c.heap.begin(), c.heap.end(), kLater);
  const Entry entry = c.heap.back();
  c.heap.pop_back();
  // An idle service's clock starts anew, which keeps its digits for the sizes.
  c.clock = c.heap.empty() ? 0 : std::max(c.clock, entry.finish);
  --active_;
  share_out();
  return entry.flow;
}

std::vector<FlowId> ProcessorNode::clear() {
  std::vector<FlowId> flows;
  for (Class& c : classes_) {
    for (const Entry& entry : c.heap) flows.push_back(entry.flow);
    c.heap.clear();
    c.clock = 0;
  }
  active_ = 0;
  share_out();
  return flows;
}

void ProcessorNode::set_background(Dimension dimension, double share) {
  background_[static_cast<std::size_t>(dimension)] = std::clamp(share, 0.0, 1.0);
  share_out();
}

void ProcessorNode::set_capacity(Dimension dimension, double factor) {
  factor_[static_cast<std::size_t>(dimension)] = factor;
  share_out();
}

double ProcessorNode::occupied(std::size_t k) const {
  double sum = 0;
  for (const Class& c : classes_) sum += static_cast<double>(c.heap.size()) * c.work[k];
  return sum;
}

void ProcessorNode::share_out() {
  double paging = 1;
  for (std::size_t k : occupancies_) {
    const double capacity = capacity_[k] * factor_[k], sum = occupied(k);
    used_[k] = capacity > 0 ? std::min(sum / capacity, 1.0) : 1;
    if (sum > capacity) paging = std::min(paging, capacity / sum);
  }
  fill(paging);
  find_next();
}

// Progressive filling. Each round fills one dimension, or brings a service's flows to the core that one flow
// can use.
void ProcessorNode::fill(double paging) {
  std::size_t open = 0;
  for (Class& c : classes_) {
    c.rate = 0;
    c.dominant = 0;
    c.filled = c.heap.empty();
    for (std::size_t k : rates_) {
      if (c.filled || c.work[k] <= 0) continue;
      const double room = free(k);
      if (room <= 0)
        c.filled = true;
      else
        c.dominant = std::max(c.dominant, c.work[k] / room);
    }
    if (c.dominant <= 0) c.filled = true;
    open += c.filled ? 0 : 1;
  }
  PerDimension taken{};  // of each dimension's free part
  while (open > 0) {
    double least = kNever;
    std::size_t full =
        load::kDimensions;  // the dimension that ends the round; kDimensions: a flow's limit does
    for (std::size_t k : rates_) {
      double demand = 0;
      for (const Class& c : classes_)
        if (!c.filled) demand += static_cast<double>(c.heap.size()) * c.work[k] / c.dominant;
      if (demand <= 0) continue;
      const double share = std::max(1 - taken[k], 0.0) * free(k) / demand;
      if (share < least) least = share, full = k;
    }
    const auto limit = [&](const Class& c) {
      return most_cpu_per_flow_ > 0 && c.work[kCpu] > 0 ? most_cpu_per_flow_ / c.work[kCpu] * c.dominant
                                                        : kNever;
    };
    for (const Class& c : classes_)
      if (!c.filled && limit(c) < least) least = limit(c), full = load::kDimensions;
    for (Class& c : classes_) {
      if (c.filled || !(full == load::kDimensions ? limit(c) <= least : c.work[full] > 0)) continue;
      c.filled = true;
      c.rate = least / c.dominant;
      --open;
      for (std::size_t k : rates_)
        if (c.work[k] > 0) taken[k] += static_cast<double>(c.heap.size()) * c.rate * c.work[k] / free(k);
    }
  }
  for (Class& c : classes_) c.rate *= paging;
  // A node that pages is busy with that.
  for (std::size_t k : rates_) used_[k] = background_[k] + (1 - background_[k]) * std::min(taken[k], 1.0);
}

void ProcessorNode::find_next() {
  next_end_ = kNever;
  for (std::uint32_t i = 0; i < classes_.size(); ++i) {
    const Class& c = classes_[i];
    if (c.heap.empty() || c.rate <= 0) continue;
    const double end = now_ + std::max(c.heap.front().finish - c.clock, 0.0) / c.rate;
    if (end < next_end_) next_end_ = end, next_class_ = i;
  }
}

double ProcessorNode::time_of_one_more(std::uint32_t service, double size) const {
  const Class& mine = classes_[service];
  double seconds = 0;
  for (std::size_t k : rates_) {
    if (mine.work[k] <= 0) continue;
    double flows = 1;
    for (const Class& c : classes_) flows += c.work[k] > 0 ? static_cast<double>(c.heap.size()) : 0;
    const double room = free(k);
    if (room <= 0) return kNever;
    seconds = std::max(seconds, size * mine.work[k] * flows / room);
    if (k == kCpu && most_cpu_per_flow_ > 0)
      seconds = std::max(seconds, size * mine.work[k] / most_cpu_per_flow_);
  }
  for (std::size_t k : occupancies_)
    seconds *= std::max(1.0, (occupied(k) + mine.work[k]) / (capacity_[k] * factor_[k]));
  return seconds;
}

}  // namespace penstock::simulation
