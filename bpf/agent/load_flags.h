// The command line's part about load: what --service-cgroup, --orca-url, --label ... are made of. Every
// refusal is a sentence for who typed it.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "bpf/agent/load_settings.h"
#include "penstock/base/result.h"

namespace CLI {
class App;
}

namespace penstock {

/// The flags as they are typed. Outlives the parsing of the command line.
class LoadFlags {
 public:
  void add_to(CLI::App& app);
  /// After the command line has been read.
  [[nodiscard]] Result<LoadSettings> settings() const;

 private:
  std::uint32_t interval_ms_ = 50;
  std::vector<std::string> service_cgroups_;
  std::string orca_socket_;
  std::vector<std::string> orca_urls_;
  std::vector<std::string> nic_speeds_;
  std::vector<std::string> labels_;
  std::string price_per_hour_;
  std::string energy_price_per_kwh_;
  std::string currency_;
};

/// The parts of it, for tests. Errors carry the flag as their field.
Result<std::pair<std::string, std::string>> parse_service_cgroup(const std::string& text);
Result<OrcaEndpoint> parse_orca_url(const std::string& text);
Result<std::pair<std::string, std::uint32_t>> parse_nic_speed(const std::string& text);
Result<std::pair<std::string, std::string>> parse_label(const std::string& text);
Result<double> parse_price(const std::string& flag, const std::string& text, bool may_be_negative);

}  // namespace penstock
