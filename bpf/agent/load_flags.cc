#include "bpf/agent/load_flags.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <sys/un.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <cmath>

#include "penstock/config/limits.h"

namespace penstock {
namespace {

constexpr std::size_t kMostLabels = 64;
constexpr std::size_t kLongestLabelKey = 63;
constexpr std::size_t kLongestLabelValue = 255;
constexpr std::size_t kMostEndpoints = 16;  // each has a thread
constexpr std::uint32_t kFastestNicMbps = 10'000'000;
constexpr double kHighestPrice = 1e9;

template <class Number>
bool parse_whole(const std::string& text, Number& out) {
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, out);
  return error == std::errc{} && stopped == end;
}

/// The two sides of the first '='; false when there is none or a side is empty.
bool split(const std::string& text, std::string& name, std::string& value) {
  const auto at = text.find('=');
  if (at == std::string::npos || at == 0 || at + 1 == text.size()) return false;
  name = text.substr(0, at);
  value = text.substr(at + 1);
  return true;
}

bool is_printable(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

bool is_loopback(const std::string& host) {
  in_addr v4{};
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  return host == "::1";
}

/// Adds what `parse` makes of every text; a name may be given once.
template <class Value, class Parse>
Status collect(std::map<std::string, Value>& out, const std::string& flag,
               const std::vector<std::string>& texts, Parse parse) {
  for (const std::string& text : texts) {
    auto entry = parse(text);
    if (!entry) return entry.error();
    const std::string name = entry->first;
    if (!out.insert(std::move(*entry)).second) return invalid(flag, "'" + name + "' is given twice");
  }
  return Ok{};
}

Status check_socket(const std::string& path) {
  if (path.empty()) return Ok{};
  if (path[0] != '/') return invalid("--orca-socket", "'" + path + "' is not an absolute path");
  if (path.size() >= sizeof(sockaddr_un{}.sun_path)) {
    return invalid("--orca-socket", "the path is longer than the 107 bytes that a socket's may have");
  }
  return Ok{};
}

}  // namespace

Result<std::pair<std::string, std::string>> parse_service_cgroup(const std::string& text) {
  std::string service, path;
  if (!split(text, service, path)) {
    return invalid("--service-cgroup",
                   "'" + text + "' is not SERVICE=PATH, as in web=/system.slice/nginx.service");
  }
  if (!is_valid_id(service.data(), service.size())) {
    return invalid("--service-cgroup", "'" + service + "' cannot be a service's id");
  }
  if (path[0] != '/' || path == "/" || path.find("/..") != std::string::npos) {
    return invalid("--service-cgroup",
                   "'" + path + "' is not a cgroup's path; it begins with '/' and is not the root");
  }
  return std::pair(service, path);
}

Result<OrcaEndpoint> parse_orca_url(const std::string& text) {
  const auto refuse = [&](const std::string& why) { return invalid("--orca-url", "'" + text + "' " + why); };
  constexpr std::string_view kScheme = "http://";
  OrcaEndpoint out;
  const auto begin = text.find(kScheme);
  if (begin == std::string::npos)
    return refuse("must be http://127.0.0.1:PORT/PATH; https is not needed on loopback");
  if (begin != 0) {
    out.service = text.substr(0, begin - 1);
    if (text[begin - 1] != '=' || !is_valid_id(out.service.data(), out.service.size())) {
      return refuse("must be a URL, or SERVICE=URL with a service's id");
    }
  }
  const std::string rest = text.substr(begin + kScheme.size());
  const auto slash = rest.find('/');
  const std::string authority = rest.substr(0, slash);
  out.path = slash == std::string::npos ? "/" : rest.substr(slash);
  if (!is_printable(out.path) || out.path.find(' ') != std::string::npos || out.path.size() > 1024) {
    return refuse("has a path with spaces or other bytes that no path has, or of more than 1024");
  }
  const auto colon = authority.rfind(':');
  const bool has_port = colon != std::string::npos && authority.find(']', colon) == std::string::npos;
  out.host = has_port ? authority.substr(0, colon) : authority;
  out.port = 80;
  if (has_port && (!parse_whole(authority.substr(colon + 1), out.port) || out.port == 0)) {
    return refuse("has no port of 1–65535 after the colon");
  }
  if (out.host.size() > 2 && out.host.front() == '[' && out.host.back() == ']') {
    out.host = out.host.substr(1, out.host.size() - 2);
  }
  if (out.host == "localhost") out.host = "127.0.0.1";
  if (!is_loopback(out.host))
    return refuse("is not on loopback; the agent asks applications of its own host only");
  return out;
}

Result<std::pair<std::string, std::uint32_t>> parse_nic_speed(const std::string& text) {
  std::string name, number;
  std::uint32_t mbps = 0;
  if (!split(text, name, number) || name.size() >= IFNAMSIZ || name.find('/') != std::string::npos) {
    return invalid("--nic-speed-mbps", "'" + text + "' is not INTERFACE=MBPS, as in eth0=25000");
  }
  if (!parse_whole(number, mbps) || mbps == 0 || mbps > kFastestNicMbps) {
    return invalid("--nic-speed-mbps", "'" + number + "' is not a speed of 1–10000000 Mbit/s");
  }
  return std::pair(name, mbps);
}

Result<std::pair<std::string, std::string>> parse_label(const std::string& text) {
  std::string key, value;
  if (!split(text, key, value))
    return invalid("--label", "'" + text + "' is not KEY=VALUE, as in zone=eu-1a");
  const bool good =
      key.size() <= kLongestLabelKey && std::all_of(key.begin(), key.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.' || c == '/';
      });
  if (!good) {
    return invalid("--label",
                   "'" + key + "' is not a key of at most 63 letters, digits, '-', '_', '.' and '/'");
  }
  if (value.size() > kLongestLabelValue || !is_printable(value)) {
    return invalid("--label", "the value of '" + key + "' is longer than 255 bytes or not printable ASCII");
  }
  return std::pair(key, value);
}

Result<double> parse_price(const std::string& flag, const std::string& text, bool may_be_negative) {
  double price = 0;
  if (!parse_whole(text, price) || !std::isfinite(price) || std::abs(price) > kHighestPrice) {
    return invalid(flag, "'" + text + "' is not a price, as in 0.42");
  }
  if (price < 0 && !may_be_negative) return invalid(flag, "must not be negative");
  return price;
}

void LoadFlags::add_to(CLI::App& app) {
  app.add_option("--probe-load-interval-ms", interval_ms_,
                 "How often the load in answers to probes is renewed")
      ->check(CLI::Range(10, 1000))
      ->capture_default_str();
  app.add_option("--service-cgroup", service_cgroups_,
                 "SERVICE=PATH: the cgroup whose CPU is the service's; may be repeated");
  app.add_option("--orca-socket", orca_socket_,
                 "Unix socket where applications report their load as lines of JSON with ORCA's names");
  app.add_option(
      "--orca-url", orca_urls_,
      "http://127.0.0.1:PORT/PATH or SERVICE=http://...: asked for an ORCA report every second; may be "
      "repeated");
  app.add_option("--nic-speed-mbps", nic_speeds_,
                 "INTERFACE=MBPS: its speed, where the driver does not tell the right one; may be repeated");
  app.add_option("--label", labels_,
                 "KEY=VALUE that the control plane shows, as zone=eu-1a; may be repeated");
  app.add_option("--price-per-hour", price_per_hour_, "What this host costs per hour");
  app.add_option("--energy-price-per-kwh", energy_price_per_kwh_, "What its energy costs; may be negative");
  app.add_option("--currency", currency_, "Of the prices: three letters, as EUR (ISO 4217)");
}

Result<LoadSettings> LoadFlags::settings() const {
  LoadSettings out;
  out.interval = Nanoseconds::from_millis(interval_ms_);
  out.orca_socket = orca_socket_;
  out.currency = currency_;
  if (auto good = check_socket(orca_socket_); !good) return good.error();
  if (auto done = collect(out.service_cgroups, "--service-cgroup", service_cgroups_, parse_service_cgroup);
      !done)
    return done.error();
  if (auto done = collect(out.nic_speeds_mbps, "--nic-speed-mbps", nic_speeds_, parse_nic_speed); !done)
    return done.error();
  if (auto done = collect(out.labels, "--label", labels_, parse_label); !done) return done.error();
  if (labels_.size() > kMostLabels) return invalid("--label", "at most 64 labels can be given");
  if (orca_urls_.size() > kMostEndpoints) return invalid("--orca-url", "at most 16 can be given");
  for (const std::string& text : orca_urls_) {
    auto endpoint = parse_orca_url(text);
    if (!endpoint) return endpoint.error();
    out.orca_endpoints.push_back(std::move(*endpoint));
  }
  const auto price = [](const char* flag, const std::string& text, bool negative,
                        std::optional<double>& to) -> Status {
    if (text.empty()) return Ok{};
    auto parsed = parse_price(flag, text, negative);
    if (!parsed) return parsed.error();
    to = *parsed;
    return Ok{};
  };
  if (auto done = price("--price-per-hour", price_per_hour_, false, out.price_per_hour); !done)
    return done.error();
  if (auto done = price("--energy-price-per-kwh", energy_price_per_kwh_, true, out.energy_price_per_kwh);
      !done)
    return done.error();
  const bool letters =
      std::all_of(currency_.begin(), currency_.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!currency_.empty() && (currency_.size() != 3 || !letters))
    return invalid("--currency", "'" + currency_ + "' is not three capital letters, as EUR");
  if (currency_.empty() && (out.price_per_hour || out.energy_price_per_kwh))
    return invalid("--currency", "is needed where a price is given");
  return out;
}

}  // namespace penstock
