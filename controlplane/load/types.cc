#include "controlplane/load/types.h"

namespace penstock::load {

const char* name_of(Dimension dimension) {
  static constexpr std::array<const char*, kDimensions> kNames = {
      "cpu_utilization",  "mem_utilization",    "gpu_utilization",    "gpu_mem_utilization",
      "disk_utilization", "nic_rx_utilization", "nic_tx_utilization", "application_utilization"};
  return kNames[static_cast<std::size_t>(dimension)];
}

}  // namespace penstock::load
