// One UDP "session": numbered datagrams from one source port for as long as a scenario lasts.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>

#include "tests/traffic/endpoint.h"
#include "tests/traffic/event_loop.h"
#include "tests/traffic/flow_state.h"

namespace penstock::traffic {

struct SessionSettings {
  std::uint64_t interval_ms = 500;
  std::uint64_t timeout_ms = 1000;  // an unanswered datagram is lost then
};

/// Sends to penstock-echo, which answers "NAME PAYLOAD". A datagram is answered, lost, or answered by another
/// backend than the session's first answer ("moved"); none is sent twice.
class UdpSession {
 public:
  UdpSession(EventLoop& loop, const SessionSettings& settings, const Endpoint& to, std::uint16_t source_port,
             std::uint64_t id);
  ~UdpSession();
  UdpSession(const UdpSession&) = delete;
  UdpSession& operator=(const UdpSession&) = delete;

  void stop() { stopping_ = true; }
  /// False if it was stopped already.
  bool retire() { return !std::exchange(stopping_, true); }
  /// Counts from zero again; a datagram under way then counts for neither side.
  void mark();
  [[nodiscard]] const std::string& backend() const { return backend_; }
  [[nodiscard]] std::uint64_t sent() const { return sent_; }
  [[nodiscard]] std::uint64_t answered() const { return answered_; }
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] std::uint64_t moved() const { return moved_; }
  [[nodiscard]] bool idle() const { return waiting_.empty(); }
  /// From the first unanswered datagram to the next answer.
  [[nodiscard]] const Gap& gap() const { return gap_; }

 private:
  void tick();
  void receive();
  void expire(Nanoseconds now);

  EventLoop& loop_;
  const SessionSettings& settings_;
  const std::uint64_t id_;
  int fd_ = -1;
  EventLoop::Token token_ = 0;
  bool stopping_ = false;
  std::string backend_;
  std::uint64_t sequence_ = 0;
  std::map<std::uint64_t, Nanoseconds> waiting_;  // sequence -> time sent
  std::uint64_t sent_ = 0;
  std::uint64_t answered_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t moved_ = 0;
  Gap gap_;
};

}  // namespace penstock::traffic
