#include "dataplane/dpdk/devargs.h"

#include <regex>

namespace penstock {

std::optional<std::string> Devargs::argument(std::string_view key) const {
  std::size_t at = text.find(',');
  while (at != std::string::npos) {
    const std::size_t end = text.find(',', at + 1);
    const std::string_view pair =
        std::string_view(text).substr(at + 1, end == std::string::npos ? std::string::npos : end - at - 1);
    if (pair.size() > key.size() && pair.starts_with(key) && pair[key.size()] == '=') {
      return std::string(pair.substr(key.size() + 1));
    }
    at = end;
  }
  return std::nullopt;
}

Result<Devargs> parse_devargs(const std::string& text) {
  static const std::regex kPci("([0-9a-fA-F]{4}:)?[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\\.[0-7]");
  static const std::regex kVdev("(net|eth)_[A-Za-z0-9_-]+");
  Devargs devargs;
  devargs.text = text;
  devargs.name = text.substr(0, text.find(','));
  devargs.is_pci = std::regex_match(devargs.name, kPci);
  devargs.is_af_xdp = devargs.name.starts_with("net_af_xdp");
  if (!devargs.is_pci && !std::regex_match(devargs.name, kVdev)) {
    return invalid("port", "'" + text +
                               "' is no device: write a PCI address (0000:3b:00.0) or a virtual device "
                               "(net_af_xdp0,iface=eth0)");
  }
  if (devargs.is_af_xdp) {
    if (devargs.argument("iface").value_or("").empty())
      return invalid("port", "'" + text + "' lacks iface=, the kernel's interface");
    if (devargs.argument("xdp_prog")) {
      return invalid("port",
                     "'" + text + "' has xdp_prog=, but the dataplane loads its own steering program");
    }
  }
  return devargs;
}

}  // namespace penstock
