#include <cstddef>
#include <cstring>

#include "dataplane/pipeline/stages.h"
#include "penstock/net/headers.h"

namespace penstock {

namespace {

constexpr std::size_t kSourceV4 = sizeof(EthernetHeader) + offsetof(Ipv4Header, source);
constexpr std::size_t kSourceV6 = sizeof(EthernetHeader) + offsetof(Ipv6Header, source);

// Sets the service and the hash, or the outcome of a packet that is for none.
void classify_v4(const Snapshot& s, PacketView& p) noexcept {
  const VipClassifier& classifier = s.classifier();
  const std::uint8_t* addresses = p.data + kSourceV4;
  std::uint32_t vip;
  std::memcpy(&vip, addresses + 4, sizeof vip);
  p.outcome = Outcome::kNotVip;
  if (!classifier.may_be_vip_v4(vip)) return;
  if (p.defect != kPending) [[unlikely]] {
    if (classifier.is_vip_v4(vip)) p.outcome = p.defect;
    return;
  }
  p.service = classifier.find_v4(vip, p.destination_port_raw(), p.protocol);
  if (p.service == kNoServiceIndex) [[unlikely]] {
    if (classifier.is_vip_v4(vip)) p.outcome = Outcome::kNoSuchService;
    return;
  }
  p.hash = flow_hash_v4(s.secret(), addresses, p.ports_raw, p.protocol);
  p.outcome = kPending;
}

void classify_v6(const Snapshot& s, PacketView& p) noexcept {
  const VipClassifier& classifier = s.classifier();
  const std::uint8_t* addresses = p.data + kSourceV6;
  const std::uint8_t* vip = addresses + 16;
  p.outcome = Outcome::kNotVip;
  if (!classifier.may_be_vip_v6(vip)) return;
  if (p.defect != kPending) [[unlikely]] {
    if (classifier.is_vip_v6(vip)) p.outcome = p.defect;
    return;
  }
  p.service = classifier.find_v6(vip, p.destination_port_raw(), p.protocol);
  if (p.service == kNoServiceIndex) [[unlikely]] {
    if (classifier.is_vip_v6(vip)) p.outcome = Outcome::kNoSuchService;
    return;
  }
  p.hash = flow_hash_v6(s.secret(), addresses, p.ports_raw, p.protocol);
  p.outcome = kPending;
}

}  // namespace

void classify(const Snapshot& snapshot, const FlowTable& flows, Burst& burst) noexcept {
  std::uint32_t live = 0;
  for (std::uint32_t n = 0; n < burst.live_count; ++n) {
    const std::uint8_t i = burst.live[n];
    PacketView& p = burst.packets[i];
    if (p.is_v6) {
      classify_v6(snapshot, p);
    } else {
      classify_v4(snapshot, p);
    }
    if (p.outcome != kPending) continue;
    flows.prefetch(p.hash);
    burst.live[live++] = i;
  }
  burst.live_count = live;
}

}  // namespace penstock
