// The folder of --flow-dir: memory with names, which outlives the process but not the host.
#pragma once

#include <cstddef>
#include <string>

#include "penstock/base/result.h"

namespace penstock {

/// One instance's right to a folder on tmpfs or hugetlbfs. Held by flock(2) on FOLDER/INSTANCE.lock, which
/// the kernel drops with the process: a killed one leaves nothing that bars its successor. The lock file
/// stays.
class MemoryFolder {
 public:
  /// Makes the folder (mode 0700) if there is none, its parent given. Field "flow_dir" in the errors.
  /// InvalidArgument: no folder, not the caller's own, open to others, or on a file system that is no memory.
  /// AlreadyExists: another process holds this instance's files. PermissionDenied, Unavailable: the system's.
  static Result<MemoryFolder> open(const std::string& path, const std::string& instance);
  MemoryFolder(MemoryFolder&& other) noexcept;
  MemoryFolder& operator=(MemoryFolder&&) = delete;
  ~MemoryFolder();

  /// FOLDER/INSTANCE.name
  [[nodiscard]] std::string file(const std::string& name) const {
    return path_ + "/" + instance_ + "." + name;
  }
  [[nodiscard]] const std::string& path() const { return path_; }
  /// Files here consist of huge pages and cannot be written but by mapping them.
  [[nodiscard]] bool is_hugetlbfs() const { return is_hugetlbfs_; }
  /// Files take whole pages of this size.
  [[nodiscard]] std::size_t page_bytes() const { return page_bytes_; }

  /// Removes the instance's files whose name begins so; "" for all but the lock.
  void remove_files(const std::string& prefix) const;

 private:
  MemoryFolder(std::string path, std::string instance)
      : path_(std::move(path)), instance_(std::move(instance)) {}
  Status inspect();
  Status lock();

  std::string path_;
  std::string instance_;
  bool is_hugetlbfs_ = false;
  std::size_t page_bytes_ = 4096;
  int lock_ = -1;
};

/// A name for the dataplane that listens on this socket, fit for a file name.
std::string instance_of_socket(const std::string& socket_path);

}  // namespace penstock
