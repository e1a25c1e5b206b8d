// The gateway that fuzz_pipeline drives: one snapshot with a service of every kind, and one worker. Both are
// made once, since a worker's memory costs more than an input; between inputs so much time passes that
// nothing is left of the one before.
#pragma once

#include <memory>
#include <new>
#include <vector>

#include "dataplane/config/compiler.h"
#include "dataplane/config/publisher.h"
#include "dataplane/pipeline/pipeline.h"

namespace penstock::fuzz {

/// Compiled from kWorldConfig (world.cc) through validation, as the dataplane would. Aborts if it is refused.
[[nodiscard]] const Snapshot& world();

/// Room for extra frames, each with bounds of its own. No more than a worker would have.
class Frames final : public FrameSource {
 public:
  ExtraFrame take(std::uint32_t length) noexcept override;
  void free_all() { frames_.clear(); }

  static constexpr std::uint32_t kMostBytes = 9216;  // a jumbo frame

 private:
  std::vector<std::unique_ptr<std::uint8_t[]>> frames_;
};

/// One worker.
class Worker {
 public:
  Worker();

  void run(Burst& burst);
  void wait(Nanoseconds time) { now_ = now_ + time; }
  /// Longer than anything in this world lasts.
  void forget() { wait(Nanoseconds::from_seconds(1000)); }
  /// Before the clock turns over.
  [[nodiscard]] bool is_old() const { return now_ > Nanoseconds(std::uint64_t{1} << 63); }
  [[nodiscard]] const LcoreCounters& counters() const { return counters_; }

 private:
  struct AlignedFree {
    void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  [[nodiscard]] FlowTable make_flows();

  Nanoseconds now_ = Nanoseconds::from_seconds(1000);
  std::unique_ptr<std::byte[], AlignedFree> memory_;
  FlowTable flows_;
  LcoreCounters counters_;
  BackendStates states_;  // every fifth is down
  ForeignFlows foreign_;
  Pipeline pipeline_;
};

}  // namespace penstock::fuzz
