#include "tests/conformance/table.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <stdexcept>

namespace penstock::conformance {
namespace {

const std::filesystem::path kFolder = PENSTOCK_CONFORMANCE_TABLES;
constexpr const char* kGateways = "gateways.jsonl";

template <class Message>
std::vector<Message> read_lines(const std::filesystem::path& path) {
  std::ifstream in(path);
  if (!in) throw std::runtime_error(path.string() + " cannot be read");
  std::vector<Message> out;
  for (std::string line; std::getline(in, line);) {
    const auto status = google::protobuf::util::JsonStringToMessage(line, &out.emplace_back());
    if (!status.ok()) {
      throw std::runtime_error(path.string() + ":" + std::to_string(out.size()) + ": " + status.ToString());
    }
  }
  return out;
}

Table read() {
  Table out;
  for (Gateway& gateway : read_lines<Gateway>(kFolder / kGateways)) {
    const std::string name = gateway.name();
    out.gateways.emplace(name, std::move(gateway));
  }
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().filename() == kGateways) continue;
    for (Case& one : read_lines<Case>(entry.path())) out.cases.push_back(std::move(one));
  }
  std::sort(out.cases.begin(), out.cases.end(), [](const Case& a, const Case& b) {
    return std::tie(a.gateway(), a.topic(), a.name()) < std::tie(b.gateway(), b.topic(), b.name());
  });
  return out;
}

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  throw std::runtime_error(std::string("'") + c + "' is no digit of a lower-case hexadecimal number");
}

}  // namespace

const Table& table() {
  static const Table kTable = read();
  return kTable;
}

Bytes from_hex(const std::string& hex) {
  if (hex.size() % 2 != 0) throw std::runtime_error("half a byte at the end of " + hex);
  Bytes out(hex.size() / 2);
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<std::uint8_t>(digit(hex[2 * i]) << 4 | digit(hex[2 * i + 1]));
  }
  return out;
}

std::string to_hex(const Bytes& bytes) {
  std::string out;
  for (const std::uint8_t byte : bytes) {
    out += "0123456789abcdef"[byte >> 4];
    out += "0123456789abcdef"[byte & 0xf];
  }
  return out;
}

}  // namespace penstock::conformance
