// A file of named memory, mapped whole and shared.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "dataplane/restart/memory_folder.h"
#include "penstock/base/result.h"

namespace penstock {

class MappedFile {
 public:
  struct Wish {
    bool huge_pages = false;  // on tmpfs, where the system allows it; hugetlbfs has no others
    int numa_node = -1;       // preferred; -1 = any
  };

  /// A new file of at least `bytes` zeroes, mode 0600, all its pages there: writing to it cannot fail.
  /// AlreadyExists; Unavailable with what to do when memory is short.
  static Result<MappedFile> create(const MemoryFolder& folder, const std::string& path, std::size_t bytes,
                                   Wish wish);
  /// The file as it is. NotFound; FailedPrecondition for what is no file of ours.
  static Result<MappedFile> open(const std::string& path);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  /// Whole pages; page aligned.
  [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }

 private:
  explicit MappedFile(std::span<std::byte> bytes) : bytes_(bytes) {}
  std::span<std::byte> bytes_;
};

/// `bytes` rounded up to the pages that the folder's files are made of.
std::size_t whole_pages(const MemoryFolder& folder, std::size_t bytes);

}  // namespace penstock
