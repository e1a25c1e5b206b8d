#include "bpf/agent/sensors/nics.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "bpf/agent/sensors/parse.h"

namespace penstock {
namespace {

constexpr Nanoseconds kAskSpeedEvery = Nanoseconds::from_seconds(10);

}  // namespace

Status parse_net_dev(std::string_view text,
                     const std::function<void(std::string_view, const NicCounters&)>& each) {
  take_until(text, '\n');  // two lines of headings
  take_until(text, '\n');
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    if (line.empty()) continue;
    std::string_view before = take_until(line, ':');
    const std::string_view name = take_word(before);
    std::uint64_t columns[9];  // rx: bytes packets errs drop fifo frame compressed multicast; tx: bytes
    for (std::uint64_t& column : columns) {
      const auto value = number<std::uint64_t>(take_word(line));
      if (!value || name.empty()) return unavailable("a line in /proc/net/dev that is not understood");
      column = *value;
    }
    each(name, {columns[0], columns[8]});
  }
  return Ok{};
}

std::optional<std::uint32_t> link_speed_mbps(const std::string& interface) {
  const FileDescriptor socket_fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  // The old command: one call, and every driver's answer is translated to it by the kernel.
  ethtool_cmd command{};
  command.cmd = ETHTOOL_GSET;
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  request.ifr_data = reinterpret_cast<char*>(&command);
  if (!socket_fd.valid() || ioctl(socket_fd.get(), SIOCETHTOOL, &request) != 0) return std::nullopt;
  const std::uint32_t speed = ethtool_cmd_speed(&command);
  if (speed == 0 || speed == static_cast<std::uint32_t>(SPEED_UNKNOWN) || speed == 0xffff)
    return std::nullopt;
  return speed;
}

NicSensor::NicSensor(const SensorRoots& roots, const std::vector<std::string>& interfaces,
                     const std::map<std::string, std::uint32_t>& speeds_mbps, Speed ask)
    : file_(roots.proc + "/net/dev"), ask_(std::move(ask)) {
  for (const std::string& interface : interfaces) nics_[interface];
  for (const auto& [interface, mbps] : speeds_mbps) nics_[interface].configured_mbps = mbps;
}

void NicSensor::refresh_speed(const std::string& name, Nic& nic, Nanoseconds now) const {
  if (nic.configured_mbps) {
    nic.mbps = nic.configured_mbps;
  } else if (nic.asked == Nanoseconds() || now - nic.asked >= kAskSpeedEvery) {
    nic.mbps = ask_(name);
    nic.asked = now;
  }
}

Status NicSensor::read(Nanoseconds now, HostLoad& load) {
  load.nic_rx_utilization.reset();
  load.nic_tx_utilization.reset();
  auto text = file_.read();
  if (!text) return text.error();
  const auto raise = [now](Measurement& busiest, std::uint64_t bytes, Nanoseconds elapsed,
                           std::uint32_t mbps) {
    const double seconds = static_cast<double>(elapsed.count()) / 1e9;
    const double share = static_cast<double>(bytes) * 8 / seconds / (mbps * 1e6);
    if (!busiest || busiest->value < share) busiest = Measured{share, now};
  };
  return parse_net_dev(*text, [&](std::string_view name, const NicCounters& counters) {
    const auto nic = nics_.find(name);
    if (nic == nics_.end()) return;
    refresh_speed(nic->first, nic->second, now);
    const auto step = nic->second.growth.add({counters.rx_bytes, counters.tx_bytes}, now);
    if (!step || !nic->second.mbps) return;
    raise(load.nic_rx_utilization, step->counters[0], step->elapsed, *nic->second.mbps);
    raise(load.nic_tx_utilization, step->counters[1], step->elapsed, *nic->second.mbps);
  });
}

}  // namespace penstock
