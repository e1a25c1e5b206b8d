// The interfaces on which the gateways' packets arrive (and those whose speed was configured): bytes of
// /proc/net/dev against the link's speed, each way. An interface without a known speed has no utilisation.
//
// /proc/net and ethtool speak of this process's network namespace; /sys/class/net of that of whoever mounted
// it, which may be another one.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bpf/agent/sensors/rate.h"
#include "bpf/agent/sensors/sensor.h"
#include "bpf/agent/sensors/text_file.h"

namespace penstock {

struct NicCounters {
  std::uint64_t rx_bytes = 0;
  std::uint64_t tx_bytes = 0;
};
/// Calls `each` for every interface of the text.
Status parse_net_dev(std::string_view text,
                     const std::function<void(std::string_view name, const NicCounters&)>& each);

/// Mbit/s as the driver tells it; nothing when it does not know, or the link is down.
std::optional<std::uint32_t> link_speed_mbps(const std::string& interface);

class NicSensor final : public Sensor {
 public:
  using Speed = std::function<std::optional<std::uint32_t>(const std::string& interface)>;

  /// `speeds` go before what `ask` says.
  NicSensor(const SensorRoots& roots, const std::vector<std::string>& interfaces,
            const std::map<std::string, std::uint32_t>& speeds_mbps, Speed ask = link_speed_mbps);
  [[nodiscard]] const char* name() const override { return "network interface"; }
  [[nodiscard]] Nanoseconds period() const override { return kSeldom; }
  Status read(Nanoseconds now, HostLoad& load) override;

 private:
  struct Nic {
    std::optional<std::uint32_t> configured_mbps;
    std::optional<std::uint32_t> mbps;
    Nanoseconds asked;
    Growth<2> growth;  // rx_bytes, tx_bytes
  };
  void refresh_speed(const std::string& name, Nic& nic, Nanoseconds now) const;

  TextFile file_;
  Speed ask_;
  std::map<std::string, Nic, std::less<>> nics_;
};

}  // namespace penstock
