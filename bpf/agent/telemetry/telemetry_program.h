// bpf/telemetry.bpf.c in the kernel: load what this kernel can take, attach it, map its memory.
// One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "bpf/agent/telemetry/hooks.h"
#include "penstock/abi/telemetry.h"
#include "penstock/base/result.h"

struct bpf_map;
struct telemetry_bpf;

namespace penstock {

class TelemetryProgram {
 public:
  /// `without`: programs to leave out. Unavailable when the kernel takes none of them.
  static Result<std::unique_ptr<TelemetryProgram>> load(const std::set<std::string>& without);
  ~TelemetryProgram();  // detaches
  TelemetryProgram(const TelemetryProgram&) = delete;
  TelemetryProgram& operator=(const TelemetryProgram&) = delete;

  [[nodiscard]] std::uint32_t slots() const {
    return PENSTOCK_TELEMETRY_RECORDS / shards_ < kMost ? PENSTOCK_TELEMETRY_RECORDS / shards_ : kMost;
  }
  /// Of the service in `slot`; each is written by the programs at any time.
  [[nodiscard]] std::span<telemetry_shard> shards(std::uint32_t slot) const {
    return {memory_ + std::size_t{slot} * shards_, shards_};
  }
  [[nodiscard]] telemetry_shared& shared() const;
  /// Of the service in `slot`: what scan() found, on top of what is there.
  [[nodiscard]] telemetry_scan& scan_of(std::uint32_t slot) const { return scans_[slot]; }
  /// Walks through all connections of all services. False: it failed. Only if has("scan").
  [[nodiscard]] bool scan();
  [[nodiscard]] int services_map() const;

  [[nodiscard]] bool has(const std::string& program) const { return attached_.contains(program); }
  /// One sentence for each role without a hook.
  [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }

 private:
  static constexpr std::uint32_t kMost = PENSTOCK_TELEMETRY_MAX_SLOTS;
  struct Destroy {
    void operator()(telemetry_bpf* program) const;
  };
  using Skeleton = std::unique_ptr<telemetry_bpf, Destroy>;

  TelemetryProgram() = default;
  [[nodiscard]] Skeleton try_load(const std::set<std::string>& programs) const;
  Status load_best(std::set<std::string> usable);
  static Result<void*> map(const bpf_map* map, std::size_t bytes);
  Status map_memory();
  void attach();
  void report_missing();

  std::uint32_t shards_ = 1;
  std::uint32_t netns_ = 0;
  Skeleton skeleton_;
  telemetry_shard* memory_ = nullptr;
  telemetry_scan* scans_ = nullptr;
  std::set<std::string> loaded_;
  std::set<std::string> attached_;
  std::vector<std::string> problems_;
};

}  // namespace penstock
