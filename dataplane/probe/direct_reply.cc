#include "dataplane/probe/direct_reply.h"

#include <algorithm>
#include <cctype>
#include <cstring>
#include <string_view>

#include "penstock/net/headers.h"

namespace penstock {
namespace {

bool same_letter(char a, char b) {
  return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
}

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), same_letter);
}

/// "HTTP/1.1 200 OK": 0 for anything else.
unsigned status_of(std::string_view text) {
  if (!text.starts_with("HTTP/1.") || text.size() < 12) return 0;
  if (std::isdigit(static_cast<unsigned char>(text[7])) == 0 || text[8] != ' ') return 0;
  unsigned status = 0;
  for (const char c : text.substr(9, 3)) {
    if (std::isdigit(static_cast<unsigned char>(c)) == 0) return 0;
    status = status * 10 + static_cast<unsigned>(c - '0');
  }
  const bool ends = text.size() == 12 || text[12] == ' ' || text[12] == '\r' || text[12] == '\n';
  return ends ? status : 0;
}

bool is_wanted_status(const DirectCheckDocument& check, unsigned status) {
  if (check.statuses.empty()) return status >= 200 && status < 300;
  return std::any_of(check.statuses.begin(), check.statuses.end(),
                     [&](const auto& range) { return status >= range.first && status <= range.second; });
}

bool has_header(std::string_view lines, std::string_view name, std::string_view value) {
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find("\r\n"), lines.size());
    const std::string_view line = lines.substr(0, end);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && same_name(line.substr(0, colon), name) &&
        line.substr(colon + 1).find(value) != std::string_view::npos)
      return true;
    lines.remove_prefix(std::min(lines.size(), end + 2));
  }
  return false;
}

}  // namespace

std::optional<TcpSegment> read_tcp(std::span<const std::uint8_t> bytes) {
  TcpHeader header;
  if (bytes.size() < sizeof header) return std::nullopt;
  std::memcpy(&header, bytes.data(), sizeof header);
  const std::size_t length = std::size_t{header.data_offset} / 16 * 4;
  if (length < sizeof header || length > bytes.size()) return std::nullopt;
  return TcpSegment{header.sequence.host(), header.acknowledgment.host(), header.flags,
                    bytes.subspan(length)};
}

bool is_wanted_response(const DirectCheckDocument& check, std::span<const std::uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const unsigned status = status_of(text);
  if (status == 0 || !is_wanted_status(check, status)) return false;
  const std::size_t end = text.find("\r\n\r\n");
  const std::string_view lines = text.substr(0, end);
  const std::string_view body = end == std::string_view::npos ? std::string_view() : text.substr(end + 4);
  if (!std::all_of(check.headers.begin(), check.headers.end(),
                   [&](const auto& header) { return has_header(lines, header.first, header.second); }))
    return false;
  return body.find(check.body_contains) != std::string_view::npos;
}

bool is_wanted_datagram(const DirectCheckDocument& check, std::span<const std::uint8_t> bytes) {
  if (bytes.size() < sizeof(UdpHeader)) return false;
  const auto payload = bytes.subspan(sizeof(UdpHeader));
  return payload.size() >= check.expect.size() &&
         std::memcmp(payload.data(), check.expect.data(), check.expect.size()) == 0;
}

}  // namespace penstock
