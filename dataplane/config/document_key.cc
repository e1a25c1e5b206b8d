#include <algorithm>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "dataplane/config/document_checks.h"
#include "penstock/config/vip_prefix.h"
#include "penstock/proto/config.pb.h"

namespace penstock {

namespace {

constexpr std::uint32_t kLastPort = 65'535;

bool is_v4_mapped(const IpAddr& a) {
  static constexpr std::uint8_t kPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  return a.is_v6() && std::memcmp(a.data(), kPrefix, sizeof kPrefix) == 0;
}

IpAddr last_address(const IpAddr& first, unsigned bits) {
  std::array<std::uint8_t, 16> bytes{};
  for (unsigned i = 0; i < first.size(); ++i) {
    const unsigned kept = bits > i * 8 ? std::min(8U, bits - i * 8) : 0;
    bytes[i] = static_cast<std::uint8_t>(first.data()[i] | (0xffU >> kept));
  }
  if (first.is_v6()) return Ipv6Addr{bytes};
  return Ipv4Addr{{bytes[0], bytes[1], bytes[2], bytes[3]}};
}

// Why the text is no VIP, or empty; then `out` has it.
std::string take_vip(const std::string& text, VipKey& out) {
  const auto prefix = parse_vip(text);
  if (!prefix) return prefix.error().message;
  out.vip = prefix->first;
  out.prefix_length = prefix->length;
  std::string why = refusal_of(out.vip, text);
  return why.empty() ? refusal_of(last_address(out.vip, out.bits()), text) : why;
}

void check_ports(const proto::Service& in, VipKey& out, const std::string& path, Problems& problems) {
  if (in.port() > kLastPort) {
    problems.push_back(
        invalid(path + ".port", "must be 1-65535, or 0 for every port, not " + std::to_string(in.port())));
    return;
  }
  if (out.protocol == kAnyProtocol && in.port() != 0) {
    problems.push_back(invalid(
        path + ".port", "must be 0 with ANY_PROTOCOL, which has no ports, not " + std::to_string(in.port())));
    return;
  }
  out.port = static_cast<std::uint16_t>(in.port());
  if (in.last_port() == 0) return;
  if (in.port() == 0) {
    problems.push_back(invalid(path + ".last_port", "must be 0 when port is 0, which means every port"));
  } else if (in.last_port() > kLastPort || in.last_port() <= in.port()) {
    problems.push_back(invalid(path + ".last_port", "must be 0 or " + std::to_string(in.port() + 1) +
                                                        "-65535, beyond port, not " +
                                                        std::to_string(in.last_port())));
  } else {
    out.last_port = static_cast<std::uint16_t>(in.last_port());
  }
}

// check_key() has told its faults already.
bool is_refused(const VipKey& key) { return key.vip == IpAddr{}; }

bool is_range(const VipKey& key) { return key.last_port != 0; }

// Ranges of one VIP and protocol, which must not overlap: of two that match, neither goes before the other.
void check_ranges(const std::vector<ServiceDocument>& services, Problems& problems) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < services.size(); ++i) {
    if (is_range(services[i].key) && !is_refused(services[i].key)) order.push_back(i);
  }
  const auto place = [&](std::size_t i) {
    const VipKey& k = services[i].key;
    return std::tie(k.vip, k.prefix_length, k.protocol, k.port, k.last_port);
  };
  std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return place(a) < place(b); });
  for (std::size_t n = 1; n < order.size(); ++n) {
    const std::size_t a = order[n - 1];
    const std::size_t b = order[n];
    const VipKey& before = services[a].key;
    const VipKey& key = services[b].key;
    const bool same_place =
        before.vip == key.vip && before.prefix_length == key.prefix_length && before.protocol == key.protocol;
    if (!same_place || key.port > before.last_port || key == before) continue;
    const std::size_t later = std::max(a, b);
    const std::size_t earlier = std::min(a, b);
    problems.push_back(
        invalid(indexed("services", later) + ".port", services[later].key.text() + " overlaps ports " +
                                                          services[earlier].key.port_text() +
                                                          " of service '" + services[earlier].id + "'"));
  }
}

// Which VIP, if any, an address lies in.
class VipSet {
 public:
  explicit VipSet(const std::vector<ServiceDocument>& services) {
    for (const ServiceDocument& service : services) {
      if (is_refused(service.key)) continue;
      vips_.emplace(name(service.key.vip, service.key.bits()), &service);
      auto& lengths = service.key.vip.is_v6() ? lengths_v6_ : lengths_v4_;
      if (std::ranges::find(lengths, service.key.bits()) == lengths.end()) {
        lengths.push_back(service.key.bits());
      }
    }
  }

  [[nodiscard]] const ServiceDocument* find(const IpAddr& address) const {
    for (const unsigned bits : address.is_v6() ? lengths_v6_ : lengths_v4_) {
      const auto found = vips_.find(name(first_address(address, bits), bits));
      if (found != vips_.end()) return found->second;
    }
    return nullptr;
  }

 private:
  // The address's bytes and the length: cheaper to make than text.
  static std::string name(const IpAddr& first, unsigned bits) {
    std::string out(reinterpret_cast<const char*>(first.data()), first.size());
    out.push_back(static_cast<char>(bits));
    return out;
  }

  std::unordered_map<std::string, const ServiceDocument*> vips_;
  std::vector<unsigned> lengths_v4_;
  std::vector<unsigned> lengths_v6_;
};

void check_backends_are_no_vips(const std::vector<ServiceDocument>& services, Problems& problems) {
  const VipSet vips(services);
  for (std::size_t i = 0; i < services.size(); ++i) {
    for (std::size_t j = 0; j < services[i].backends.size(); ++j) {
      const IpAddr& address = services[i].backends[j].address;
      const ServiceDocument* owner = address == IpAddr{} ? nullptr : vips.find(address);
      if (owner == nullptr) continue;
      const std::string what = owner->key.is_prefix()
                                   ? " lies in " + owner->key.vip_text() + ", the VIP prefix of service '"
                                   : " is the VIP of service '";
      problems.push_back(
          invalid(indexed("services", i) + "." + indexed("backends", j) + ".address",
                  address.text() + what + owner->id + "': a backend needs an address of its own"));
    }
  }
}

}  // namespace

std::string indexed(const std::string& list, std::size_t index) {
  return list + "[" + std::to_string(index) + "]";
}

std::string refusal_of(const IpAddr& address, const std::string& text) {
  if (!address.is_unicast()) return "'" + text + "' is not a unicast address of a host";
  if (is_v4_mapped(address)) return "'" + text + "' is an IPv4-mapped address: write it as IPv4";
  return {};
}

void check_key(const proto::Service& in, VipKey& out, const std::string& path, Problems& problems) {
  const std::size_t before = problems.size();
  if (std::string why = take_vip(in.vip(), out); !why.empty()) {
    problems.push_back(invalid(path + ".vip", std::move(why)));
  }
  switch (in.protocol()) {
    case proto::TCP:
    case proto::UDP:
    case proto::SCTP:
    case proto::ANY_PROTOCOL:
      out.protocol = static_cast<std::uint8_t>(in.protocol());
      break;
    default:
      problems.push_back(
          invalid(path + ".protocol", "must be TCP (6), UDP (17), SCTP (132) or ANY_PROTOCOL (255), not " +
                                          std::to_string(in.protocol())));
  }
  check_ports(in, out, path, problems);
  if (problems.size() != before) out.vip = IpAddr{};
}

void check_across_services(const std::vector<ServiceDocument>& services, Problems& problems) {
  std::unordered_set<std::string> ids;
  std::unordered_map<VipKey, std::string> keys;
  for (std::size_t i = 0; i < services.size(); ++i) {
    const ServiceDocument& service = services[i];
    const std::string path = indexed("services", i);
    if (!ids.insert(service.id).second) {
      problems.push_back(invalid(path + ".id", "'" + service.id + "' occurs twice"));
    }
    if (is_refused(service.key)) continue;
    const auto [owner, is_new] = keys.emplace(service.key, service.id);
    if (!is_new) {
      problems.push_back(
          invalid(path + ".vip", service.key.text() + " already belongs to service '" + owner->second + "'"));
    }
  }
  check_ranges(services, problems);
  check_backends_are_no_vips(services, problems);
}

}  // namespace penstock
