#include "dataplane/control/socket_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

namespace penstock {
namespace {

// Between open and flock the file may have been removed by its last holder; the lock would then be on
// nothing.
bool still_named(int fd, const std::string& path) {
  struct stat held {};
  struct stat named {};
  return fstat(fd, &held) == 0 && stat(path.c_str(), &named) == 0 && held.st_ino == named.st_ino &&
         held.st_dev == named.st_dev;
}

Error cannot_make(const std::string& path, int code) {
  Error error = unavailable("cannot make " + path + ": " + std::strerror(code));
  if (code == EACCES || code == EPERM) error.code = ErrorCode::kPermissionDenied;
  return error;
}

}  // namespace

Result<SocketLock> SocketLock::take(const std::string& socket_path) {
  if (socket_path.empty() || socket_path.size() >= sizeof(sockaddr_un{}.sun_path)) {
    return invalid("socket", "must be a path of 1-" + std::to_string(sizeof(sockaddr_un{}.sun_path) - 1) +
                                 " bytes, as unix sockets have them");
  }
  const auto directory = std::filesystem::path(socket_path).parent_path();
  std::error_code error;
  if (!directory.empty()) std::filesystem::create_directories(directory, error);
  if (error) return cannot_make(directory.string(), error.value());
  const std::string path = socket_path + ".lock";
  for (;;) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
      return cannot_make(path, errno);
    }
    SocketLock lock(path, fd);
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
      lock.path_.clear();  // not ours to remove
      return Error{ErrorCode::kAlreadyExists, "another penstock-dataplane is listening on " + socket_path};
    }
    if (still_named(fd, path)) return lock;
    lock.path_.clear();
  }
}

SocketLock::SocketLock(SocketLock&& other) noexcept
    : path_(std::exchange(other.path_, {})), fd_(std::exchange(other.fd_, -1)) {}

SocketLock::~SocketLock() {
  if (fd_ < 0) return;
  if (!path_.empty()) unlink(path_.c_str());
  close(fd_);
}

}  // namespace penstock
