#include "dataplane/pipeline/special.h"

namespace penstock {

void classify_special(const Snapshot& snapshot, const Headers&, PacketView& packet) noexcept {
  const SpecialService& special = *snapshot.service(packet.service).special;
  if (special.nat) packet.aside = Aside::kNat;
}

}  // namespace penstock
