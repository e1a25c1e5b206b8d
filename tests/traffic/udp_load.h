// UDP load: flows of a few numbered datagrams, each flow from a source port of its own.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/traffic/endpoint.h"
#include "tests/traffic/event_loop.h"
#include "tests/traffic/recorder.h"

namespace penstock::traffic {

struct UdpSettings {
  std::vector<Endpoint> targets;
  double flows_per_second = 50;  // over all targets, in turn
  std::uint64_t datagrams = 3;   // per flow
  std::uint64_t interval_ms = 100;
  std::uint64_t timeout_ms = 1000;
};

/// Expects the echo "BACKEND PAYLOAD" of every datagram. A datagram without its echo in time is recorded as
/// lost; one that another backend of the same flow answers, as an error too.
class UdpLoad {
 public:
  UdpLoad(EventLoop& loop, Recorder& recorder, UdpSettings settings);
  ~UdpLoad();
  UdpLoad(const UdpLoad&) = delete;
  UdpLoad& operator=(const UdpLoad&) = delete;
  void start();
  void stop() { stopping_ = true; }
  [[nodiscard]] bool idle() const { return flows_.empty(); }

 private:
  struct Flow {
    int fd = -1;
    EventLoop::Token token = 0;
    std::size_t target = 0;
    std::string backend;
    std::uint64_t sent = 0;
    std::map<std::uint64_t, Nanoseconds> waiting;  // sequence -> time sent
  };

  void tick();
  void begin();
  void send_next(std::uint64_t id);
  void receive(std::uint64_t id);
  void settle(std::uint64_t id, std::uint64_t sequence, std::string error);
  void close_if_done(std::uint64_t id);
  int open_socket(const Endpoint& target);
  static std::string payload(std::uint64_t id, std::uint64_t sequence);

  EventLoop& loop_;
  Recorder& recorder_;
  UdpSettings settings_;
  Nanoseconds next_;
  bool stopping_ = false;
  std::uint64_t next_id_ = 0;
  std::uint64_t next_port_;  // counts up; its place in the port range is what is used
  std::map<std::uint64_t, Flow> flows_;
};

}  // namespace penstock::traffic
