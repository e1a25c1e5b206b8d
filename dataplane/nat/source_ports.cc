#include "dataplane/nat/source_ports.h"

#include <algorithm>
#include <numeric>

#include "dataplane/hash/mix.h"

namespace penstock {

SourcePorts::SourcePorts(std::span<const IpAddr> addresses, const ReturnSteering* steering,
                         std::uint16_t first_port, std::uint16_t last_port, const ForeignSessions* foreign)
    : steering_(steering), foreign_(foreign), first_(first_port), count_(last_port - first_port + 1U) {
  for (const IpAddr& address : addresses) (address.is_v6() ? v6_ : v4_).push_back(address);
}

bool SourcePorts::choose(NatTable& table, std::uint64_t hash, NatTuple& answer) const noexcept {
  const std::vector<IpAddr>& addresses = answer.v6 ? v6_ : v4_;
  // The flow's hash has picked the backend: its bits are no longer random among the flows of one backend.
  const std::uint64_t start = mix(hash, 0x6e61'7470'6f72'7473);
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    if (choose_of(table, start, addresses[((start >> 48) + i) % addresses.size()], answer)) return true;
  }
  return false;
}

// Walks the ports by a step that has no factor in common with their number, so that it visits each once.
bool SourcePorts::choose_of(NatTable& table, std::uint64_t hash, const IpAddr& address,
                            NatTuple& answer) const noexcept {
  answer.set_destination(address);
  std::uint32_t port = static_cast<std::uint32_t>(hash & 0xffff'ffff) % count_;
  std::uint32_t step = 1 + static_cast<std::uint32_t>(hash >> 32 & 0xffff) % count_;
  while (std::gcd(step, count_) != 1) ++step;
  for (std::uint32_t left = std::min(count_, kAttempts); left != 0; --left, port = (port + step) % count_) {
    answer.destination_port = be16(static_cast<std::uint16_t>(first_ + port));
    if (steering_ != nullptr) steering_->adjust(answer);
    const std::uint16_t chosen = answer.destination_port.host();
    if (chosen >= first_ && chosen - first_ < count_ && is_free(table, answer)) return true;
  }
  return false;
}

bool SourcePorts::is_free(NatTable& table, const NatTuple& answer) const noexcept {
  NatSessionRecord other;
  return table.find_answer(answer) == nullptr &&
         (foreign_ == nullptr || !foreign_->find_answer(answer, other));
}

}  // namespace penstock
