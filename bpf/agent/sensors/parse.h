// Words and numbers out of the text of /proc and /sys, without allocation. Pure.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>

namespace penstock {

/// Takes the text up to `separator` (or the end) off the front of `rest`.
inline std::string_view take_until(std::string_view& rest, char separator) {
  const auto at = rest.find(separator);
  const std::string_view taken = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
  return taken;
}

/// The next word between blanks; empty at the end.
inline std::string_view take_word(std::string_view& rest) {
  const auto begin = rest.find_first_not_of(" \t\n");
  if (begin == std::string_view::npos) {
    rest = {};
    return {};
  }
  rest.remove_prefix(begin);
  const auto end = rest.find_first_of(" \t\n");
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(word.size());
  return word;
}

/// The whole of `text` as a number; nothing when anything else is in it.
template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stopped != end || text.empty()) return std::nullopt;
  return value;
}

/// The first word of a file with one number, or nothing.
template <class Number>
std::optional<Number> only_number(std::string_view text) {
  const std::string_view word = take_word(text);
  if (!take_word(text).empty()) return std::nullopt;
  return number<Number>(word);
}

/// The line that begins with `key`, without it; nothing when there is none.
inline std::optional<std::string_view> line_after(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    std::string_view line = take_until(text, '\n');
    if (line.substr(0, key.size()) == key) return line.substr(key.size());
  }
  return std::nullopt;
}

}  // namespace penstock
