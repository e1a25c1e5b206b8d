// Both ends of a snapshot's TCP connection, without ever waiting: the replication thread polls them with its
// other sockets. Each has a deadline and bounded buffers; an end that is slow, silent or hostile is cut off.
#pragma once

#include <poll.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "dataplane/sync/snapshot_stream.h"
#include "dataplane/sync/sync_address.h"
#include "penstock/base/units.h"

namespace penstock {

class Socket {
 public:
  explicit Socket(int fd = -1) noexcept : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket();
  [[nodiscard]] int fd() const noexcept { return fd_; }

 private:
  int fd_;
};

/// The end that is asked.
class SnapshotServer {
 public:
  /// The answer to a request, or nothing: it is not answered.
  using Answer = std::function<std::vector<std::byte>(std::span<const std::byte> request)>;

  SnapshotServer(Socket connection, Nanoseconds now, Answer answer);
  /// What to poll for.
  [[nodiscard]] pollfd interest() const noexcept;
  /// Reads or writes what it can. False: over.
  [[nodiscard]] bool proceed(Nanoseconds now);

 private:
  Socket connection_;
  Nanoseconds deadline_;
  const Answer answer_;
  std::vector<std::byte> request_;
  std::vector<std::byte> out_;
  std::size_t sent_ = 0;
};

/// The end that asks.
class SnapshotFetch {
 public:
  enum class State : std::uint8_t { kGoing, kDone, kFailed };

  /// from: our own address, so that the peer knows us. The key must outlive the fetch.
  SnapshotFetch(const SyncAddress& from, const SyncAddress& peer, const SnapshotRequest& request,
                const SyncKey& key, std::size_t limit, Nanoseconds now);
  [[nodiscard]] pollfd interest() const noexcept;
  [[nodiscard]] State proceed(Nanoseconds now, const SnapshotReader::Tell& tell);
  [[nodiscard]] const SyncAddress& peer() const noexcept { return peer_; }
  [[nodiscard]] std::size_t records() const noexcept { return reader_.records(); }
  /// What was wrong with the answer, if that is why it failed.
  [[nodiscard]] SnapshotReader::Verdict verdict() const noexcept { return verdict_; }

 private:
  [[nodiscard]] bool connected();

  const SyncAddress peer_;
  Socket connection_;
  const Nanoseconds answer_by_;
  Nanoseconds deadline_;
  bool connected_ = false;
  std::vector<std::byte> request_;
  SnapshotReader reader_;
  SnapshotReader::Verdict verdict_ = SnapshotReader::Verdict::kMore;
};

}  // namespace penstock
