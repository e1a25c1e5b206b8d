#include "dataplane/netlink/kernel_tables.h"

#include <linux/neighbour.h>
#include <net/if.h>

#include <algorithm>

namespace penstock {
namespace {

MacAddr mac_of(std::span<const std::uint8_t> bytes) {
  MacAddr mac;
  if (bytes.size() == mac.bytes.size()) std::copy(bytes.begin(), bytes.end(), mac.bytes.begin());
  return mac;
}

}  // namespace

std::optional<IpAddr> address_of(std::span<const std::uint8_t> bytes) {
  if (bytes.size() == 4) {
    Ipv4Addr v4;
    std::copy(bytes.begin(), bytes.end(), v4.bytes.begin());
    return IpAddr(v4);
  }
  if (bytes.size() == 16) {
    Ipv6Addr v6;
    std::copy(bytes.begin(), bytes.end(), v6.bytes.begin());
    return IpAddr(v6);
  }
  return std::nullopt;
}

bool KernelTables::apply(const nlmsghdr& message) {
  switch (message.nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return apply_link(message);
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      return apply_neighbour(message);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
    case RTM_NEWADDR:
    case RTM_DELADDR:
    case RTM_NEWRULE:
    case RTM_DELRULE:
      return true;  // the kernel is asked for the route itself; here only that something moved counts
    default:
      return false;
  }
}

void KernelTables::clear() {
  links_.clear();
  neighbours_.clear();
}

bool KernelTables::apply_link(const nlmsghdr& message) {
  const auto* header = family_header<ifinfomsg>(message);
  // Bridge ports and other families report the same link in their own terms.
  if (header == nullptr || header->ifi_family != AF_UNSPEC) return false;
  if (message.nlmsg_type == RTM_DELLINK) {
    std::erase_if(neighbours_, [&](const auto& entry) { return entry.first.first == header->ifi_index; });
    return links_.erase(header->ifi_index) > 0;
  }
  const auto attributes = NetlinkAttributes::of<ifinfomsg>(message);
  Link link;
  const auto name = attributes[IFLA_IFNAME];
  link.name.assign(name.begin(), std::find(name.begin(), name.end(), std::uint8_t{0}));
  link.mac = mac_of(attributes[IFLA_ADDRESS]);
  link.mtu = attributes.u32(IFLA_MTU);
  link.up = (header->ifi_flags & IFF_UP) != 0;
  Link& known = links_[header->ifi_index];
  if (known == link) return false;
  known = std::move(link);
  return true;
}

bool KernelTables::apply_neighbour(const nlmsghdr& message) {
  const auto* header = family_header<ndmsg>(message);
  if (header == nullptr || (header->ndm_family != AF_INET && header->ndm_family != AF_INET6)) return false;
  const auto attributes = NetlinkAttributes::of<ndmsg>(message);
  const auto address = address_of(attributes[NDA_DST]);
  if (!address) return false;
  const auto key = std::make_pair(static_cast<int>(header->ndm_ifindex), *address);
  const auto lladdr = attributes[NDA_LLADDR];

  constexpr std::uint16_t kConfirmed = NUD_REACHABLE | NUD_PERMANENT | NUD_NOARP;
  constexpr std::uint16_t kUsable = kConfirmed | NUD_STALE | NUD_DELAY | NUD_PROBE;
  Neighbour neighbour;
  neighbour.mac = mac_of(lladdr);
  neighbour.usable = lladdr.size() == neighbour.mac.bytes.size() && (header->ndm_state & kUsable) != 0;
  neighbour.confirmed = neighbour.usable && (header->ndm_state & kConfirmed) != 0;

  if (message.nlmsg_type == RTM_DELNEIGH) return neighbours_.erase(key) > 0;
  const auto [entry, fresh] = neighbours_.try_emplace(key, neighbour);
  const Neighbour before = fresh ? Neighbour{} : entry->second;
  entry->second = neighbour;
  return before != neighbour;
}

const Link* KernelTables::link(int index) const {
  const auto found = links_.find(index);
  return found == links_.end() ? nullptr : &found->second;
}

std::optional<int> KernelTables::index_of(std::string_view name) const {
  for (const auto& [index, link] : links_) {
    if (link.name == name) return index;
  }
  return std::nullopt;
}

const Neighbour* KernelTables::neighbour(int link, const IpAddr& address) const {
  const auto found = neighbours_.find({link, address});
  return found == neighbours_.end() ? nullptr : &found->second;
}

}  // namespace penstock
