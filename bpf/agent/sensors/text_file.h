// A small file of /proc or /sys that is read again and again: opened once, then one pread each time.
#pragma once

#include <string>
#include <string_view>

#include "bpf/agent/file_descriptor.h"
#include "penstock/base/result.h"

namespace penstock {

class TextFile {
 public:
  explicit TextFile(std::string path) : path_(std::move(path)) {}

  /// The file's text, valid until the next read() of this object. Opens the file where that is needed; after
  /// an error the next call opens it anew.
  Result<std::string_view> read();

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  Error failed(const char* what);

  std::string path_;
  FileDescriptor file_;
  std::string text_;
};

/// A whole small file, once. An error when it is not there.
Result<std::string> read_text(const std::string& path);

}  // namespace penstock
