#include "bpf/agent/single_instance.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace penstock {

Result<FileDescriptor> claim_interface(const std::string& name) {
  FileDescriptor socket_fd(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = "penstock-node/" + name;
  std::memcpy(address.sun_path + 1, text.data(), text.size());  // interface names have at most 15 characters
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + text.size());
  if (socket_fd.valid() && bind(socket_fd.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0) {
    return socket_fd;
  }
  if (errno == EADDRINUSE) {
    return Error{ErrorCode::kAlreadyExists,
                 "another penstock-node is running on " + name + "; stop it first"};
  }
  return unavailable("cannot claim " + name + ": " + std::strerror(errno));
}

Result<FileDescriptor> claim_file(const std::string& path) {
  FileDescriptor file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!file.valid()) return unavailable("cannot create " + path + ": " + std::strerror(errno));
  if (flock(file.get(), LOCK_EX | LOCK_NB) == 0) return file;
  return Error{ErrorCode::kAlreadyExists, "another penstock-node with this id holds " + path +
                                              "; stop it first, or give another --id or --state-dir"};
}

}  // namespace penstock
