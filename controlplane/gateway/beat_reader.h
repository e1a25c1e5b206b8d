// Reads the dataplane's heartbeat stream and hands each beat on. Connects again, quickly and for ever, when
// the stream ends: a dataplane that restarts is seen within about 0.1 s. When a stream ends and nobody
// listens at the socket, the dataplane is gone, and that is said at once; a stream that broke beside a
// listener says nothing, the silence will.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "penstock/base/units.h"
#include "penstock/proto/dataplane.pb.h"

namespace penstock {

/// Whether the kernel has nobody to connect us to. A full backlog or a missing permission is no such verdict.
bool nobody_listens(const std::string& socket_path);

class BeatReader {
 public:
  /// Called in the reader's thread; must return at once.
  struct Callbacks {
    std::function<void(Nanoseconds when, const proto::Beat&)> on_beat;
    std::function<void()> on_stream;  // before the first beat of each stream
    std::function<void()> on_gone;    // after a stream, when nobody listens
  };

  /// Starts the thread. interval_ms: 10-1000.
  BeatReader(const std::string& socket_path, std::uint32_t interval_ms, Callbacks callbacks);
  BeatReader(const BeatReader&) = delete;
  BeatReader& operator=(const BeatReader&) = delete;
  ~BeatReader();

 private:
  struct Stream;
  std::unique_ptr<Stream> stream_;
};

}  // namespace penstock
