// XXH3 as the shared library computes it; a file of its own, because flow_hash.h inlines xxHash under other
// names.
#include <xxhash.h>

#include <cstddef>
#include <cstdint>

namespace penstock::test {

std::uint64_t library_xxh3(const void* data, std::size_t length, const std::uint8_t* secret,
                           std::size_t secret_length) {
  return XXH3_64bits_withSecret(data, length, secret, secret_length);
}

}  // namespace penstock::test
