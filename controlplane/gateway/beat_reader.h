// Reads the dataplane's heartbeat stream and hands each beat on. Connects again, quickly and for ever, when
// the stream ends: a dataplane that restarts is seen within about 0.1 s.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "controlplane/gateway/config_id.h"
#include "penstock/base/units.h"

namespace penstock {

class BeatReader {
 public:
  /// Called in the reader's thread, once per beat; must return at once.
  using OnBeat = std::function<void(Nanoseconds when, ConfigId running)>;

  /// Starts the thread. interval_ms: 10-1000.
  BeatReader(const std::string& socket_path, std::uint32_t interval_ms, OnBeat on_beat);
  BeatReader(const BeatReader&) = delete;
  BeatReader& operator=(const BeatReader&) = delete;
  ~BeatReader();

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

}  // namespace penstock
