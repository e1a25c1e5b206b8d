// One process per state folder: the lock that two gateways on one host would otherwise not notice they need.
#pragma once

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include "penstock/base/result.h"

namespace penstock {

class StateLock {
 public:
  /// Makes the folder (mode 0700) where it is missing. AlreadyExists when another process holds the lock; the
  /// kernel releases it when this object or the process ends.
  static Result<StateLock> acquire(const std::string& dir) {
    std::error_code error;
    if (std::filesystem::create_directories(dir, error)) {
      std::filesystem::permissions(dir, std::filesystem::perms::owner_all, error);
    }
    if (error) return unavailable("cannot create the state folder " + dir + ": " + error.message());
    const std::string path = dir + "/lock";
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return unavailable("cannot write in the state folder " + dir);
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      ::close(fd);
      return Error{ErrorCode::kAlreadyExists,
                   "another penstock-gateway uses " + dir + "; give each its own --state-dir"};
    }
    return StateLock(fd);
  }

  StateLock(StateLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  StateLock& operator=(StateLock&&) = delete;
  ~StateLock() {
    if (fd_ >= 0) ::close(fd_);
  }

 private:
  explicit StateLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace penstock
