// Octets written as the draft and FIPS 197 write them.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::quic_test {

inline std::vector<std::uint8_t> hex(std::string_view text) {
  std::vector<std::uint8_t> out(text.size() / 2);
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::from_chars(text.data() + 2 * i, text.data() + 2 * i + 2, out[i], 16);
  }
  return out;
}

inline std::array<std::uint8_t, 16> hex16(std::string_view text) {
  std::array<std::uint8_t, 16> out{};
  std::ranges::copy(hex(text), out.begin());
  return out;
}

}  // namespace penstock::quic_test
