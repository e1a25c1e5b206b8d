#include "dataplane/hash/flow_hash.h"

namespace penstock {

HashSecret::HashSecret(std::span<const std::uint8_t, 32> key) noexcept {
  // Fails only for a null or too small buffer or seed, and the sizes are fixed here.
  XXH3_generateSecret(bytes_.data(), bytes_.size(), key.data(), key.size());
}

}  // namespace penstock
