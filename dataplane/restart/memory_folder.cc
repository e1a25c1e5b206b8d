#include "dataplane/restart/memory_folder.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "dataplane/hash/flow_hash.h"

namespace penstock {
namespace {

Error refused(const std::string& why) { return invalid("flow_dir", why); }

Error failed(const std::string& what, int code) {
  Error error = unavailable(what + ": " + std::strerror(code));
  error.field = "flow_dir";
  if (code == EACCES || code == EPERM) error.code = ErrorCode::kPermissionDenied;
  return error;
}

}  // namespace

Result<MemoryFolder> MemoryFolder::open(const std::string& path, const std::string& instance) {
  MemoryFolder folder(path, instance);
  const bool made = mkdir(path.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) return failed("cannot make " + path, errno);
  if (auto fits = folder.inspect(); !fits) {
    if (made) rmdir(path.c_str());
    return fits.error();
  }
  if (auto locked = folder.lock(); !locked) return locked.error();
  return folder;
}

Status MemoryFolder::inspect() {
  struct stat info {};
  if (lstat(path_.c_str(), &info) != 0) return failed("cannot look at " + path_, errno);
  if (!S_ISDIR(info.st_mode)) return refused(path_ + " is not a folder");
  if (info.st_uid != geteuid()) return refused(path_ + " belongs to another user");
  if ((info.st_mode & 077) != 0) return refused(path_ + " is open to other users: chmod 0700 it");
  struct statfs system {};
  if (statfs(path_.c_str(), &system) != 0) return failed("cannot look at " + path_, errno);
  is_hugetlbfs_ = static_cast<unsigned long>(system.f_type) == HUGETLBFS_MAGIC;
  if (!is_hugetlbfs_ && static_cast<unsigned long>(system.f_type) != TMPFS_MAGIC)
    return refused(path_ +
                   " is neither on tmpfs nor on hugetlbfs: use /dev/hugepages/penstock or /dev/shm/penstock");
  page_bytes_ = static_cast<std::size_t>(is_hugetlbfs_ ? system.f_bsize : sysconf(_SC_PAGESIZE));
  return Ok{};
}

Status MemoryFolder::lock() {
  const std::string name = file("lock");
  lock_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock_ < 0) return failed("cannot make " + name, errno);
  if (flock(lock_, LOCK_EX | LOCK_NB) == 0) return Ok{};
  if (errno != EWOULDBLOCK) return failed("cannot lock " + name, errno);
  return Error{ErrorCode::kAlreadyExists, "another penstock-dataplane uses the flow tables " + file("*"),
               "flow_dir"};
}

MemoryFolder::MemoryFolder(MemoryFolder&& other) noexcept
    : path_(std::move(other.path_)),
      instance_(std::move(other.instance_)),
      is_hugetlbfs_(other.is_hugetlbfs_),
      page_bytes_(other.page_bytes_),
      lock_(std::exchange(other.lock_, -1)) {}

// The file stays: between unlink and the next open two processes could each lock a file of that name.
MemoryFolder::~MemoryFolder() {
  if (lock_ >= 0) close(lock_);
}

void MemoryFolder::remove_files(const std::string& prefix) const {
  const std::string begin = instance_ + "." + prefix;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path_, error)) {
    const std::string name = entry.path().filename();
    if (name.starts_with(begin) && name != instance_ + ".lock") unlink(entry.path().c_str());
  }
}

std::string instance_of_socket(const std::string& socket_path) {
  char hash[9];
  std::snprintf(hash, sizeof hash, "%08x",
                static_cast<unsigned>(XXH3_64bits(socket_path.data(), socket_path.size())));
  return std::filesystem::path(socket_path).stem().string() + "-" + hash;
}

}  // namespace penstock
