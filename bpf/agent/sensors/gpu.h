// GPUs: NVIDIA's by NVML, which is looked for when the process runs and not when it is built; others by what
// their drivers put into sysfs (amdgpu's `gpu_busy_percent`, `mem_info_vram_*`). Both may block for as long
// as a driver likes, so they are read on a thread of their own, once a second.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "bpf/agent/sensors/sensor.h"

namespace penstock {

/// Shares of the busiest and of the fullest GPU.
struct GpuUse {
  std::optional<double> utilization;
  std::optional<double> memory;
};

/// One way to ask. Used by one thread.
class GpuSource {
 public:
  virtual ~GpuSource() = default;
  /// May block. An error is a sentence.
  virtual Result<GpuUse> read() = 0;
};

/// Null when there is no such library; what it finds is said by read(). `library`: a name for dlopen.
std::unique_ptr<GpuSource> find_nvml_gpus(const std::string& library = "libnvidia-ml.so.1");
/// Null when no card tells how busy it is.
std::unique_ptr<GpuSource> find_sysfs_gpus(const SensorRoots& roots);

class GpuSensor final : public Sensor {
 public:
  explicit GpuSensor(std::vector<std::unique_ptr<GpuSource>> sources);
  ~GpuSensor() override;
  [[nodiscard]] const char* name() const override { return "GPU"; }
  [[nodiscard]] Nanoseconds period() const override { return kSeldom; }
  /// Takes over what the thread read last.
  Status read(Nanoseconds now, HostLoad& load) override;

 private:
  void run();
  void read_once();

  std::vector<std::unique_ptr<GpuSource>> sources_;  // the thread's
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;
  Measurement utilization_;
  Measurement memory_;
  std::string problem_;
  std::thread thread_;
};

}  // namespace penstock
