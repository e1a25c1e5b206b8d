// The unix stream socket where applications report: one JSON object per line. Nothing is answered to a good
// report; a refusal is answered with one line that says why.
//
// Access is by the socket's mode, 0660: who may write is decided by its group. A peer that sends a line
// longer than kMaxOrcaBytes, or more than kMaxReportsPerSecond, is told so and closed.
//
// A thread of its own; the store is the only thing shared.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <thread>

#include "bpf/agent/file_descriptor.h"
#include "bpf/agent/orca/orca_store.h"
#include "penstock/base/result.h"

namespace penstock {

inline constexpr std::size_t kMaxOrcaPeers = 64;
inline constexpr std::size_t kMaxReportsPerSecond = 50;  // of one connection

class OrcaSocket {
 public:
  /// Listens on `path`. A socket that nobody listens on any more is replaced; anything else there is an
  /// error.
  static Result<std::unique_ptr<OrcaSocket>> open(const std::string& path, OrcaStore& store);
  ~OrcaSocket();  // removes the socket
  OrcaSocket(const OrcaSocket&) = delete;
  OrcaSocket& operator=(const OrcaSocket&) = delete;

 private:
  class Peers;
  OrcaSocket(std::string path, FileDescriptor listener, FileDescriptor stop, OrcaStore& store);

  const std::string path_;
  FileDescriptor stop_;
  std::thread thread_;
};

}  // namespace penstock
