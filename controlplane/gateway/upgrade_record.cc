#include "controlplane/gateway/upgrade_record.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

namespace penstock {

Status UpgradeRecord::load() {
  entries_.clear();
  std::ifstream in(path_);
  if (!in) {
    if (errno == ENOENT) return Ok{};
    return unavailable("cannot read " + path_ + ": " + std::strerror(errno));
  }
  std::vector<UpgradePolicy::State> read;
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    UpgradePolicy::State state;
    std::string phase;
    words >> state.id >> phase;
    const auto known = upgrade_phase(phase);
    if (!words || !known || state.id == 0) {
      return internal_error(path_ + " is damaged: line " + std::to_string(read.size() + 1) +
                            " is not 'ID PHASE'");
    }
    state.phase = *known;
    std::getline(words >> std::ws, state.detail);
    read.push_back(std::move(state));
  }
  entries_ = std::move(read);
  return Ok{};
}

bool UpgradeRecord::knows(std::uint64_t id) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const auto& entry) { return entry.id == id; });
}

UpgradePolicy::State UpgradeRecord::newest() const {
  return entries_.empty() ? UpgradePolicy::State{} : entries_.back();
}

Status UpgradeRecord::put(const UpgradePolicy::State& state) {
  std::erase_if(entries_, [&](const auto& entry) { return entry.id == state.id; });
  entries_.push_back(state);
  if (entries_.size() > kKept) entries_.erase(entries_.begin());
  std::string all;
  for (auto entry : entries_) {
    std::replace(entry.detail.begin(), entry.detail.end(), '\n', ' ');
    all += std::to_string(entry.id) + " " + text(entry.phase) + " " + entry.detail + "\n";
  }
  const std::string fresh = path_ + ".new";
  const int fd = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  const bool written =
      fd >= 0 && ::write(fd, all.data(), all.size()) == static_cast<ssize_t>(all.size()) && ::fsync(fd) == 0;
  const int reason = errno;
  if (fd >= 0) ::close(fd);
  if (!written) return unavailable("cannot write " + fresh + ": " + std::strerror(reason));
  if (std::rename(fresh.c_str(), path_.c_str()) != 0) {
    return unavailable("cannot replace " + path_ + ": " + std::strerror(errno));
  }
  return Ok{};
}

}  // namespace penstock
