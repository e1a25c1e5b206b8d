// What draining and upgrading take on the command line.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace penstock {

/// Durations as durations.h reads them.
struct DrainFlags {
  std::optional<std::string> deadline;       // backend, node: when its flows should have ended
  std::optional<std::string> policy;         // backend, node: "keep" or "reset"
  std::optional<std::string> drain_timeout;  // gateway: withdraw, or restart, at the latest then
  std::optional<std::string> timeout;        // of --wait
  bool wait = false;
  std::chrono::milliseconds pause{500};  // between two looks of --wait
};

}  // namespace penstock
