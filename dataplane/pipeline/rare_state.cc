#include "dataplane/pipeline/rare_state.h"

#include <sys/random.h>

#include <array>
#include <stdexcept>

namespace penstock {

namespace {

template <class Bytes>
Bytes random_bytes() {
  Bytes bytes;
  if (getrandom(&bytes, sizeof bytes, 0) != static_cast<ssize_t>(sizeof bytes))
    throw std::runtime_error("no random bytes from the kernel");
  return bytes;
}

}  // namespace

RareState::RareState(const RareSettings& settings)
    : vlan_rules(settings.vlan_rules),
      fragments(std::make_unique<FragmentCache>(random_bytes<std::array<std::uint8_t, 32>>())),
      next_outer_id(random_bytes<std::uint32_t>()),
      nat(settings.nat),
      own(settings.own) {}

}  // namespace penstock
