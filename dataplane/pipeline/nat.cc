#include "dataplane/pipeline/nat.h"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <ctime>

#include "dataplane/nat/tcp_header.h"
#include "dataplane/nat/transport.h"
#include "dataplane/pipeline/nat_frame.h"
#include "dataplane/pipeline/new_flow.h"
#include "dataplane/pipeline/tcp_reset.h"

namespace penstock {

using namespace nat_frame;

namespace {

constexpr std::size_t kSweepWhenIdle = 512;  // sessions; for a worker that sleeps 10 ms between two bursts

std::uint64_t system_unix_ms() noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

std::unique_ptr<NatSharing> make_sharing(const NatSettings& s) {
  if (s.events == nullptr && s.foreign == nullptr) return nullptr;
  return std::make_unique<NatSharing>(s.events, s.foreign, s.unix_ms != nullptr ? s.unix_ms : system_unix_ms);
}

}  // namespace

Nat::Nat(const NatSettings& settings)
    : sharing_(make_sharing(settings)),
      table_(settings.addresses.empty() ? 0 : settings.flows, settings.key),
      ports_(settings.addresses, settings.steering, settings.first_port, settings.last_port,
             settings.foreign),
      port_mtus_(settings.port_mtus) {
  table_.set_watcher(sharing_.get());
}

void Nat::advance(const Snapshot& snapshot, Nanoseconds now, bool idle) noexcept {
  if (table_.capacity() == 0) return;
  const Tick tick = tick_of(now);
  if (sharing_ != nullptr) sharing_->advance(snapshot, tick);
  if (idle) {
    table_.advance(tick, kSweepWhenIdle);
  } else {
    table_.advance(tick);
  }
}

void Nat::settle_client(const Selection& x, std::span<const VlanRule> vlan_rules, PacketView& p) noexcept {
  p.outcome = pass_client(x, p);
  if (p.outcome == Outcome::kForwarded && p.tag_bytes != 0) put_tags(vlan_rules, p);
}

void Nat::settle_answer(const Snapshot& snapshot, PacketView& p) noexcept {
  p.outcome = pass_answer(snapshot, p);
}

Outcome Nat::pass_client(const Selection& x, PacketView& p) noexcept {
  const Snapshot& snapshot = x.snapshot;
  IpPacket packet;
  if (const Outcome bad = read(p, packet); bad != kPending) return bad;
  if (is_icmp(packet)) return pass_client_error(x, packet, p);
  if (const Outcome bad = check_transport(packet); bad != kPending) return bad;
  const NatTuple tuple = tuple_of(packet);
  const std::uint8_t flags = tcp_flags(packet);
  NatSession* session = find_client(x, tuple, flags, p.service);
  if (session == nullptr) {
    // A packet in the middle of a connection that nobody knows goes to a backend, too: its reset tells the
    // client. The end of one is not worth a session.
    if ((flags & (kTcpFin | kTcpRst)) != 0 || (flags & (kTcpSyn | kTcpAck)) == (kTcpSyn | kTcpAck))
      return Outcome::kNatUnknownFlow;
    if (const Outcome refused = open(x, tuple, p, session); refused != kPending) return refused;
  }
  if (snapshot.backend(session->backend).has(BackendRecord::kDrainOver)) [[unlikely]] {
    if (const Outcome ended = end(x, tuple, p, session); ended != kPending) return ended;
  }
  p.backend = session->backend;
  const NatNews before(*session);
  table_.touch(*session, NatSide::kClient, flags, snapshot.service(p.service).idle);
  const ClientPath path = path_of(p);
  if (!(session->path == path)) session->path = last_path_ = path;
  const Outcome outcome = translate_client(snapshot, *session, packet, p);
  tell_news(*session, before);
  return outcome;
}

Outcome Nat::end(const Selection& x, const NatTuple& tuple, PacketView& p, NatSession*& session) noexcept {
  if (p.kind == PacketKind::kUdp) {
    table_.remove(*session);
    return open(x, tuple, p, session);
  }
  if (!answer_reset(p)) return kPending;
  table_.remove(*session);
  return Outcome::kAnsweredReset;
}

NatSession* Nat::find_client(const Selection& x, const NatTuple& tuple, std::uint8_t flags,
                             ServiceIndex service) noexcept {
  NatSession* session = table_.find_client(tuple);
  if (session != nullptr) {
    const bool lost = session->service != service || !serves(x.snapshot, *session);
    if (!lost && !(is_syn(flags) && begins_anew(x, *session))) return session;
    table_.remove(*session);
  }
  if (sharing_ == nullptr || (flags & kTcpSyn) != 0) return nullptr;
  return sharing_->adopt_client(table_, tuple);
}

bool Nat::begins_anew(const Selection& x, NatSession& session) noexcept {
  if (sharing_ != nullptr && sharing_->catch_up(session) != NatSharing::Peer::kAgrees) return true;
  return session.progress.is_over() || is_down(x, session.backend) ||
         !x.snapshot.backend(session.backend).has(BackendRecord::kTakesNewFlows);
}

NatSession* Nat::find_answer(const Snapshot& snapshot, const NatTuple& tuple) noexcept {
  NatSession* session = table_.find_answer(tuple);
  if (session != nullptr && serves(snapshot, *session)) return session;
  if (session != nullptr) table_.remove(*session);
  session = sharing_ == nullptr ? nullptr : sharing_->adopt_answer(table_, tuple);
  if (session != nullptr) session->path = last_path_;
  return session;
}

Outcome Nat::open(const Selection& x, const NatTuple& tuple, PacketView& p, NatSession*& session) noexcept {
  const ServiceRecord& service = x.snapshot.service(p.service);
  if (service.owners == nullptr) return Outcome::kNoBackendLeft;
  std::uint16_t owner;
  // A packet in the middle of a connection that nobody knows is a new flow here, too.
  if (!place_owner(x, service, slot_of(p.hash, service.table_size), p, owner)) return p.outcome;
  const NatTarget& target = service.special->nat_targets[owner];
  NatTuple answer;
  answer.v6 = target.address.is_v6();
  answer.protocol = tuple.protocol;
  answer.set_source(target.address);
  answer.source_port = target.port != 0 ? be16(target.port) : tuple.destination_port;
  // p.hash may be the same for all flows of a client (source affinity).
  const std::uint64_t hash =
      XXH3_64bits_withSecret(&tuple, sizeof tuple, x.snapshot.secret().data(), HashSecret::kBytes);
  if (!ports_.choose(table_, hash, answer)) return Outcome::kNatNoPort;
  session = table_.enter(tuple, answer);
  if (session == nullptr) return Outcome::kNatNoPort;
  session->service = p.service;
  session->backend = service.backends[owner];
  session->backend_name = target.name;
  if (sharing_ != nullptr) session->opened_ms = sharing_->now_ms();
  p.new_flow = true;
  return kPending;
}

std::uint32_t Nat::client_mtu(const NatSession& session) const noexcept {
  return session.path.port < port_mtus_.size() ? port_mtus_[session.path.port] : kDefaultMtu;
}

Outcome Nat::translate_client(const Snapshot& snapshot, NatSession& session, IpPacket& packet,
                              PacketView& p) noexcept {
  const BackendRecord& record = snapshot.backend(session.backend);
  if (!record.has(BackendRecord::kResolved)) return Outcome::kNoNextHop;
  const NatTuple to = session.answer.reversed();
  const bool tcp = packet.protocol == kProtoTcp;
  std::uint32_t growth = tcp ? session.proxy.growth(packet) : 0;
  if (growth != 0 && session.adopted) {
    // The backend's acknowledgment may have gone to another gateway.
    static_cast<void>(sharing_->catch_up(session));
    growth = session.proxy.growth(packet);
  }
  if (const Outcome bad = check_room(p, translated_length(packet, to.v6) + growth, record.mtu);
      bad != kPending) {
    return bad;
  }
  if (tcp && is_syn(tcp_flags(packet)) && !session.progress.confirmed) {
    if (snapshot.service(session.service).special->proxy_protocol) session.proxy.begin(packet);
    lower_mss(packet, std::min(segment_of(client_mtu(session), packet.v6), segment_of(record.mtu, to.v6)), 0);
  } else if (tcp) {
    session.proxy.pass_client(packet, session.client);
  }
  if (!exchange_ports(packet, session.client, to)) return Outcome::kTruncated;
  write_ip_header(packet, to, Ageing::kAge, identification_++);
  return to_backend(record, packet, p);
}

Outcome Nat::pass_answer(const Snapshot& snapshot, PacketView& p) noexcept {
  IpPacket packet;
  if (const Outcome bad = read(p, packet); bad != kPending) return bad;
  if (is_icmp(packet)) return pass_answer_error(snapshot, packet, p);
  if (const Outcome bad = check_transport(packet); bad != kPending) return bad;
  NatSession* session = find_answer(snapshot, tuple_of(packet));
  if (session == nullptr) return Outcome::kNatUnknownFlow;
  p.service = session->service;
  const NatNews before(*session);
  table_.touch(*session, NatSide::kBackend, tcp_flags(packet), snapshot.service(session->service).idle);
  if ((tcp_flags(packet) & kTcpSyn) != 0) {
    const std::uint32_t most = std::min(segment_of(client_mtu(*session), session->client.v6),
                                        segment_of(snapshot.backend(session->backend).mtu, packet.v6));
    lower_mss(packet, most, session->proxy.length);
  }
  const Outcome outcome = translate_answer(*session, packet, p);
  tell_news(*session, before);
  return outcome;
}

Outcome Nat::translate_answer(NatSession& session, IpPacket& packet, PacketView& p) noexcept {
  // Taken over from another gateway, and no client has sent anything here yet.
  if (session.path.macs == ClientPath{}.macs) return Outcome::kNoNextHop;
  const NatTuple to = session.client.reversed();
  if (const Outcome bad = check_room(p, translated_length(packet, to.v6), client_mtu(session));
      bad != kPending) {
    return bad;
  }
  if (packet.protocol == kProtoTcp) session.proxy.pass_backend(packet);
  if (!exchange_ports(packet, session.answer, to)) return Outcome::kTruncated;
  write_ip_header(packet, to, Ageing::kAge, identification_++);
  return to_client(session.path, packet, p);
}

Outcome Nat::pass_client_error(const Selection& x, IpPacket& error, PacketView& p) noexcept {
  const Snapshot& snapshot = x.snapshot;
  IpPacket quoted;
  if (const Outcome bad = read_icmp_error(error, quoted); bad != kPending) return bad;
  const NatTuple before = tuple_of(quoted);
  const NatSession* session = find_client(x, before.reversed(), 0, p.service);
  if (session == nullptr) return Outcome::kIcmpUnknownFlow;
  const BackendRecord& record = snapshot.backend(session->backend);
  if (!record.has(BackendRecord::kResolved)) return Outcome::kNoNextHop;
  IcmpErrorRewrite rewrite;
  rewrite.error = session->answer.reversed();
  rewrite.quoted_before = before;
  rewrite.quoted_after = session->answer;
  rewrite.identification = identification_++;
  if (const Outcome bad = check_room(p, 0, record.mtu); bad != kPending) return bad;
  if (const Outcome bad = rewrite_icmp_error(error, quoted, rewrite); bad != kPending) return bad;
  return to_backend(record, error, p);
}

Outcome Nat::pass_answer_error(const Snapshot& snapshot, IpPacket& error, PacketView& p) noexcept {
  IpPacket quoted;
  const Outcome read = read_icmp_error(error, quoted);
  // Echo requests and the like to a NAT address are for no flow.
  if (read == Outcome::kIcmp) return Outcome::kNatUnknownFlow;
  if (read != kPending) return read;
  const NatTuple before = tuple_of(quoted);
  const NatSession* session = find_answer(snapshot, before.reversed());
  if (session == nullptr) return Outcome::kNatUnknownFlow;
  p.service = session->service;
  if (session->path.macs == ClientPath{}.macs) return Outcome::kNoNextHop;
  if (const Outcome bad = check_room(p, 0, kDefaultMtu); bad != kPending) return bad;
  IcmpErrorRewrite rewrite;
  rewrite.error = session->client.reversed();
  rewrite.quoted_before = before;
  rewrite.quoted_after = session->client;
  rewrite.identification = identification_++;
  if (quoted.protocol == kProtoTcp) {
    rewrite.mtu_reserve = session->proxy.mtu_reserve();
    session->proxy.restore_quoted(quoted);
  }
  if (const Outcome bad = rewrite_icmp_error(error, quoted, rewrite); bad != kPending) return bad;
  return to_client(session->path, error, p);
}

}  // namespace penstock
