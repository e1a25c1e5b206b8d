// What a user writes for a port: a DPDK device with its arguments, "0000:3b:00.0,arg=x" or
// "net_af_xdp0,iface=eth0". Pure text; the device is not touched.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "penstock/base/result.h"

namespace penstock {

struct Devargs {
  std::string text;  // whole, as given
  std::string name;  // up to the first comma
  bool is_pci = false;
  bool is_af_xdp = false;

  /// The value of `key=`, if it is there.
  [[nodiscard]] std::optional<std::string> argument(std::string_view key) const;
};

/// InvalidArgument, field "port", when it is neither a PCI address nor a network vdev, or when it is an
/// AF_XDP device without iface= or with xdp_prog= (the steering program is ours).
[[nodiscard]] Result<Devargs> parse_devargs(const std::string& text);

}  // namespace penstock
