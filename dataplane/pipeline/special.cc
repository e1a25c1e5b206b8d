#include "dataplane/pipeline/special.h"

#include "dataplane/pipeline/quic.h"

namespace penstock {

void classify_special(const Snapshot& snapshot, Headers, PacketView& packet) noexcept {
  const SpecialService& special = *snapshot.service(packet.service).special;
  if (special.nat) packet.aside = Aside::kNat;
  if (special.quic != nullptr) {
    packet.backend = find_by_connection_id(snapshot, packet);
    if (packet.backend != kNoBackend) packet.aside = Aside::kDirect;
  }
}

}  // namespace penstock
