#include "dataplane/pipeline/nat.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "dataplane/nat/tcp_header.h"
#include "dataplane/nat/transport.h"

namespace penstock {

namespace {

constexpr std::uint32_t kEthernet = sizeof(EthernetHeader);
constexpr std::uint32_t kMacs = 12;
constexpr std::uint16_t kDefaultMtu = 1500;

bool is_icmp(const IpPacket& packet) noexcept {
  return packet.protocol == (packet.v6 ? kProtoIcmpv6 : kProtoIcmp);
}

std::uint8_t tcp_flags(const IpPacket& packet) noexcept {
  return packet.protocol == kProtoTcp ? packet.transport[offsetof(TcpHeader, flags)] : std::uint8_t{0};
}

constexpr bool is_syn(std::uint8_t flags) noexcept {
  return (flags & (kTcpSyn | kTcpAck | kTcpRst)) == kTcpSyn;
}

// The longest TCP segment without options that fits an MTU.
constexpr std::uint32_t segment_of(std::uint32_t mtu, bool v6) noexcept {
  const std::uint32_t headers = (v6 ? sizeof(Ipv6Header) : sizeof(Ipv4Header)) + sizeof(TcpHeader);
  return mtu > headers ? mtu - headers : 0;
}

Outcome read(PacketView& p, IpPacket& packet) noexcept {
  if (p.length < kEthernet) return Outcome::kTruncated;
  const Outcome read = read_ip_packet(p.data + kEthernet, p.length - kEthernet, p.more, packet);
  if (read != kPending) return read;
  return packet.time_to_live <= 1 ? Outcome::kTtlExpired : kPending;
}

// The frame now begins with 14 bytes in front of packet.ip.
void reframe(const IpPacket& packet, PacketView& p) noexcept {
  std::uint8_t* frame = packet.ip - kEthernet;
  p.headroom = static_cast<std::uint32_t>(static_cast<std::int64_t>(p.headroom) + (frame - p.data));
  p.data = frame;
  p.length = kEthernet + packet.header_length + packet.present;
  p.more = packet.length - packet.present;
  p.ip_length = packet.header_length + packet.length;
  p.is_v6 = packet.v6;
}

void put_ether_type(const IpPacket& packet, PacketView& p) noexcept {
  const be16 type(packet.v6 ? kEtherTypeIpv6 : kEtherTypeIpv4);
  std::memcpy(p.data + kMacs, &type, sizeof type);
}

Outcome to_backend(const BackendRecord& record, const IpPacket& packet, PacketView& p) noexcept {
  reframe(packet, p);
  std::memcpy(p.data, record.first_header(), kEthernet);
  p.egress_port = record.egress_port;
  return Outcome::kForwarded;
}

Outcome to_client(const ClientPath& path, const IpPacket& packet, PacketView& p) noexcept {
  reframe(packet, p);
  put_ether_type(packet, p);
  p.data -= path.tag_bytes;
  p.headroom -= path.tag_bytes;
  p.length += path.tag_bytes;
  std::memcpy(p.data, path.macs.data(), kMacs);
  std::memcpy(p.data + kMacs, path.tags.data(), path.tag_bytes);
  p.egress_port = path.port;
  return Outcome::kForwarded;
}

ClientPath path_of(const PacketView& p) noexcept {
  ClientPath path;
  std::memcpy(path.macs.data(), p.data + 6, 6);
  std::memcpy(path.macs.data() + 6, p.data, 6);
  path.port = p.ingress_port;
  path.tag_bytes = p.tag_bytes;
  std::memcpy(path.tags.data(), p.tags.data(), p.tag_bytes);
  return path;
}

// The backend may have gone, and its index may be another service's.
bool serves(const Snapshot& s, const NatSession& session) noexcept {
  return s.holds(session.backend) && s.backend(session.backend).service == session.service;
}

// A translated packet must fit, and there must be room to write it.
Outcome check_room(const PacketView& p, std::uint32_t length, std::uint32_t mtu) noexcept {
  if (length > mtu) return Outcome::kTooBig;
  return p.headroom < kRequiredHeadroom ? Outcome::kNoHeadroom : kPending;
}

}  // namespace

Nat::Nat(const NatSettings& settings)
    : table_(settings.addresses.empty() ? 0 : settings.flows, settings.key),
      ports_(settings.addresses, settings.steering, settings.first_port, settings.last_port),
      port_mtus_(settings.port_mtus) {}

void Nat::settle_client(const Snapshot& snapshot, std::span<const VlanRule> vlan_rules, PacketView& p,
                        Nanoseconds now) noexcept {
  table_.advance(tick_of(now));
  p.outcome = pass_client(snapshot, p);
  if (p.outcome == Outcome::kForwarded && p.tag_bytes != 0) put_tags(vlan_rules, p);
}

void Nat::settle_answer(const Snapshot& snapshot, PacketView& p, Nanoseconds now) noexcept {
  table_.advance(tick_of(now));
  p.outcome = pass_answer(snapshot, p);
}

Outcome Nat::pass_client(const Snapshot& snapshot, PacketView& p) noexcept {
  IpPacket packet;
  if (const Outcome bad = read(p, packet); bad != kPending) return bad;
  if (is_icmp(packet)) return pass_client_error(snapshot, packet, p);
  if (const Outcome bad = check_transport(packet); bad != kPending) return bad;
  const NatTuple tuple = tuple_of(packet);
  const std::uint8_t flags = tcp_flags(packet);
  NatSession* session = find_client(snapshot, tuple, flags, p.service);
  if (session == nullptr) {
    // A packet in the middle of a connection that nobody knows goes to a backend, too: its reset tells the
    // client. The end of one is not worth a session.
    if ((flags & (kTcpFin | kTcpRst)) != 0 || (flags & (kTcpSyn | kTcpAck)) == (kTcpSyn | kTcpAck))
      return Outcome::kNatUnknownFlow;
    if (const Outcome refused = open(snapshot, tuple, p, session); refused != kPending) return refused;
  }
  p.backend = session->backend;
  table_.touch(*session, NatSide::kClient, flags, snapshot.service(p.service).idle);
  const ClientPath path = path_of(p);
  if (!(session->path == path)) session->path = path;
  return translate_client(snapshot, *session, packet, p);
}

NatSession* Nat::find_client(const Snapshot& snapshot, const NatTuple& tuple, std::uint8_t flags,
                             ServiceIndex service) noexcept {
  NatSession* session = table_.find_client(tuple);
  if (session == nullptr) return nullptr;
  const bool lost = session->service != service || !serves(snapshot, *session);
  const bool anew =
      is_syn(flags) && (session->progress.is_over() ||
                        (!lost && !snapshot.backend(session->backend).has(BackendRecord::kTakesNewFlows)));
  if (!lost && !anew) return session;
  table_.remove(*session);
  return nullptr;
}

NatSession* Nat::find_answer(const Snapshot& snapshot, const NatTuple& tuple) noexcept {
  NatSession* session = table_.find_answer(tuple);
  if (session == nullptr || serves(snapshot, *session)) return session;
  table_.remove(*session);
  return nullptr;
}

Outcome Nat::open(const Snapshot& snapshot, const NatTuple& tuple, PacketView& p,
                  NatSession*& session) noexcept {
  const ServiceRecord& service = snapshot.service(p.service);
  if (service.owners == nullptr) return Outcome::kNoBackendLeft;
  const std::uint16_t owner = *service.slot(p.hash);
  const NatTarget& target = service.special->nat_targets[owner];
  NatTuple answer;
  answer.v6 = target.address.is_v6();
  answer.protocol = tuple.protocol;
  answer.set_source(target.address);
  answer.source_port = target.port != 0 ? be16(target.port) : tuple.destination_port;
  // p.hash may be the same for all flows of a client (source affinity).
  const std::uint64_t hash =
      XXH3_64bits_withSecret(&tuple, sizeof tuple, snapshot.secret().data(), HashSecret::kBytes);
  if (!ports_.choose(table_, hash, answer)) return Outcome::kNatNoPort;
  session = table_.enter(tuple, answer);
  if (session == nullptr) return Outcome::kNatNoPort;
  session->service = p.service;
  session->backend = service.backends[owner];
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
  const std::uint32_t growth = tcp ? session.proxy.growth(packet) : 0;
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
  table_.touch(*session, NatSide::kBackend, tcp_flags(packet), snapshot.service(session->service).idle);
  if ((tcp_flags(packet) & kTcpSyn) != 0) {
    const std::uint32_t most = std::min(segment_of(client_mtu(*session), session->client.v6),
                                        segment_of(snapshot.backend(session->backend).mtu, packet.v6));
    lower_mss(packet, most, session->proxy.length);
  }
  return translate_answer(*session, packet, p);
}

Outcome Nat::translate_answer(NatSession& session, IpPacket& packet, PacketView& p) noexcept {
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

Outcome Nat::pass_client_error(const Snapshot& snapshot, IpPacket& error, PacketView& p) noexcept {
  IpPacket quoted;
  if (const Outcome bad = read_icmp_error(error, quoted); bad != kPending) return bad;
  const NatTuple before = tuple_of(quoted);
  const NatSession* session = find_client(snapshot, before.reversed(), 0, p.service);
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
