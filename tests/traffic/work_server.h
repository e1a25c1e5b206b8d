// A web server that is as good as a scenario wants it: the body of penstock-work.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "tests/traffic/event_loop.h"

namespace penstock::traffic {

/// How the server behaves. read_behaviour() reads it from a file of lines "NAME NUMBER".
struct WorkBehaviour {
  bool listening = true;       // "listening 0": the port is closed, open connections go on
  bool healthy = true;         // "healthy 0": /health answers 503; everything else as ever
  std::uint64_t extra_ms = 0;  // "extra_ms 50": each request takes so much longer
};

/// What the file does not name has its default; an unreadable file is all defaults. Unknown names and bad
/// numbers are errors, as text.
[[nodiscard]] std::string read_behaviour(const std::string& path, WorkBehaviour& out);

/// HTTP/1.1 on every address, IPv4 and IPv6. As many requests as there are slots are worked on at a time,
/// each for the service time; the others wait in the order of their arrival, as behind the workers of a real
/// server. GET /health is answered at once. One thread, of the loop: processor time that a request costs
/// (cpu_us) is spent one request after the other, however many slots there are.
class WorkServer {
 public:
  struct Settings {
    std::string name;  // X-Backend
    std::uint16_t port = 0;
    unsigned slots = 2;
    std::uint64_t service_us = 1000;  // waited, as for a disk or another server
    std::uint64_t cpu_us = 0;  // then burnt, in the thread's own time: what it is kept from does not count
  };

  /// Throws std::system_error when the port cannot be had.
  WorkServer(EventLoop& loop, Settings settings);

  void behave(const WorkBehaviour& behaviour);

 private:
  struct Connection {
    std::uint64_t id = 0;  // descriptors are used again
    EventLoop::Token token = 0;
    std::string head;
    bool working = false;  // a request is queued or worked on
  };
  struct Job {
    int fd;
    std::uint64_t connection;
    bool close;
  };

  void listen_on(int family);
  void stop_listening();
  void accept_from(int listener);
  void on_ready(int fd, std::uint32_t events);
  bool read_some(int fd, Connection& connection);
  void take_request(int fd, Connection& connection);
  void begin_jobs();
  void end_job(const Job& job);
  void answer(int fd, std::string_view status, bool close);
  void drop(int fd);

  EventLoop& loop_;
  const Settings settings_;
  WorkBehaviour behaviour_;
  std::vector<std::pair<int, EventLoop::Token>> listeners_;
  std::map<int, Connection> connections_;
  std::deque<Job> waiting_;
  unsigned busy_ = 0;
  std::uint64_t next_id_ = 1;
};

}  // namespace penstock::traffic
