// DPDK's environment: memory and the threads that the workers run on. Nothing is left on disk: memory is
// anonymous (--in-memory) and telemetry's socket is not made.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "penstock/base/result.h"

namespace penstock {

struct EalSettings {
  std::vector<unsigned> cpus;    // one worker each; lcore n runs on cpus[n]
  std::vector<std::string> pci;  // devargs of PCI devices to take over
  std::uint64_t memory_mb = 512;
  bool no_huge = false;
  bool debug_log = false;
  std::vector<std::string> extra;  // further EAL arguments, as the user gave them
};

/// One per process: EAL can be initialised once.
class Eal {
 public:
  /// InvalidArgument: a CPU that does not exist or may not be used, or one given twice; PermissionDenied or
  /// Unavailable (hugepages) otherwise, each with what to do about it.
  static Result<std::unique_ptr<Eal>> init(const EalSettings& settings);
  ~Eal();
  Eal(const Eal&) = delete;
  Eal& operator=(const Eal&) = delete;

 private:
  Eal() = default;
};

/// Whether this process has the capability (CAP_* number of linux/capability.h) in effect.
bool has_capability(int capability);

}  // namespace penstock
