// One dataplane per control socket: the file SOCKET.lock is held with flock(2), which the kernel drops with
// the process, so that a killed one leaves nothing that bars its successor.
#pragma once

#include <string>

#include "penstock/base/result.h"

namespace penstock {

/// The right to listen on a socket path. Removes the lock file when it ends.
class SocketLock {
 public:
  /// Makes the socket's directory if there is none. AlreadyExists when another process has the path;
  /// InvalidArgument, field "socket", when it is too long for a unix socket.
  static Result<SocketLock> take(const std::string& socket_path);
  SocketLock(SocketLock&& other) noexcept;
  SocketLock& operator=(SocketLock&&) = delete;
  ~SocketLock();

 private:
  SocketLock(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  std::string path_;
  int fd_;
};

}  // namespace penstock
