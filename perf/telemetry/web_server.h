// nginx with one worker in the caller's network namespace, and wrk against it, each on a CPU of its own.
// One thread.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "penstock/base/result.h"
#include "perf/process/child_process.h"

namespace penstock::perf {

struct Load {
  std::string path;        // "/small": 612 bytes, "/large": 100 kB
  bool keep_alive = true;  // else a connection a request
};

/// What a slice of a run was like.
struct Slice {
  double requests_per_second = 0;
  double cpu_us = 0;  // of nginx and wrk together, a request
};

class WebServer {
 public:
  /// Listens on 127.0.0.1:`port` once this returns.
  static Result<WebServer> start(std::uint16_t port);
  WebServer(WebServer&&) = default;
  ~WebServer();

  /// wrk goes on until the next of these.
  Status load(const Load& load);
  void idle() { wrk_.reset(); }
  /// Under the load.
  [[nodiscard]] Result<Slice> measure(double seconds);
  /// That nginx has answered, its own question for that included.
  [[nodiscard]] Result<double> requests() const;

 private:
  WebServer(std::filesystem::path folder, std::uint16_t port, ChildProcess nginx)
      : folder_(std::move(folder)), port_(port), nginx_(std::move(nginx)) {}

  std::filesystem::path folder_;
  std::uint16_t port_;
  ChildProcess nginx_;
  std::unique_ptr<ChildProcess> wrk_;
};

}  // namespace penstock::perf
