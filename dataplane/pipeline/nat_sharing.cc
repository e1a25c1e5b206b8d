#include "dataplane/pipeline/nat_sharing.h"

#include <algorithm>
#include <cstring>

namespace penstock {

namespace {

ServiceIndex find_service(const VipClassifier& c, const NatTuple& client) noexcept {
  std::uint32_t v4;
  std::memcpy(&v4, client.destination.data(), sizeof v4);
  const std::uint8_t* v6 = client.destination.data();
  const std::uint16_t port = client.destination_port.raw();
  ServiceIndex found =
      client.v6 ? c.find_v6(v6, port, client.protocol) : c.find_v4(v4, port, client.protocol);
  if (found == kNoServiceIndex)
    found = client.v6 ? c.find_wide_v6(v6, port, client.protocol) : c.find_wide_v4(v4, port, client.protocol);
  return found == kNoServiceIndex ? found : found & ~kSpecialService;
}

BackendIndex find_backend(const ServiceRecord& service, std::uint64_t name) noexcept {
  const std::vector<NatTarget>& targets = service.special->nat_targets;
  const auto target = std::ranges::find(targets, name, &NatTarget::name);
  return target == targets.end() ? kNoBackend : service.backends[target - targets.begin()];
}

}  // namespace

bool serves(const Snapshot& snapshot, const NatSession& session) noexcept {
  return snapshot.holds(session.backend) && snapshot.backend(session.backend).service == session.service;
}

void NatSharing::advance(const Snapshot& snapshot, Tick now) noexcept {
  snapshot_ = &snapshot;
  if (now == now_ && now_ms_ != 0) return;
  now_ = now;
  now_ms_ = unix_ms_();
}

NatSession* NatSharing::adopt_client(NatTable& table, const NatTuple& packet) noexcept {
  NatSessionRecord told;
  const bool known = foreign_ != nullptr && foreign_->find_client(packet, told);
  return known ? adopt(table, told) : nullptr;
}

NatSession* NatSharing::adopt_answer(NatTable& table, const NatTuple& packet) noexcept {
  NatSessionRecord told;
  const bool known = foreign_ != nullptr && foreign_->find_answer(packet, told);
  return known ? adopt(table, told) : nullptr;
}

NatSession* NatSharing::adopt(NatTable& table, const NatSessionRecord& told) noexcept {
  const ServiceIndex service = find_service(snapshot_->classifier(), told.client);
  if (service == kNoServiceIndex || !snapshot_->service(service).special->nat) return nullptr;
  const BackendIndex backend = find_backend(snapshot_->service(service), told.backend_name);
  if (backend == kNoBackend || !snapshot_->holds(backend)) return nullptr;
  // One of the tuples is unknown here, or else nobody would ask. The other one may be another session's.
  if (table.find_client(told.client) != nullptr || table.find_answer(told.answer) != nullptr) return nullptr;
  NatSession* session = table.enter_confirmed(told.client, told.answer, told.progress);
  if (session == nullptr) return nullptr;
  session->service = service;
  session->backend = backend;
  session->proxy = told.proxy;
  session->adopted = true;
  session->backend_name = told.backend_name;
  session->opened_ms = told.opened_ms;
  ++adopted_;
  tell(*session);
  return session;
}

NatSharing::Peer NatSharing::catch_up(NatSession& session) noexcept {
  NatSessionRecord told;
  if (foreign_ == nullptr || !foreign_->find_client(session.client, told)) return Peer::kAgrees;
  if (told.opened_ms > session.opened_ms) return Peer::kSuperseded;
  if (told.opened_ms < session.opened_ms || !(told.answer == session.answer)) return Peer::kAgrees;
  const NatNews before(session);
  session.progress.fins |= told.progress.fins;
  if (session.progress.fins == 3 && session.progress.phase != NatPhase::kClosing) {
    session.progress.phase = NatPhase::kClosing;
    shorten(session, IdleClass::kClosing);
  }
  if (session.proxy.phase != ProxyStream::Phase::kNone && session.proxy.first == told.proxy.first) {
    session.proxy.phase = std::max(session.proxy.phase, told.proxy.phase);
    session.proxy.sent |= told.proxy.sent;
  }
  if (!(NatNews(session) == before)) tell(session);
  return told.progress.phase == NatPhase::kReset ? Peer::kReset : Peer::kAgrees;
}

void NatSharing::shorten(NatSession& session, IdleClass idle) const noexcept {
  const Tick until = now_ + snapshot_->service(session.service).idle.of(idle);
  if (static_cast<std::int32_t>(session.expires - until) > 0) session.expires = until;
}

void NatSharing::tell(const NatSession& session, bool ended) noexcept {
  if (events_ == nullptr || !session.progress.confirmed) return;
  NatEvent event;
  event.record.client = session.client;
  event.record.answer = session.answer;
  event.record.backend_name = session.backend_name;
  event.record.opened_ms = session.opened_ms;
  event.record.proxy = session.proxy;
  event.record.progress = session.progress;
  event.key = XXH3_64bits_withSecret(&session.client, sizeof session.client, snapshot_->secret().data(),
                                     HashSecret::kBytes);
  event.ended = ended;
  events_->push(event);
}

bool NatSharing::keep(NatSession& session) noexcept {
  if (!serves(*snapshot_, session)) return false;
  switch (catch_up(session)) {
    case Peer::kSuperseded:
      return false;
    case Peer::kReset:
      shorten(session, IdleClass::kSyn);
      break;
    case Peer::kAgrees:
      break;
  }
  tell(session);
  return true;
}

}  // namespace penstock
