// HTTP load: requests each on a connection of its own, and connections that live long.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/traffic/http_connection.h"
#include "tests/traffic/recorder.h"

namespace penstock::traffic {

struct HttpSettings {
  std::vector<Endpoint> targets;
  double requests_per_second = 100;  // over all targets, in turn
  std::uint64_t timeout_ms = 5000;
  std::uint64_t large_every = 20;  // every n-th request fetches /large; 0 = none
  std::size_t max_outstanding = 1024;
};

/// A new connection for every request, at an even rate.
class HttpLoad {
 public:
  HttpLoad(EventLoop& loop, Recorder& recorder, HttpSettings settings);
  void start();
  void stop() { stopping_ = true; }
  [[nodiscard]] bool idle() const { return open_.empty(); }

 private:
  struct Request {
    std::unique_ptr<HttpConnection> connection;
    Nanoseconds start;
    std::size_t target = 0;
  };

  void tick();
  void begin();
  void end(std::uint64_t id, const HttpAnswer& answer);
  void time_out(std::uint64_t id);

  EventLoop& loop_;
  Recorder& recorder_;
  HttpSettings settings_;
  Nanoseconds next_;
  bool stopping_ = false;
  std::uint64_t next_id_ = 0;
  std::map<std::uint64_t, Request> open_;
};

struct LongLivedSettings {
  std::vector<Endpoint> targets;
  std::size_t connections = 24;  // over all targets, in turn
  std::uint64_t interval_ms = 250;
  std::uint64_t timeout_ms = 5000;
};

/// A fixed number of connections, each of which sends a request every interval. One that breaks is recorded
/// and opened anew.
class LongLivedLoad {
 public:
  LongLivedLoad(EventLoop& loop, Recorder& recorder, LongLivedSettings settings);
  void start();
  void stop() { stopping_ = true; }
  /// Ends, between two requests, the connections that this backend serves, as clients that are done with it
  /// would, and opens others instead.
  void retire(const std::string& backend);

 private:
  struct Slot {
    std::unique_ptr<HttpConnection> connection;
    std::size_t target = 0;
    std::string backend;
    Nanoseconds start;
    std::uint64_t flow = 0;
    std::uint64_t sequence = 0;
    bool retiring = false;
  };

  void open(Slot& slot);
  void request(Slot& slot, std::uint64_t flow);
  void on_answer(Slot& slot, std::uint64_t flow, const HttpAnswer& answer);
  void time_out(Slot& slot, std::uint64_t flow, std::uint64_t sequence);
  void reopen_later(Slot& slot, std::uint64_t delay_ms);
  void record(const Slot& slot, const std::string& error);

  EventLoop& loop_;
  Recorder& recorder_;
  LongLivedSettings settings_;
  bool stopping_ = false;
  std::uint64_t next_flow_ = 0;
  std::vector<Slot> slots_;  // never resized after start(): callbacks hold references
};

}  // namespace penstock::traffic
