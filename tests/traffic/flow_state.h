// What the long-lived flows have in common: how long the other side kept silent, and why it ended.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "penstock/base/clock.h"

namespace penstock::traffic {

/// The longest wait for an answer since the last mark. A wait begins when something is sent (or expected) and
/// ends when all of the answer has come, so a flow that is answered at once has a gap of one round trip, and
/// the pause between two messages, in which nothing is due, is none. One wait at a time: while one is open no
/// other begins.
class Gap {
 public:
  void begin(Nanoseconds now) {
    if (!open_) since_ = now;
    open_ = true;
  }
  void end(Nanoseconds now) {
    if (!open_) return;
    open_ = false;
    keep(now);
  }
  /// Forgets the gaps so far; a wait that is open counts whole.
  void mark() { longest_ = Nanoseconds(); }
  [[nodiscard]] bool open() const { return open_; }
  [[nodiscard]] Nanoseconds waited(Nanoseconds now) const { return open_ ? now - since_ : Nanoseconds(); }
  /// The longest, one still open included.
  [[nodiscard]] Nanoseconds longest(Nanoseconds now) const { return std::max(longest_, waited(now)); }
  /// When the longest began; the one still open if that is longer.
  [[nodiscard]] Nanoseconds began(Nanoseconds now) const {
    return waited(now) > longest_ ? since_ : longest_since_;
  }

 private:
  void keep(Nanoseconds now) {
    if (now - since_ <= longest_) return;
    longest_ = now - since_;
    longest_since_ = since_;
  }

  bool open_ = false;
  Nanoseconds since_;
  Nanoseconds longest_;
  Nanoseconds longest_since_;
};

/// "reset" for ECONNRESET, "timeout" for ETIMEDOUT, else what the system says.
std::string reason_of(int error_number);

}  // namespace penstock::traffic
