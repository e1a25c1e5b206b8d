// The addresses of the tests, the same in both families.
#pragma once

#include <string>
#include <vector>

namespace penstock {

struct Family {
  std::string vip, client, stranger, gateway, own;
  std::vector<std::string> hops;
};

inline const Family kV4{"203.0.113.10", "198.51.100.7", "198.51.100.66",
                 "10.0.31.1",    "10.0.31.2",    {"10.0.31.11", "10.0.31.12", "10.0.31.13"}};
inline const Family kV6{"2001:db8:5::10", "2001:db8:c::7", "2001:db8:c::66",
                 "fd00:31::1",     "fd00:31::2",    {"fd00:31::11", "fd00:31::12", "fd00:31::13"}};

inline constexpr std::uint16_t kPort = 80, kUdpPort = 7;

}  // namespace penstock
