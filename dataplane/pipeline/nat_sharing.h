// What a worker's NAT has to do with other gateways: it tells them of its sessions, and goes on with theirs
// when the router moves the packets here.
//
// Theory of operation
// - Two gateways may work on one session, each seeing one direction: packets of the client go where the
//   router likes, answers to whom the NAT address is routed to. Each tells what it has seen (FIN, RST, the
//   acknowledgment of the PROXY header); the sweep, a client's SYN and a PROXY header that would be repeated
//   make the other one take it in.
// - A FIN that the other side has seen is a fact for good. A reset may be a forged one: it shortens the
//   session's life here until the other gateway says that the connection goes on.
// - Of two sessions of one client's port the later opened is alive (clocks of gateways agree better than a
//   client's port returns).
//
// One worker's.
#pragma once

#include <cstdint>

#include "dataplane/config/snapshot.h"
#include "dataplane/nat/foreign_sessions.h"
#include "dataplane/nat/nat_events.h"
#include "dataplane/nat/nat_table.h"

namespace penstock {

/// Whether the snapshot still has the session's backend, in the same service.
[[nodiscard]] bool serves(const Snapshot& snapshot, const NatSession& session) noexcept;

class NatSharing final : public NatWatcher {
 public:
  using UnixMs = std::uint64_t (*)();

  /// events: null, or where this worker tells; foreign: null, or what others have told. Must outlive this.
  NatSharing(NatEvents* events, const ForeignSessions* foreign, UnixMs unix_ms) noexcept
      : events_(events), foreign_(foreign), unix_ms_(unix_ms) {}

  /// Before the table's advance() and everything below; snapshot: good until the next call.
  void advance(const Snapshot& snapshot, Tick now) noexcept;

  /// Unix time, exact to a tick.
  [[nodiscard]] std::uint64_t now_ms() const noexcept { return now_ms_; }

  /// Enters what others have told of the session that the packet belongs to, or null. The session must be
  /// touched, and has no path.
  NatSession* adopt_client(NatTable& table, const NatTuple& packet) noexcept;
  NatSession* adopt_answer(NatTable& table, const NatTuple& packet) noexcept;
  [[nodiscard]] std::uint64_t adopted() const noexcept { return adopted_; }

  enum class Peer : std::uint8_t {
    kAgrees,
    kReset,      // has seen a reset
    kSuperseded  // knows a later session of the client's port
  };
  /// Takes in what others have seen of the session.
  Peer catch_up(NatSession& session) noexcept;

  void tell(const NatSession& session, bool ended = false) noexcept;

  bool keep(NatSession& session) noexcept override;
  void ended(const NatSession& session) noexcept override { tell(session, true); }

 private:
  NatSession* adopt(NatTable& table, const NatSessionRecord& told) noexcept;
  void shorten(NatSession& session, IdleClass idle) const noexcept;

  NatEvents* events_;
  const ForeignSessions* foreign_;
  UnixMs unix_ms_;
  const Snapshot* snapshot_ = nullptr;
  Tick now_ = 0;
  std::uint64_t now_ms_ = 0;
  std::uint64_t adopted_ = 0;
};

/// The part of a session that others must learn of at once when it changes.
struct NatNews {
  NatProgress progress;
  ProxyStream::Phase proxy;
  bool sent;

  explicit NatNews(const NatSession& session) noexcept
      : progress(session.progress), proxy(session.proxy.phase), sent(session.proxy.sent) {}
  bool operator==(const NatNews&) const = default;
};

}  // namespace penstock
