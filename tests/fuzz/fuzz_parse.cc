// Finding the headers of one frame. Input: the frame.
#include "dataplane/pipeline/parse.h"
#include "tests/fuzz/input.h"

namespace penstock::fuzz {
namespace {

void check(const Headers& h, Buffer& buffer, const PacketView& p) {
  const std::size_t addresses = h.is_v6 ? 32 : 8;
  require(buffer.holds(h.addresses, addresses), "the addresses lie in the frame");
  require(h.ip_length <= p.length + p.more - parse_detail::kEthernet,
          "the IP packet is no longer than its frame");
  require(h.ip_length >= (h.is_v6 ? 40U : 20U), "the IP packet holds its own header");
}

void parse(std::span<const std::uint8_t> frame, std::uint32_t more) {
  Buffer buffer(frame);
  PacketView packet{};
  packet.set(buffer.frame(), static_cast<std::uint32_t>(buffer.length()), 0, 0, more);
  Headers plain{};
  const bool is_plain = parse_plain(packet, plain);
  if (is_plain) check(plain, buffer, packet);
  const OddHeaders odd = parse_odd(packet);
  if (odd.addressed) {
    require(buffer.holds(odd.headers.addresses, odd.headers.is_v6 ? 32 : 8),
            "addresses that are told can be read");
  }
  if (odd.verdict == kPending) check(odd.headers, buffer, packet);
  require(odd.verdict <= kPending, "a verdict is an outcome");
  if (!is_plain) return;
  require(odd.verdict == kPending && odd.addressed, "parse_odd takes what parse_plain takes");
  require(odd.headers.addresses == plain.addresses && odd.headers.ports_raw == plain.ports_raw &&
              odd.headers.ip_length == plain.ip_length && odd.headers.protocol == plain.protocol &&
              odd.headers.kind == plain.kind && odd.headers.is_v6 == plain.is_v6,
          "parse_odd and parse_plain find the same");
}

}  // namespace
}  // namespace penstock::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  penstock::fuzz::parse({data, size}, 0);
  penstock::fuzz::parse({data, size}, 1500);  // of a frame in several segments
  return 0;
}
