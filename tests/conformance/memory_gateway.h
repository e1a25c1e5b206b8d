// A gateway in memory, without EAL: validated configuration, compiler, publisher, pipeline, one worker's
// state.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/config/compiler.h"
#include "dataplane/config/publisher.h"
#include "dataplane/pipeline/pipeline.h"
#include "tests/conformance/table.h"

namespace penstock::conformance {

/// Throws std::runtime_error when the configuration is refused.
class MemoryGateway {
 public:
  explicit MemoryGateway(const Gateway& gateway);

  struct Arrival {
    Bytes frame;
    std::size_t first_segment;  // bytes; the rest lies in further segments
  };
  /// One burst. Returns the frames that leave, in order.
  std::vector<Bytes> run(const std::vector<Arrival>& arrivals);

  void wait(Nanoseconds time) { now_ = now_ + time; }
  /// Since the start, those that occurred.
  [[nodiscard]] std::map<std::string, std::uint64_t> outcomes() const;
  [[nodiscard]] std::uint64_t received() const { return counters_.received.read(); }

 private:
  // Nobody else reads: whatever was published before is free at once.
  struct Immediate final : Quiescence {
    void synchronize() override {}
  };
  struct AlignedFree {
    void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{64}); }
  };
  struct Frames final : FrameSource {
    ExtraFrame take(std::uint32_t length) noexcept override;
    std::vector<std::unique_ptr<Bytes>> buffers;
  };

  FlowTable make_flows();
  void publish(const Gateway& gateway);

  Nanoseconds now_ = Nanoseconds::from_seconds(1000);
  std::unique_ptr<std::byte[], AlignedFree> memory_;
  FlowTable flows_;
  LcoreCounters counters_;
  Immediate quiescence_;
  Publisher publisher_;
  Compiler compiler_;
  Pipeline pipeline_;
  Frames frames_;
  Burst burst_;
};

}  // namespace penstock::conformance
