#include "dataplane/pipeline/special.h"

#include <array>
#include <cstring>

#include "dataplane/pipeline/quic.h"

namespace penstock {

namespace {

// The first `bits` of the source address, in place of both addresses; no ports and no protocol: a client gets
// one backend of a service, whatever it speaks and on whichever of the service's ports.
std::uint32_t source_choice(const HashSecret& secret, const Headers& h, unsigned bits) noexcept {
  std::array<std::uint8_t, 32> addresses{};
  const std::size_t whole = bits / 8;
  std::memcpy(addresses.data(), h.addresses, whole);
  if (bits % 8 != 0) {
    addresses[whole] = static_cast<std::uint8_t>(h.addresses[whole] & (0xff00U >> bits % 8));
  }
  const std::uint64_t hash =
      h.is_v6 ? flow_hash_v6(secret, addresses.data(), 0, 0) : flow_hash_v4(secret, addresses.data(), 0, 0);
  return static_cast<std::uint32_t>(hash >> 32);
}

// Without a flow entry: the slot decides again for each packet.
void choose_directly(const Snapshot& snapshot, PacketView& p) noexcept {
  const ServiceRecord& service = snapshot.service(p.service);
  if (service.owners == nullptr) {
    p.outcome = Outcome::kNoBackendLeft;
    return;
  }
  p.backend = service.backends[*service.slot(slot_hash(service, p))];
  p.aside = Aside::kDirect;
}

}  // namespace

void hash_special(const Snapshot& snapshot, const Headers& headers, PacketView& p) noexcept {
  const ServiceRecord& service = snapshot.service(p.service);
  const SpecialService& special = *service.special;
  if (special.by_addresses) {
    p.hash = headers.is_v6 ? flow_hash_v6(snapshot.secret(), headers.addresses, 0, headers.protocol)
                           : flow_hash_v4(snapshot.secret(), headers.addresses, 0, headers.protocol);
    p.kind = PacketKind::kUdp;
  }
  if (service.by_source) {
    p.choice = source_choice(snapshot.secret(), headers, special.affinity_of(headers.is_v6));
  }
}

void classify_special(const Snapshot& snapshot, Headers headers, PacketView& packet) noexcept {
  const SpecialService& special = *snapshot.service(packet.service).special;
  hash_special(snapshot, headers, packet);
  if (special.nat) packet.aside = Aside::kNat;
  if (special.seeks_udp) packet.aside = Aside::kSeeksUdp;
  if (special.quic != nullptr) {
    packet.backend = find_by_connection_id(snapshot, packet);
    if (packet.backend != kNoBackend) packet.aside = Aside::kDirect;
  }
  if (special.one_shot) choose_directly(snapshot, packet);
}

}  // namespace penstock
