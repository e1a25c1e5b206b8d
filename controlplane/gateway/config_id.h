// Which configuration: generations are ordered within one epoch only (config.proto). Generation 0 = none.
#pragma once

#include <cstdint>
#include <string>

namespace penstock {

struct ConfigId {
  std::uint64_t epoch = 0;
  std::uint64_t generation = 0;

  bool operator==(const ConfigId&) const = default;
  [[nodiscard]] bool none() const { return generation == 0; }
  /// "generation 12"
  [[nodiscard]] std::string text() const {
    return none() ? "none" : "generation " + std::to_string(generation);
  }
};

/// The id that a message with the fields epoch and generation carries.
template <class Message>
ConfigId id_of(const Message& message) {
  return {message.epoch(), message.generation()};
}

}  // namespace penstock
