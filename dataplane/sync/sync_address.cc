#include "dataplane/sync/sync_address.h"

#include <charconv>

namespace penstock {

Result<SyncAddress> SyncAddress::parse(const std::string& text) {
  const Error wrong =
      invalid("", "'" + text + "' is not IP:PORT, such as 192.0.2.1:6082 or [2001:db8::1]:6082");
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return wrong;
  std::string host = text.substr(0, colon);
  const bool bracketed = host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  auto address = IpAddr::parse(host);
  if (!address || address->is_v6() != bracketed) return wrong;
  SyncAddress out{*address, 0};
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, out.port);
  if (error != std::errc{} || rest != end || out.port == 0) return wrong;
  const bool loopback = out.address.is_v4() ? out.address.data()[0] == 127 : out.address.text() == "::1";
  if (!out.address.is_unicast() && !loopback) return invalid("", host + " is not the address of one host");
  return out;
}

std::string SyncAddress::text() const {
  const std::string host = address.is_v6() ? "[" + address.text() + "]" : address.text();
  return host + ":" + std::to_string(port);
}

}  // namespace penstock
