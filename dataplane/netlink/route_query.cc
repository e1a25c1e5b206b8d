#include "dataplane/netlink/route_query.h"

#include <algorithm>

#include "dataplane/netlink/kernel_tables.h"

namespace penstock {
namespace {

// Answers of one batch (about 150 bytes each) must fit the socket's receive buffer many times over.
constexpr std::size_t kBatch = 256;

void append_query(std::vector<std::uint8_t>& batch, const IpAddr& destination, std::uint32_t number) {
  rtmsg route{};
  route.rtm_family = destination.is_v4() ? AF_INET : AF_INET6;
  route.rtm_dst_len = static_cast<unsigned char>(destination.size() * 8);
  NetlinkRequest request(RTM_GETROUTE, 0, route);
  request.attribute(RTA_DST, destination.data(), destination.size()).sequence(number);
  const auto bytes = request.bytes();
  batch.insert(batch.end(), bytes.begin(), bytes.end());
}

// An IPv4 route may have an IPv6 gateway (RFC 5549), which then comes as RTA_VIA: family, then address.
std::optional<IpAddr> gateway_of(const NetlinkAttributes& attributes) {
  if (auto gateway = address_of(attributes[RTA_GATEWAY])) return gateway;
  const auto via = attributes[RTA_VIA];
  if (via.size() < sizeof(std::uint16_t)) return std::nullopt;
  return address_of(via.subspan(sizeof(std::uint16_t)));
}

RouteAnswer read_answer(const nlmsghdr& message, const IpAddr& destination) {
  RouteAnswer answer;
  const auto* route = family_header<rtmsg>(message);
  if (message.nlmsg_type != RTM_NEWROUTE || route == nullptr || route->rtm_type != RTN_UNICAST) return answer;
  const auto attributes = NetlinkAttributes::of<rtmsg>(message);
  answer.reachable = true;
  answer.link = static_cast<int>(attributes.u32(RTA_OIF));
  answer.neighbour = gateway_of(attributes).value_or(destination);
  answer.source = address_of(attributes[RTA_PREFSRC]);
  const auto metrics = attributes[RTA_METRICS];
  answer.mtu = NetlinkAttributes(metrics.data(), metrics.size()).u32(RTAX_MTU);
  return answer;
}

}  // namespace

Result<std::vector<RouteAnswer>> query_routes(NetlinkSocket& socket, std::span<const IpAddr> destinations) {
  std::vector<RouteAnswer> answers(destinations.size());
  for (std::size_t first = 0; first < destinations.size(); first += kBatch) {
    const std::size_t count = std::min(kBatch, destinations.size() - first);
    std::vector<std::uint8_t> batch;
    for (std::size_t i = 0; i < count; ++i) {
      append_query(batch, destinations[first + i], static_cast<std::uint32_t>(first + i));
    }
    if (auto sent = socket.send(batch); !sent) return sent.error();
    auto collected = socket.collect(count, [&](const nlmsghdr& message) {
      const std::size_t at = message.nlmsg_seq;
      if (at < first || at >= first + count) return;
      answers[at] = read_answer(message, destinations[at]);
    });
    if (!collected) return collected.error();
  }
  return answers;
}

}  // namespace penstock
