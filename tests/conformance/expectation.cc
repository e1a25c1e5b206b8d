#include "tests/conformance/expectation.h"

#include <algorithm>
#include <optional>

namespace penstock::conformance {
namespace {

std::uint32_t read16(const Bytes& frame, std::size_t at) {
  return static_cast<std::uint32_t>(frame.at(at) << 8 | frame.at(at + 1));
}

void write16(Bytes& frame, std::size_t at, std::uint32_t value) {
  frame.at(at) = static_cast<std::uint8_t>(value >> 8);
  frame.at(at + 1) = static_cast<std::uint8_t>(value);
}

std::uint32_t fold(std::uint32_t sum) {
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

// Of the two zeroes of ones' complement a checksum field may hold either; the tables have what scapy writes.
bool same_checksum(std::uint32_t a, std::uint32_t b) { return a % 0xffff == b % 0xffff; }

// Takes the free field out of the frame: its bits become 0, and the checksums over it what they would be then
// (`wanted`'s, if they agree modulo the two zeroes).
std::uint64_t take(const Free& free, const Bytes& wanted, Bytes& frame) {
  const Bytes mask = from_hex(free.mask());
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < mask.size(); ++i) {
    std::uint8_t& byte = frame.at(free.at() + i);
    value = value << 8 | static_cast<std::uint8_t>(byte & mask[i]);
    byte = static_cast<std::uint8_t>(byte & ~mask[i]);
  }
  for (const std::uint32_t at : free.checksums()) {
    if (read16(frame, at) == 0) continue;  // of UDP: there is none, and that shows
    const std::uint32_t without = fold(read16(frame, at) + static_cast<std::uint32_t>(value));
    write16(frame, at, same_checksum(without, read16(wanted, at)) ? read16(wanted, at) : without);
  }
  return value;
}

std::string difference(const Bytes& frame, const Bytes& wanted) {
  const auto at = std::mismatch(frame.begin(), frame.end(), wanted.begin(), wanted.end()).first;
  return "first different byte: " + std::to_string(at - frame.begin()) + ", lengths " +
         std::to_string(frame.size()) + " and " + std::to_string(wanted.size()) + "\n     got " +
         to_hex(frame) + "\n  wanted " + to_hex(wanted) + "\n";
}

}  // namespace

Bytes Expectation::fill(const Sent& sent) const {
  Bytes frame = from_hex(sent.frame());
  for (const Fill& fill : sent.fill()) {
    const auto value = static_cast<std::uint32_t>(chosen_.at({fill.flow(), fill.name()}));
    write16(frame, fill.at(), value);
    for (const std::uint32_t at : fill.checksums()) {
      const std::uint32_t sum = fold((~read16(frame, at) & 0xffffU) + value);
      write16(frame, at, sum == 0xffff ? 0xffff : ~sum & 0xffffU);
    }
  }
  return frame;
}

std::string Expectation::compare_frame(const Expected& expected, Bytes frame) {
  std::optional<std::string> best;
  for (int i = 0; i < expected.any_of_size(); ++i) {
    const Bytes wanted = from_hex(expected.any_of(i));
    Bytes bare = frame;
    std::map<std::string, std::uint64_t> taken;
    try {
      for (const Free& free : expected.free()) taken[free.name()] = take(free, wanted, bare);
    } catch (const std::out_of_range&) {
      best = "too short: " + difference(frame, wanted);
      continue;
    }
    if (bare != wanted) {
      best = difference(bare, wanted);
      continue;
    }
    std::string wrong;
    for (const Free& free : expected.free()) {
      const std::uint64_t value = taken[free.name()];
      if (value < free.least()) wrong += free.name() + " is " + std::to_string(value) + "\n";
      if (expected.flow().empty()) continue;
      const auto [before, first] = chosen_.emplace(std::pair(expected.flow(), free.name()), value);
      if (!first && before->second != value) wrong += free.name() + " changed within a flow\n";
    }
    if (!expected.flow().empty() && alternative_.emplace(expected.flow(), i).first->second != i) {
      wrong += "flow " + expected.flow() + " went another way than before\n";
    }
    return wrong;
  }
  return best.value_or("nothing is expected\n");
}

std::string Expectation::compare(const Step& step, const std::vector<Bytes>& frames) {
  std::string wrong;
  for (int i = 0; i < step.expect_size() && i < static_cast<int>(frames.size()); ++i) {
    const std::string one = compare_frame(step.expect(i), frames[static_cast<std::size_t>(i)]);
    if (!one.empty()) wrong += "frame " + std::to_string(i) + ": " + one;
  }
  if (static_cast<int>(frames.size()) != step.expect_size()) {
    wrong += std::to_string(frames.size()) + " frames left instead of " + std::to_string(step.expect_size()) +
             "\n";
    for (std::size_t i = static_cast<std::size_t>(step.expect_size()); i < frames.size(); ++i) {
      wrong += "  too many: " + to_hex(frames[i]) + "\n";
    }
  }
  return wrong;
}

std::string compare_outcomes(const Step& step, const std::map<std::string, std::uint64_t>& outcomes) {
  std::map<std::string, std::int64_t> difference;
  for (const auto& [name, count] : outcomes) difference[name] += static_cast<std::int64_t>(count);
  for (const auto& [name, count] : step.outcomes()) difference[name] -= count;
  std::string out;
  for (const auto& [name, count] : difference) {
    if (count != 0) out += (count > 0 ? "+" : "") + std::to_string(count) + " " + name + " ";
  }
  return out;
}

}  // namespace penstock::conformance
