#include "bpf/agent/sensors/text_file.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>

namespace penstock {
namespace {

constexpr std::size_t kFirstSize = 1024;
// The kernel gives a long list in pieces of about a page, cut between lines: a piece of less than half of one
// is the last, and needs no further read to tell so.
constexpr ssize_t kHalfPage = 2048;
constexpr std::size_t kLargest = 4 << 20;  // /proc/stat of a host with thousands of CPUs and interrupts

}  // namespace

Error TextFile::failed(const char* what) {
  const int error = errno;
  file_ = FileDescriptor();
  return unavailable(std::string(what) + " " + path_ + ": " + std::strerror(error));
}

Result<std::string_view> TextFile::read() {
  if (!file_.valid()) {
    file_ = FileDescriptor(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
    if (!file_.valid()) return failed("cannot open");
  }
  if (text_.empty()) text_.resize(kFirstSize);
  std::size_t length = 0;
  for (;;) {
    const ssize_t n =
        pread(file_.get(), text_.data() + length, text_.size() - length, static_cast<off_t>(length));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failed("cannot read");
    length += static_cast<std::size_t>(n);
    const bool room_left = length < text_.size();
    if (n == 0 || (room_left && n < kHalfPage)) return std::string_view(text_).substr(0, length);
    if (room_left) continue;
    if (text_.size() >= kLargest) return unavailable(path_ + " is larger than anything that is read here");
    text_.resize(text_.size() * 4);
  }
}

Result<std::string> read_text(const std::string& path) {
  TextFile file(path);
  auto text = file.read();
  if (!text) return text.error();
  return std::string(*text);
}

}  // namespace penstock
