#include "bpf/agent/orca/orca_socket.h"

#include <poll.h>
#include <spdlog/spdlog.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <list>
#include <utility>
#include <vector>

#include "penstock/base/clock.h"

namespace penstock {
namespace {

constexpr mode_t kMode = 0660;

sockaddr_un address_of(const std::string& path) {
  sockaddr_un out{};
  out.sun_family = AF_UNIX;
  path.copy(out.sun_path, sizeof out.sun_path - 1);
  return out;
}

FileDescriptor unix_socket() {
  return FileDescriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

/// Removes a socket that a process left behind. False when something else is there, or somebody listens.
bool make_way(const std::string& path) {
  struct stat found {};
  if (lstat(path.c_str(), &found) != 0) return errno == ENOENT;
  if (!S_ISSOCK(found.st_mode)) return false;
  const FileDescriptor probe = unix_socket();
  const sockaddr_un address = address_of(path);
  const bool refused =
      connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 &&
      errno == ECONNREFUSED;
  return refused && unlink(path.c_str()) == 0;
}

/// The process at the other end, as it was when it connected.
std::string name_of(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return "process ?";
  return "process " + std::to_string(peer.pid);
}

struct Peer {
  FileDescriptor socket;
  std::string name;
  std::string line;  // what came of it so far
  Nanoseconds second_began;
  std::size_t reports_in_second = 0;
};

}  // namespace

/// What the thread works on.
class OrcaSocket::Peers {
 public:
  Peers(FileDescriptor listener, int stop, OrcaStore& store)
      : listener_(std::move(listener)), stop_(stop), store_(store) {}

  void run() {
    std::vector<pollfd> fds;
    for (;;) {
      fds.assign({{stop_, POLLIN, 0}, {listener_.get(), POLLIN, 0}});
      // Who comes beyond the limit waits in the backlog until somebody leaves.
      if (peers_.size() >= kMaxOrcaPeers) fds[1].fd = -1;
      for (const Peer& peer : peers_) fds.push_back({peer.socket.get(), POLLIN, 0});
      if (poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) return;
      if (fds[0].revents != 0) return;
      auto ready = fds.begin() + 2;
      for (auto peer = peers_.begin(); peer != peers_.end(); ++ready) {
        peer = ready->revents == 0 || serve(*peer) ? std::next(peer) : peers_.erase(peer);
      }
      if (fds[1].revents != 0) accept_one();
    }
  }

 private:
  void accept_one() {
    FileDescriptor socket(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket.valid()) return;
    std::string name = name_of(socket.get());
    peers_.push_back({std::move(socket), std::move(name), {}, {}, 0});
  }

  /// False when the connection is over.
  bool serve(Peer& peer) {
    char bytes[4096];
    const ssize_t n = recv(peer.socket.get(), bytes, sizeof bytes, 0);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    if (n == 0) {  // a last line needs no end
      if (!peer.line.empty()) take(peer, peer.line);
      return false;
    }
    peer.line.append(bytes, static_cast<std::size_t>(n));
    std::size_t begin = 0;
    for (std::size_t end; (end = peer.line.find('\n', begin)) != std::string::npos; begin = end + 1) {
      if (!take(peer, std::string_view(peer.line).substr(begin, end - begin))) return false;
    }
    peer.line.erase(0, begin);
    if (peer.line.size() <= kMaxOrcaBytes) return true;
    refuse(peer, "a report has at most 16384 bytes; the connection is closed");
    return false;
  }

  /// False when the peer must go.
  bool take(Peer& peer, std::string_view line) {
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) return true;
    const Nanoseconds now = monotonic_now();
    if (now - peer.second_began >= Nanoseconds::from_seconds(1)) {
      peer.second_began = now;
      peer.reports_in_second = 0;
    }
    if (++peer.reports_in_second > kMaxReportsPerSecond) {
      refuse(peer, "more than 50 reports in a second; the connection is closed");
      return false;
    }
    auto report = parse_orca_json(line);
    if (!report) {
      refuse(peer, report.error().text());
      return true;
    }
    if (auto done = store_.put(peer.name, std::move(*report), now); !done) answer(peer, done.error().text());
    return true;
  }

  void refuse(Peer& peer, const std::string& why) {
    store_.count_refused();
    answer(peer, why);
  }

  /// Who does not read does not hear it.
  static void answer(Peer& peer, const std::string& why) {
    spdlog::debug("an ORCA report of {} is refused: {}", peer.name, why);
    const std::string text = "refused: " + why + "\n";
    (void)!send(peer.socket.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  }

  FileDescriptor listener_;
  const int stop_;
  OrcaStore& store_;
  std::list<Peer> peers_;
};

OrcaSocket::OrcaSocket(std::string path, FileDescriptor listener, FileDescriptor stop, OrcaStore& store)
    : path_(std::move(path)), stop_(std::move(stop)) {
  thread_ = std::thread([listening = std::move(listener), stop_fd = stop_.get(), &store]() mutable {
    Peers(std::move(listening), stop_fd, store).run();
  });
}

OrcaSocket::~OrcaSocket() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
  unlink(path_.c_str());
}

Result<std::unique_ptr<OrcaSocket>> OrcaSocket::open(const std::string& path, OrcaStore& store) {
  const auto failed = [&](const std::string& why) {
    return unavailable("cannot listen on " + path + ": " + why);
  };
  if (!make_way(path)) return failed("something else is there, or another process listens");
  FileDescriptor listener = unix_socket();
  FileDescriptor stop(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  const sockaddr_un address = address_of(path);
  // The mode goes with bind(), so that there is no moment in which more is allowed; the umask may take from
  // it.
  if (!listener.valid() || !stop.valid() || fchmod(listener.get(), kMode) != 0 ||
      bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      chmod(path.c_str(), kMode) != 0 || listen(listener.get(), 16) != 0) {
    return failed(std::strerror(errno));
  }
  return std::unique_ptr<OrcaSocket>(new OrcaSocket(path, std::move(listener), std::move(stop), store));
}

}  // namespace penstock
