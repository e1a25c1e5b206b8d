// Commands on standard input: how a scenario talks to a traffic tool that runs.
#pragma once

#include <functional>
#include <string>

#include "tests/traffic/event_loop.h"

namespace penstock::traffic {

/// Standard input as lines, without blocking. A file or /dev/null as standard input has nothing to say.
class CommandReader {
 public:
  CommandReader(EventLoop& loop, std::function<void(const std::string&)> on_line);

 private:
  void read_some();

  EventLoop& loop_;
  std::function<void(const std::string&)> on_line_;
  EventLoop::Token token_ = 0;
  std::string text_;
};

/// Runs the action at SIGTERM and SIGINT, from the loop.
void on_termination(EventLoop& loop, std::function<void()> action);

}  // namespace penstock::traffic
