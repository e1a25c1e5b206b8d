// A command of somebody else's (vtysh, birdc, systemctl), started without a shell: words, not a line.
//
// The child has its own process group, no descriptor of ours but its output, and default signals. Whoever
// destroys the object of a child that still runs kills it and what it started. One thread per object.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "penstock/base/result.h"

namespace penstock {

class ChildProcess {
 public:
  struct Exit {
    int status = 0;      // exit status, or 128 + signal as shells count
    std::string output;  // stdout and stderr, the first 8 MiB
  };

  /// words[0] is found by PATH. NotFound when it cannot be started.
  static Result<ChildProcess> start(const std::vector<std::string>& words);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();

  /// Nothing while it runs. Waits for output or the end, at most this long; zero: not at all.
  std::optional<Exit> wait(std::chrono::milliseconds longest);
  void kill();
  /// Lets it run on by itself.
  void abandon() { pid_ = -1; }

 private:
  ChildProcess(pid_t pid, int output) : pid_(pid), output_fd_(output) {}
  void read_output();

  pid_t pid_ = -1;  // -1: ended, or moved from
  int output_fd_ = -1;
  std::string output_;
};

/// Its output, when it ends with status 0 in time. Otherwise an error with the first line of what it said.
Result<std::string> run_command(const std::vector<std::string>& words, std::chrono::milliseconds timeout);

/// What an ended command has to say in a sentence: "vtysh failed with status 1: % Unknown command".
std::string failure_text(const std::string& command, const ChildProcess::Exit& exit);

}  // namespace penstock
