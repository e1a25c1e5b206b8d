#include "dataplane/pipeline/too_big.h"

namespace penstock {

void too_big(const BackendRecord&, Burst&, PacketView& p, RareState&, Nanoseconds) noexcept {
  p.outcome = Outcome::kTooBig;
}

}  // namespace penstock
