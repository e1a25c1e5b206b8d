#include "dataplane/hash/table_size.h"

#include <array>

namespace penstock {

namespace {

constexpr std::array<std::uint32_t, 10> kLadder = {1'009,  2'003,   5'003,   10'007,  20'011,
                                                   50'021, 100'003, 200'003, 500'009, kMaxChosenTableSize};
constexpr std::uint64_t kSlotsPerBackend = 1000;

}  // namespace

bool is_prime(std::uint32_t number) noexcept {
  if (number < 4) return number > 1;
  if (number % 2 == 0 || number % 3 == 0) return false;
  for (std::uint64_t divisor = 5; divisor * divisor <= number; divisor += 6) {
    if (number % divisor == 0 || number % (divisor + 2) == 0) return false;
  }
  return true;
}

std::uint32_t choose_table_size(std::size_t backends) noexcept {
  for (const std::uint32_t size : kLadder) {
    if (size >= kSlotsPerBackend * backends) return size;
  }
  return kLadder.back();
}

}  // namespace penstock
