// Integers in network byte order into and out of byte strings; a reader never goes beyond its end.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace penstock {

template <std::unsigned_integral T>
void store_be(std::byte* to, T value) noexcept {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    to[i] = static_cast<std::byte>(value >> (8 * (sizeof(T) - 1 - i)) & 0xff);
}
template <std::unsigned_integral T>
[[nodiscard]] T load_be(const std::byte* from) noexcept {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = value << 8 | static_cast<std::uint64_t>(from[i]);
  return static_cast<T>(value);
}

template <std::unsigned_integral T>
void append_be(std::vector<std::byte>& to, T value) {
  to.resize(to.size() + sizeof(T));
  store_be(to.data() + to.size() - sizeof(T), value);
}
inline void append_bytes(std::vector<std::byte>& to, std::span<const std::byte> bytes) {
  to.insert(to.end(), bytes.begin(), bytes.end());
}

class WireReader {
 public:
  explicit WireReader(std::span<const std::byte> bytes) : rest_(bytes) {}

  [[nodiscard]] bool done() const noexcept { return rest_.empty(); }
  [[nodiscard]] std::size_t left() const noexcept { return rest_.size(); }
  /// False, and nothing is read, where fewer bytes are left.
  template <std::unsigned_integral T>
  [[nodiscard]] bool read(T& value) noexcept {
    if (rest_.size() < sizeof(T)) return false;
    value = load_be<T>(rest_.data());
    rest_ = rest_.subspan(sizeof(T));
    return true;
  }
  [[nodiscard]] bool read(std::size_t count, std::span<const std::byte>& bytes) noexcept {
    if (rest_.size() < count) return false;
    bytes = rest_.first(count);
    rest_ = rest_.subspan(count);
    return true;
  }

 private:
  std::span<const std::byte> rest_;
};

}  // namespace penstock
