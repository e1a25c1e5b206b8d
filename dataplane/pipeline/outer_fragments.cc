#include "dataplane/pipeline/outer_fragments.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "dataplane/pipeline/too_big.h"
#include "penstock/net/checksum.h"
#include "penstock/net/headers.h"

namespace penstock {

namespace {

constexpr std::uint32_t kEthernet = sizeof(EthernetHeader);
constexpr std::uint32_t kFragmentHeader = 8;
constexpr std::uint32_t kLongest = 65535;

// RFC 8200, section 4.5.
struct Ipv6FragmentHeader {
  std::uint8_t next_header;
  std::uint8_t reserved;
  be16 offset_and_more;
  be32 id;
};
static_assert(sizeof(Ipv6FragmentHeader) == kFragmentHeader);

// One outer frame in pieces. The first `headers` bytes of each are the frame's own: Ethernet, tags, IP.
struct Cut {
  std::uint32_t link;     // bytes in front of the IP header
  std::uint32_t ip;       // bytes of the IP header
  std::uint32_t room;     // payload of each piece but the last
  std::uint32_t payload;  // of all
  std::uint32_t id;
  bool is_v6;

  [[nodiscard]] std::uint32_t headers() const noexcept { return link + ip; }
};

// RFC 791: DF goes, and all else is the whole packet's.
void finish_v4(const Cut& cut, std::uint8_t* ip, std::uint32_t offset, std::uint32_t bytes) noexcept {
  Ipv4Header h;
  std::memcpy(&h, ip, sizeof h);
  const bool more = offset + bytes < cut.payload;
  h.total_length = be16(static_cast<std::uint16_t>(cut.ip + bytes));
  h.id = be16(static_cast<std::uint16_t>(cut.id));
  h.fragment = be16(static_cast<std::uint16_t>(offset / 8 | (more ? kIpv4MoreFragments : 0)));
  h.checksum = be16{};
  h.checksum = checksum(&h, sizeof h);
  std::memcpy(ip, &h, sizeof h);
}

void finish_v6(const Cut& cut, std::uint8_t* ip, std::uint32_t offset, std::uint32_t bytes) noexcept {
  Ipv6Header h;
  std::memcpy(&h, ip, sizeof h);
  const bool more = offset + bytes < cut.payload;
  const Ipv6FragmentHeader fragment{h.next_header, 0,
                                    be16(static_cast<std::uint16_t>(offset | (more ? 1 : 0))), be32(cut.id)};
  h.next_header = kProtoFragment;
  h.payload_length = be16(static_cast<std::uint16_t>(kFragmentHeader + bytes));
  std::memcpy(ip, &h, sizeof h);
  std::memcpy(ip + sizeof h, &fragment, sizeof fragment);
}

// The piece that begins at `offset` of the payload, in a frame of its own.
bool add_piece(const Cut& cut, Burst& burst, const PacketView& p, std::uint32_t offset) noexcept {
  const std::uint32_t bytes = std::min(cut.room, cut.payload - offset);
  const std::uint32_t headers = cut.headers() + (cut.is_v6 ? kFragmentHeader : 0);
  ExtraFrame* frame = burst.add_frame(headers + bytes);
  if (frame == nullptr) return false;
  frame->egress_port = p.egress_port;
  std::memcpy(frame->data, p.data, cut.headers());
  std::memcpy(frame->data + headers, p.data + cut.headers() + offset, bytes);
  (cut.is_v6 ? finish_v6 : finish_v4)(cut, frame->data + cut.link, offset, bytes);
  return true;
}

// The rest of the frame becomes the first piece, in place.
void shorten(const Cut& cut, PacketView& p) noexcept {
  if (cut.is_v6) {
    std::memmove(p.data - kFragmentHeader, p.data, cut.headers());
    p.data -= kFragmentHeader;
    p.headroom -= kFragmentHeader;
    p.length = cut.headers() + kFragmentHeader + cut.room;
    finish_v6(cut, p.data + cut.link, 0, cut.room);
  } else {
    p.length = cut.headers() + cut.room;
    finish_v4(cut, p.data + cut.link, 0, cut.room);
  }
}

}  // namespace

void send_in_fragments(const Outer& outer, Burst& burst, PacketView& p, RareState& state) noexcept {
  const std::uint32_t outer_length = p.ip_length + outer.overhead();
  p.outcome = Outcome::kTooBig;
  if (p.length < kEthernet + p.ip_length || outer_length > kLongest) return;
  put_outer_headers(outer, state, p);
  Cut cut{};
  cut.is_v6 = outer.record.has(BackendRecord::kOuterV6);
  cut.link = p.length - outer_length;
  cut.ip = cut.is_v6 ? sizeof(Ipv6Header) : sizeof(Ipv4Header);
  cut.room = (outer.record.mtu - cut.ip - (cut.is_v6 ? kFragmentHeader : 0)) / 8 * 8;
  cut.payload = outer_length - cut.ip;
  cut.id = state.next_outer_id++;
  if (cut.is_v6 && p.headroom < kFragmentHeader) {
    p.outcome = Outcome::kNoHeadroom;
    return;
  }
  const std::uint32_t before = burst.extra_count;
  for (std::uint32_t offset = cut.room; offset < cut.payload; offset += cut.room) {
    if (add_piece(cut, burst, p, offset)) continue;
    burst.withdraw_frames(before);
    return;
  }
  shorten(cut, p);
  p.outcome = Outcome::kForwarded;
}

}  // namespace penstock
