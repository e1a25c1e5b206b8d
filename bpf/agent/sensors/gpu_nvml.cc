// NVML by its published binary interface: a handful of functions by name, no header of it.
// https://docs.nvidia.com/deploy/nvml-api/
#include <dlfcn.h>

#include <algorithm>
#include <utility>

#include "bpf/agent/sensors/gpu.h"

namespace penstock {
namespace {

using NvmlReturn = int;  // 0: success
using NvmlDevice = void*;
struct NvmlUtilization {
  unsigned gpu;     // percent of the last sample period
  unsigned memory;  // of its bandwidth, not of its size
};
struct NvmlMemory {
  unsigned long long total;
  unsigned long long free;
  unsigned long long used;
};

struct CloseLibrary {
  void operator()(void* library) const { dlclose(library); }
};
using Library = std::unique_ptr<void, CloseLibrary>;

template <class Function>
bool find_function(void* library, const char* name, Function& out) {
  out = reinterpret_cast<Function>(dlsym(library, name));
  return out != nullptr;
}

class NvmlGpus final : public GpuSource {
 public:
  explicit NvmlGpus(Library library) : library_(std::move(library)) {}
  ~NvmlGpus() override {
    if (ready_) shutdown_();
  }

  bool find_functions() {
    void* const from = library_.get();
    return find_function(from, "nvmlInit_v2", init_) && find_function(from, "nvmlShutdown", shutdown_) &&
           find_function(from, "nvmlDeviceGetCount_v2", count_) &&
           find_function(from, "nvmlDeviceGetHandleByIndex_v2", by_index_) &&
           find_function(from, "nvmlDeviceGetUtilizationRates", utilization_) &&
           find_function(from, "nvmlDeviceGetMemoryInfo", memory_);
  }

  Result<GpuUse> read() override {
    if (!ready_) {
      if (const NvmlReturn error = init_(); error != 0) return failed("nvmlInit", error);
      ready_ = true;
    }
    unsigned count = 0;
    if (const NvmlReturn error = count_(&count); error != 0) return start_anew("nvmlDeviceGetCount", error);
    GpuUse out;
    for (unsigned index = 0; index < count; ++index) {
      NvmlDevice device = nullptr;
      if (const NvmlReturn error = by_index_(index, &device); error != 0)
        return start_anew("nvmlDeviceGetHandleByIndex", error);
      add(device, out);
    }
    return out;
  }

 private:
  static Error failed(const char* function, NvmlReturn error) {
    return unavailable(std::string(function) + " of NVML fails with " + std::to_string(error));
  }

  /// A driver that was reloaded needs a new beginning.
  Error start_anew(const char* function, NvmlReturn error) {
    shutdown_();
    ready_ = false;
    return failed(function, error);
  }

  /// A card may not know one of them (MIG partitions do not tell their utilisation).
  void add(NvmlDevice device, GpuUse& out) const {
    NvmlUtilization utilization{};
    if (utilization_(device, &utilization) == 0)
      out.utilization = std::max(out.utilization.value_or(0), utilization.gpu / 100.0);
    NvmlMemory memory{};
    if (memory_(device, &memory) == 0 && memory.total > 0) {
      const double used = static_cast<double>(memory.used) / static_cast<double>(memory.total);
      out.memory = std::max(out.memory.value_or(0), used);
    }
  }

  Library library_;
  bool ready_ = false;
  NvmlReturn (*init_)() = nullptr;
  NvmlReturn (*shutdown_)() = nullptr;
  NvmlReturn (*count_)(unsigned*) = nullptr;
  NvmlReturn (*by_index_)(unsigned, NvmlDevice*) = nullptr;
  NvmlReturn (*utilization_)(NvmlDevice, NvmlUtilization*) = nullptr;
  NvmlReturn (*memory_)(NvmlDevice, NvmlMemory*) = nullptr;
};

}  // namespace

std::unique_ptr<GpuSource> find_nvml_gpus(const std::string& library) {
  Library handle(dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL));
  if (!handle) return nullptr;
  auto gpus = std::make_unique<NvmlGpus>(std::move(handle));
  if (!gpus->find_functions()) return nullptr;
  return gpus;
}

}  // namespace penstock
