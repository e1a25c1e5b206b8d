#include "dataplane/restart/mapped_file.h"

#include <fcntl.h>
#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

namespace penstock {
namespace {

/// Closes a file descriptor; a mapping outlives it.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

Error failed(const std::string& what, int code) {
  if (code == ENOENT) return Error{ErrorCode::kNotFound, what + ": " + std::strerror(code)};
  if (code == EEXIST) return Error{ErrorCode::kAlreadyExists, what + ": " + std::strerror(code)};
  return unavailable(what + ": " + std::strerror(code));
}

std::size_t free_huge_mb(std::size_t page_bytes) {
  const std::string folder =
      "/sys/kernel/mm/hugepages/hugepages-" + std::to_string(page_bytes / 1024) + "kB/";
  std::size_t pages = 0;
  std::size_t reserved = 0;
  std::ifstream(folder + "free_hugepages") >> pages;
  std::ifstream(folder + "resv_hugepages") >> reserved;
  return (pages > reserved ? pages - reserved : 0) * (page_bytes >> 20);
}

Error too_little(const MemoryFolder& folder, std::size_t bytes) {
  const std::string needed = std::to_string((bytes >> 20) + 1) + " MB";
  if (!folder.is_hugetlbfs()) {
    return unavailable("no room for " + needed + " of flows in " + folder.path() +
                       "; lower --flows or mount a larger tmpfs");
  }
  return unavailable("not enough hugepages for " + needed + " of flows in " + folder.path() + ": " +
                     std::to_string(free_huge_mb(folder.page_bytes())) +
                     " MB are free; reserve more, lower --flows, or use --flow-dir /dev/shm/penstock");
}

void prefer_node(void* memory, std::size_t bytes, int node) {
  if (node < 0 || node >= 64) return;
  const unsigned long mask = 1UL << node;
  // A wish: without it the flows are merely slower to reach.
  syscall(SYS_mbind, memory, bytes, MPOL_PREFERRED, &mask, sizeof mask * 8 + 1, 0U);
}

/// Makes all pages exist, so that no later write ends in SIGBUS for want of memory.
bool populate(int fd, void* memory, std::size_t bytes) {
  if (madvise(memory, bytes, MADV_POPULATE_WRITE) == 0) return true;
  // Before Linux 5.14; fallocate knows nothing of huge pages on tmpfs.
  return errno == EINVAL && fallocate(fd, 0, 0, static_cast<off_t>(bytes)) == 0;
}

}  // namespace

std::size_t whole_pages(const MemoryFolder& folder, std::size_t bytes) {
  return (bytes + folder.page_bytes() - 1) / folder.page_bytes() * folder.page_bytes();
}

Result<MappedFile> MappedFile::create(const MemoryFolder& folder, const std::string& path, std::size_t bytes,
                                      Wish wish) {
  const std::size_t size = whole_pages(folder, bytes);
  const Descriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (fd.get() < 0) return failed("cannot make " + path, errno);
  const auto give_up = [&](Error error) {
    unlink(path.c_str());
    return error;
  };
  if (ftruncate(fd.get(), static_cast<off_t>(size)) != 0)
    return give_up(failed("cannot size " + path, errno));
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (memory == MAP_FAILED) return give_up(too_little(folder, size));
  MappedFile file({static_cast<std::byte*>(memory), size});
  if (wish.huge_pages && !folder.is_hugetlbfs()) madvise(memory, size, MADV_HUGEPAGE);
  prefer_node(memory, size, wish.numa_node);
  if (!populate(fd.get(), memory, size)) return give_up(too_little(folder, size));
  return file;
}

Result<MappedFile> MappedFile::open(const std::string& path) {
  const Descriptor fd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (fd.get() < 0) return failed("cannot open " + path, errno);
  struct stat info {};
  if (fstat(fd.get(), &info) != 0) return failed("cannot look at " + path, errno);
  if (!S_ISREG(info.st_mode) || info.st_uid != geteuid() || info.st_size <= 0)
    return Error{ErrorCode::kFailedPrecondition, path + " is not a file that a dataplane of this user wrote"};
  const auto size = static_cast<std::size_t>(info.st_size);
  void* memory = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd.get(), 0);
  if (memory == MAP_FAILED) return failed("cannot map " + path, errno);
  return MappedFile({static_cast<std::byte*>(memory), size});
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) munmap(bytes_.data(), bytes_.size());
}

}  // namespace penstock
