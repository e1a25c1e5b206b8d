#include "bpf/agent/interface_sysctls.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <utility>

namespace penstock {
namespace {

constexpr const char* kRoot = "/proc/sys/net/ipv4/conf/";

std::optional<int> read_value(const std::string& path) {
  std::ifstream file(kRoot + path);
  int value = 0;
  if (!(file >> value)) return std::nullopt;
  return value;
}

bool write_value(const std::string& path, int value) {
  std::ofstream file(kRoot + path);
  file << value << std::endl;
  return file.good();
}

/// What `name` must be raised to, given the values in force; nothing when it suffices.
std::optional<int> wanted(const std::string& name, int own, int all) {
  const int effective = std::max(own, all);
  if (name == "arp_ignore") return effective < 1 ? std::optional(1) : std::nullopt;
  if (name == "arp_announce") return effective < 2 ? std::optional(2) : std::nullopt;
  return effective == 1 ? std::optional(2) : std::nullopt;
}

}  // namespace

InterfaceSysctls::InterfaceSysctls(std::string journal) : journal_(std::move(journal)) { load(); }

void InterfaceSysctls::load() {
  std::ifstream file(journal_);
  Change change;
  while (file >> change.path >> change.before >> change.after) changes_.push_back(change);
}

bool InterfaceSysctls::save() const {
  std::ofstream file(journal_, std::ios::trunc);
  for (const Change& change : changes_)
    file << change.path << ' ' << change.before << ' ' << change.after << '\n';
  file.flush();
  return file.good();
}

std::vector<std::string> InterfaceSysctls::apply(const std::vector<std::string>& interfaces) {
  std::vector<std::string> problems;
  for (const std::string& interface : interfaces) {
    for (const std::string name : {"arp_ignore", "arp_announce", "rp_filter"}) {
      const std::string path = interface + "/" + name;
      const auto own = read_value(path);
      const auto all = read_value("all/" + name);
      if (!own || !all) {
        problems.push_back("cannot read net.ipv4.conf." + interface + "." + name);
        continue;
      }
      const auto value = wanted(name, *own, *all);
      if (!value) continue;
      const auto known =
          std::find_if(changes_.begin(), changes_.end(), [&](const Change& c) { return c.path == path; });
      if (known == changes_.end()) {
        changes_.push_back({path, *own, *value});
      } else {
        known->after = *value;
      }
      if (!save()) problems.push_back("cannot write " + journal_ + ", so " + path + " may not be put back");
      if (!write_value(path, *value)) {
        problems.push_back("cannot set net.ipv4.conf." + interface + "." + name + " to " +
                           std::to_string(*value));
      }
    }
  }
  return problems;
}

std::vector<std::string> InterfaceSysctls::restore() {
  std::vector<std::string> problems;
  for (const Change& change : changes_) {
    // A value that someone else changed meanwhile, or an interface that went, is none of our business.
    if (read_value(change.path) != change.after) continue;
    if (!write_value(change.path, change.before))
      problems.push_back("cannot put back net.ipv4.conf." + change.path);
  }
  changes_.clear();
  save();
  return problems;
}

}  // namespace penstock
