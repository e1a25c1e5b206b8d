// Long downloads over HTTP, one after the other on connections of their own, every byte compared.
#pragma once

#include <cstdint>
#include <string>

#include "tests/traffic/endpoint.h"
#include "tests/traffic/event_loop.h"
#include "tests/traffic/flow_state.h"

namespace penstock::traffic {

struct DownloadSettings {
  std::string path = "/download";    // its bytes are those of download_byte() (pattern.h)
  std::uint64_t timeout_ms = 20000;  // without a byte: broken
};

/// Fetches the file again and again at the pace that the server sets. A download that breaks is counted with
/// its reason and is not begun again.
class Download {
 public:
  Download(EventLoop& loop, const DownloadSettings& settings, const Endpoint& to);
  ~Download();
  Download(const Download&) = delete;
  Download& operator=(const Download&) = delete;

  /// No further file; the one under way is given up.
  void stop() { stopping_ = true; }
  /// Gives up the file under way, as an impatient user does; `broken` is "retired" then.
  /// False if it is broken already.
  bool retire() {
    if (!broken_.empty()) return false;
    fail("retired");
    return true;
  }
  void mark() { gap_.mark(); }
  [[nodiscard]] const std::string& backend() const { return backend_; }
  [[nodiscard]] const std::string& broken() const { return broken_; }
  [[nodiscard]] Nanoseconds broken_at() const { return broken_at_; }
  [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t completed() const { return completed_; }
  /// The longest time without a byte of a file that is not complete: at least the pauses of the server's
  /// pacing.
  [[nodiscard]] const Gap& gap() const { return gap_; }

 private:
  void begin();
  void on_ready(std::uint32_t events);
  void receive();
  bool take_head();
  bool right(const char* data, std::size_t size) const;
  void tick();
  void fail(std::string reason);
  void drop();

  EventLoop& loop_;
  const DownloadSettings& settings_;
  const Endpoint to_;
  int fd_ = -1;
  EventLoop::Token token_ = 0;
  bool stopping_ = false;
  bool asked_ = false;
  bool in_body_ = false;
  std::string head_;
  std::uint64_t expected_ = 0;  // bytes of the body, as the server says
  std::uint64_t offset_ = 0;
  std::string backend_;
  std::string broken_;
  Nanoseconds broken_at_;
  std::uint64_t bytes_ = 0;
  std::uint64_t completed_ = 0;
  Gap gap_;
};

}  // namespace penstock::traffic
