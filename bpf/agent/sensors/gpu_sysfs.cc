#include <algorithm>
#include <cstdint>
#include <filesystem>

#include "bpf/agent/sensors/gpu.h"
#include "bpf/agent/sensors/parse.h"
#include "bpf/agent/sensors/text_file.h"

namespace penstock {
namespace {

Result<std::uint64_t> read_number(TextFile& file) {
  auto text = file.read();
  if (!text) return text.error();
  const auto value = only_number<std::uint64_t>(*text);
  if (!value) return unavailable(file.path() + " is not a number");
  return *value;
}

class SysfsGpus final : public GpuSource {
 public:
  struct Card {
    TextFile busy_percent;
    TextFile memory_used;
    TextFile memory_total;
  };
  explicit SysfsGpus(std::vector<Card> cards) : cards_(std::move(cards)) {}

  Result<GpuUse> read() override {
    GpuUse out;
    for (Card& card : cards_) {
      auto busy = read_number(card.busy_percent);
      if (!busy) return busy.error();
      const double share = static_cast<double>(std::min<std::uint64_t>(*busy, 100)) / 100;
      out.utilization = std::max(out.utilization.value_or(0), share);
      // Integrated ones may not tell: their memory is the host's.
      const auto used = read_number(card.memory_used);
      const auto total = read_number(card.memory_total);
      if (!used || !total || *total == 0) continue;
      out.memory = std::max(out.memory.value_or(0), static_cast<double>(*used) / static_cast<double>(*total));
    }
    return out;
  }

 private:
  std::vector<Card> cards_;
};

/// "card0", not its outputs "card0-HDMI-A-1".
bool is_card(const std::string& name) {
  return name.starts_with("card") && name.size() > 4 &&
         std::all_of(name.begin() + 4, name.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

}  // namespace

std::unique_ptr<GpuSource> find_sysfs_gpus(const SensorRoots& roots) {
  std::vector<SysfsGpus::Card> cards;
  std::error_code error;
  const std::filesystem::path folder = roots.sys + "/class/drm";
  for (auto entry = std::filesystem::directory_iterator(folder, error); !error && entry != end(entry);
       entry.increment(error)) {
    const std::string device = entry->path().string() + "/device/";
    std::error_code missing;
    if (!is_card(entry->path().filename()) || !std::filesystem::exists(device + "gpu_busy_percent", missing))
      continue;
    cards.push_back({TextFile(device + "gpu_busy_percent"), TextFile(device + "mem_info_vram_used"),
                     TextFile(device + "mem_info_vram_total")});
  }
  if (cards.empty()) return nullptr;
  return std::make_unique<SysfsGpus>(std::move(cards));
}

}  // namespace penstock
