#include "dataplane/sync/snapshot_links.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "dataplane/sync/socket_address.h"

namespace penstock {
namespace {

constexpr Nanoseconds kRequestBy = Nanoseconds::from_millis(500), kServeBy = Nanoseconds::from_seconds(10);
// To the connection, and from one read to the next: a peer that is there is much faster.
constexpr Nanoseconds kAnswerBy = Nanoseconds::from_millis(1500);
constexpr Nanoseconds kFetchBy = Nanoseconds::from_seconds(10);
// Per look, so that datagrams do not wait behind a snapshot.
constexpr std::size_t kReadAtOnce = std::size_t{256} << 10;

bool would_block() noexcept { return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR; }

Socket connect_from(const SyncAddress& from, const SyncAddress& peer) {
  SocketAddress own(SyncAddress{from.address, 0}), to(peer);
  Socket socket(::socket(own.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.fd() < 0 || ::bind(socket.fd(), own.get(), own.size) != 0) return Socket();
  if (::connect(socket.fd(), to.get(), to.size) != 0 && errno != EINPROGRESS) return Socket();
  return socket;
}

}  // namespace

Socket::~Socket() {
  if (fd_ >= 0) ::close(fd_);
}

SnapshotServer::SnapshotServer(Socket connection, Nanoseconds now, Answer answer)
    : connection_(std::move(connection)), deadline_(now + kRequestBy), answer_(std::move(answer)) {}

pollfd SnapshotServer::interest() const noexcept {
  return {connection_.fd(), static_cast<short>(out_.empty() ? POLLIN : POLLOUT), 0};
}

bool SnapshotServer::proceed(Nanoseconds now) {
  if (now >= deadline_) return false;
  if (out_.empty()) {
    std::array<std::byte, kSnapshotRequestBytes> bytes;
    const ssize_t got = ::recv(connection_.fd(), bytes.data(), bytes.size() - request_.size(), 0);
    if (got < 0) return would_block();
    if (got == 0) return false;
    request_.insert(request_.end(), bytes.begin(), bytes.begin() + got);
    if (request_.size() < kSnapshotRequestBytes) return true;
    out_ = answer_(request_);
    if (out_.empty()) return false;
    deadline_ = now + kServeBy;
  }
  const ssize_t put = ::send(connection_.fd(), out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
  if (put < 0) return would_block();
  sent_ += static_cast<std::size_t>(put);
  return sent_ < out_.size();
}

SnapshotFetch::SnapshotFetch(const SyncAddress& from, const SyncAddress& peer, const SnapshotRequest& request,
                             const SyncKey& key, std::size_t limit, Nanoseconds now)
    : peer_(peer),
      connection_(connect_from(from, peer)),
      answer_by_(now + kFetchBy),
      deadline_(now + kAnswerBy),
      request_(write_request(request, key)),
      reader_(request.nonce, key, limit) {}

pollfd SnapshotFetch::interest() const noexcept {
  return {connection_.fd(), static_cast<short>(connected_ ? POLLIN : POLLOUT), 0};
}

bool SnapshotFetch::connected() {
  int error = 0;
  socklen_t size = sizeof error;
  pollfd ready{connection_.fd(), POLLOUT, 0};
  if (::poll(&ready, 1, 0) != 1) return true;  // not yet, not failed
  if (::getsockopt(connection_.fd(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) return false;
  // An empty send buffer has room for the few bytes of a request.
  connected_ = ::send(connection_.fd(), request_.data(), request_.size(), MSG_NOSIGNAL) ==
               static_cast<ssize_t>(request_.size());
  return connected_;
}

SnapshotFetch::State SnapshotFetch::proceed(Nanoseconds now, const SnapshotReader::Tell& tell) {
  if (connection_.fd() < 0 || now >= deadline_ || now >= answer_by_) return State::kFailed;
  if (!connected_) return connected() ? State::kGoing : State::kFailed;
  std::vector<std::byte> bytes(kReadAtOnce);
  const ssize_t got = ::recv(connection_.fd(), bytes.data(), bytes.size(), 0);
  if (got < 0) return would_block() ? State::kGoing : State::kFailed;
  if (got == 0) return State::kFailed;
  deadline_ = now + kAnswerBy;
  verdict_ = reader_.feed(std::span(bytes).first(static_cast<std::size_t>(got)), tell);
  if (verdict_ == SnapshotReader::Verdict::kMore) return State::kGoing;
  return verdict_ == SnapshotReader::Verdict::kDone ? State::kDone : State::kFailed;
}

}  // namespace penstock
