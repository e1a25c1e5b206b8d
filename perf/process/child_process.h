// A program under measurement: started with its output in a file, ended when the object goes.
// One thread.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>
#include <vector>

#include "penstock/base/result.h"

namespace penstock::perf {

class ChildProcess {
 public:
  /// argv[0] is looked up in PATH. stdout and stderr go to `output_path`; stdin is /dev/null.
  static Result<ChildProcess> start(std::vector<std::string> argv, std::string output_path);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;
  ~ChildProcess();

  [[nodiscard]] bool running();
  /// SIGTERM, and SIGKILL if that does not end it within `patience`.
  void stop(std::chrono::milliseconds patience = std::chrono::seconds(10));
  [[nodiscard]] pid_t pid() const { return pid_; }
  [[nodiscard]] std::string output() const;
  /// Resident memory now (VmRSS), in KiB; 0 if the process is gone.
  [[nodiscard]] std::size_t resident_kib() const;

 private:
  ChildProcess(pid_t pid, std::string output_path) : pid_(pid), output_path_(std::move(output_path)) {}

  pid_t pid_ = -1;
  std::string output_path_;
};

}  // namespace penstock::perf
