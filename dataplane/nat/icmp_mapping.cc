#include "dataplane/nat/icmp_mapping.h"

#include <algorithm>
#include <array>

namespace penstock {

namespace {

constexpr std::uint32_t kMinMtuV4 = 68;
constexpr std::uint32_t kMinMtuV6 = 1280;
constexpr std::uint32_t kHeaderDifference = 20;

constexpr std::uint8_t kUnreachableV4 = 3;
constexpr std::uint8_t kTimeExceededV4 = 11;
constexpr std::uint8_t kParameterV4 = 12;
constexpr std::uint8_t kUnreachableV6 = 1;
constexpr std::uint8_t kTooBigV6 = 2;
constexpr std::uint8_t kTimeExceededV6 = 3;
constexpr std::uint8_t kParameterV6 = 4;

constexpr std::uint8_t kNone = 0xff;

// Figures 3 and 6 of RFC 7915: fields of one header by their place in the other.
constexpr std::array<std::uint8_t, 20> kPointerV6{0,     1,     4, 4, kNone, kNone, 6,  kNone, 7,  6,
                                                  kNone, kNone, 8, 8, 8,     8,     24, 24,    24, 24};
constexpr std::uint8_t pointer_v4(std::uint32_t pointer) noexcept {
  if (pointer <= 1) return static_cast<std::uint8_t>(pointer);
  if (pointer == 4 || pointer == 5) return 2;
  if (pointer == 6) return 9;
  if (pointer == 7) return 8;
  if (pointer >= 8 && pointer <= 23) return 12;
  return pointer >= 24 && pointer <= 39 ? 16 : kNone;
}

std::optional<IcmpMeaning> unreachable_v6(const IcmpMeaning& error) noexcept {
  switch (error.code) {
    case 0:
    case 1:
    case 5:
    case 6:
    case 7:
    case 8:
    case 11:
    case 12:
      return IcmpMeaning{kUnreachableV6, 0, 0};  // no route
    case 2:
      return IcmpMeaning{kParameterV6, 1, 6};  // protocol: unrecognised next header
    case 3:
      return IcmpMeaning{kUnreachableV6, 4, 0};  // port
    case 4:
      return IcmpMeaning{kTooBigV6, 0, std::max(kMinMtuV6, error.word + kHeaderDifference)};
    case 9:
    case 10:
    case 13:
    case 15:
      return IcmpMeaning{kUnreachableV6, 1, 0};  // prohibited
    default:
      return std::nullopt;
  }
}

}  // namespace

std::uint32_t plateau_below(std::uint32_t length) noexcept {
  constexpr std::array<std::uint32_t, 11> kPlateaus{65535, 32000, 17914, 8166, 4352, 2002,
                                                    1492,  1006,  508,   296,  68};
  const auto* below = std::ranges::find_if(kPlateaus, [&](std::uint32_t mtu) { return mtu < length; });
  return below == kPlateaus.end() ? kMinMtuV4 : *below;
}

std::optional<IcmpMeaning> icmp_v6_from_v4(const IcmpMeaning& error) noexcept {
  if (error.type == kUnreachableV4) return unreachable_v6(error);
  if (error.type == kTimeExceededV4) return IcmpMeaning{kTimeExceededV6, error.code, 0};
  if (error.type != kParameterV4 || (error.code != 0 && error.code != 2)) return std::nullopt;
  const std::uint32_t pointer = error.word >> 24;
  if (pointer >= kPointerV6.size() || kPointerV6[pointer] == kNone) return std::nullopt;
  return IcmpMeaning{kParameterV6, 0, kPointerV6[pointer]};
}

std::optional<IcmpMeaning> icmp_v4_from_v6(const IcmpMeaning& error) noexcept {
  switch (error.type) {
    case kUnreachableV6: {
      constexpr std::array<std::uint8_t, 5> kCodes{1, 10, 1, 1, 3};
      if (error.code >= kCodes.size()) return std::nullopt;
      return IcmpMeaning{kUnreachableV4, kCodes[error.code], 0};
    }
    case kTooBigV6: {
      const std::uint32_t mtu = std::min<std::uint32_t>(error.word, 0xffff);
      return IcmpMeaning{kUnreachableV4, 4, std::max(kMinMtuV4, mtu - std::min(mtu, kHeaderDifference))};
    }
    case kTimeExceededV6:
      return IcmpMeaning{kTimeExceededV4, error.code, 0};
    case kParameterV6: {
      if (error.code == 1) return IcmpMeaning{kUnreachableV4, 2, 0};
      if (error.code != 0 || pointer_v4(error.word) == kNone) return std::nullopt;
      return IcmpMeaning{kParameterV4, 0, std::uint32_t{pointer_v4(error.word)} << 24};
    }
    default:
      return std::nullopt;
  }
}

}  // namespace penstock
