#include "tests/fuzz/world.h"

#include <google/protobuf/text_format.h>

#include <string>

#include "penstock/proto/config.pb.h"
#include "tests/fuzz/input.h"

namespace penstock::fuzz {
namespace {

// Every encapsulation over IPv4 and IPv6, every special kind of service. make_seeds.py aims at these VIPs.
constexpr const char* kWorldConfig = R"(
  epoch: 1 generation: 1 hash_key: "0123456789abcdef0123456789abcdef"
  services { id: "gue" vip: "203.0.113.10" protocol: TCP port: 80 encap: GUE
    backends { id: "a" address: "10.0.0.1" weight: 1 } backends { id: "b" address: "2001:db8:be::1" weight: 1 }
    backends { id: "c" address: "10.0.0.3" weight: 1 } backends { id: "d" address: "2001:db8:be::3" weight: 1 }
    backends { id: "e" address: "10.0.0.4" weight: 1 } backends { id: "f" address: "2001:db8:be::4" weight: 1 } }
  services { id: "gue-fragmenting" vip: "203.0.113.10" protocol: UDP port: 80 encap: GUE second_chance: SECOND_CHANCE_TCP_AND_UDP
    forwarding { udp_checksum: true too_big: TOO_BIG_FRAGMENT }
    backends { id: "a" address: "10.0.0.1" weight: 1 } backends { id: "b" address: "2001:db8:be::1" weight: 1 }
    backends { id: "c" address: "10.0.0.3" weight: 1 } backends { id: "d" address: "2001:db8:be::3" weight: 1 }
    backends { id: "e" address: "10.0.0.4" weight: 1 } backends { id: "f" address: "2001:db8:be::4" weight: 1 } }
  services { id: "ipip" vip: "203.0.113.10" protocol: TCP port: 81 encap: IPIP
    backends { id: "a" address: "10.0.0.1" weight: 1 } backends { id: "b" address: "2001:db8:be::1" weight: 1 } }
  services { id: "ipip-fragmenting" vip: "203.0.113.10" protocol: UDP port: 81 encap: IPIP
    forwarding { too_big: TOO_BIG_FRAGMENT }
    backends { id: "a" address: "10.0.0.1" weight: 1 } backends { id: "b" address: "2001:db8:be::1" weight: 1 } }
  services { id: "gre" vip: "203.0.113.10" protocol: TCP port: 82 encap: GRE forwarding { gre_key: 7 }
    backends { id: "a" address: "10.0.0.1" weight: 1 } backends { id: "b" address: "2001:db8:be::1" weight: 1 } }
  services { id: "gre-bare" vip: "203.0.113.10" protocol: UDP port: 82 encap: GRE
    backends { id: "a" address: "10.0.0.1" weight: 1 } backends { id: "b" address: "2001:db8:be::1" weight: 1 } }
  services { id: "vxlan" vip: "203.0.113.10" protocol: TCP port: 83 encap: VXLAN forwarding { vxlan_vni: 42 }
    backends { id: "a" address: "10.0.0.1" weight: 1 mac: "02:00:00:00:0a:01" }
    backends { id: "b" address: "2001:db8:be::1" weight: 1 mac: "02:00:00:00:0a:02" } }
  services { id: "vxlan-summed" vip: "203.0.113.10" protocol: UDP port: 83 encap: VXLAN
    forwarding { vxlan_vni: 42 udp_checksum: true }
    backends { id: "a" address: "10.0.0.1" weight: 1 mac: "02:00:00:00:0a:01" }
    backends { id: "b" address: "2001:db8:be::1" weight: 1 mac: "02:00:00:00:0a:02" } }
  services { id: "l2dsr" vip: "203.0.113.10" protocol: TCP port: 84 encap: L2DSR
    backends { id: "a" address: "10.0.0.1" weight: 1 } }
  services { id: "nat" vip: "203.0.113.10" protocol: TCP port: 85 encap: NAT forwarding { proxy_protocol: true }
    backends { id: "a" address: "10.0.0.1" weight: 1 port: 8080 }
    backends { id: "b" address: "2001:db8:be::1" weight: 1 port: 8080 } }
  services { id: "nat-udp" vip: "203.0.113.10" protocol: UDP port: 85 encap: NAT
    backends { id: "a" address: "10.0.0.1" weight: 1 } backends { id: "b" address: "2001:db8:be::1" weight: 1 } }
  services { id: "quic" vip: "203.0.113.10" protocol: UDP port: 443 encap: GUE
    quic { configs { rotation: 0 server_id_length: 3 nonce_length: 4 }
           configs { rotation: 1 server_id_length: 3 nonce_length: 4 key: "0123456789abcdef" }
           configs { rotation: 2 server_id_length: 3 nonce_length: 13 key: "0123456789abcdef" } }
    backends { id: "a" address: "10.0.0.1" weight: 1 quic_server_id: "aaa" }
    backends { id: "b" address: "2001:db8:be::1" weight: 1 quic_server_id: "bbb" } }
  services { id: "one-shot" vip: "203.0.113.10" protocol: UDP port: 53 encap: IPIP one_shot: true
    backends { id: "a" address: "10.0.0.1" weight: 1 } backends { id: "b" address: "2001:db8:be::1" weight: 1 } }
  services { id: "sticky" vip: "203.0.113.10" protocol: TCP port: 86 encap: GUE
    affinity { ipv4_prefix: 24 ipv6_prefix: 56 }
    backends { id: "a" address: "10.0.0.1" weight: 1 } backends { id: "b" address: "2001:db8:be::1" weight: 1 }
    backends { id: "c" address: "10.0.0.3" weight: 1 } backends { id: "d" address: "2001:db8:be::3" weight: 1 }
    backends { id: "e" address: "10.0.0.4" weight: 1 } backends { id: "f" address: "2001:db8:be::4" weight: 1 } }
  services { id: "sctp" vip: "203.0.113.10" protocol: SCTP port: 87 encap: IPIP
    backends { id: "a" address: "10.0.0.1" weight: 1 } backends { id: "b" address: "2001:db8:be::1" weight: 1 } }
  services { id: "any" vip: "203.0.113.11" protocol: ANY_PROTOCOL encap: IPIP
    backends { id: "a" address: "10.0.0.1" weight: 1 } backends { id: "b" address: "2001:db8:be::1" weight: 1 } }
  services { id: "drained" vip: "203.0.113.10" protocol: TCP port: 88 encap: GUE
    backends { id: "a" address: "10.0.0.1" weight: 1 drain: true } }
  services { id: "unreachable" vip: "203.0.113.10" protocol: TCP port: 89 encap: GUE
    backends { id: "c" address: "10.0.0.99" weight: 1 } }
  services { id: "range" vip: "203.0.113.10" protocol: TCP port: 8000 last_port: 8999 encap: GRE
    backends { id: "a" address: "10.0.0.1" weight: 1 } }
  services { id: "prefix" vip: "203.0.113.128/25" protocol: UDP port: 0 encap: GUE
    backends { id: "a" address: "10.0.0.1" weight: 1 } }
  services { id: "six-gue" vip: "2001:db8::10" protocol: TCP port: 80 encap: GUE
    backends { id: "a" address: "10.0.0.1" weight: 1 } backends { id: "b" address: "2001:db8:be::1" weight: 1 }
    backends { id: "c" address: "10.0.0.3" weight: 1 } backends { id: "d" address: "2001:db8:be::3" weight: 1 }
    backends { id: "e" address: "10.0.0.4" weight: 1 } backends { id: "f" address: "2001:db8:be::4" weight: 1 } }
  services { id: "six-ipip" vip: "2001:db8::10" protocol: UDP port: 81 encap: IPIP
    forwarding { too_big: TOO_BIG_FRAGMENT }
    backends { id: "a" address: "10.0.0.1" weight: 1 } backends { id: "b" address: "2001:db8:be::1" weight: 1 } }
  services { id: "six-gre" vip: "2001:db8::10" protocol: TCP port: 82 encap: GRE
    backends { id: "a" address: "10.0.0.1" weight: 1 } backends { id: "b" address: "2001:db8:be::1" weight: 1 } }
  services { id: "six-vxlan" vip: "2001:db8::10" protocol: TCP port: 83 encap: VXLAN forwarding { vxlan_vni: 42 }
    backends { id: "b" address: "2001:db8:be::1" weight: 1 mac: "02:00:00:00:0a:02" } }
  services { id: "six-l2dsr" vip: "2001:db8::10" protocol: TCP port: 84 encap: L2DSR
    backends { id: "b" address: "2001:db8:be::1" weight: 1 } }
  services { id: "six-nat" vip: "2001:db8::10" protocol: TCP port: 85 encap: NAT
    backends { id: "a" address: "10.0.0.1" weight: 1 } backends { id: "b" address: "2001:db8:be::1" weight: 1 } }
  services { id: "six-nat-udp" vip: "2001:db8::10" protocol: UDP port: 85 encap: NAT
    backends { id: "a" address: "10.0.0.1" weight: 1 } backends { id: "b" address: "2001:db8:be::1" weight: 1 } }
  services { id: "six-quic" vip: "2001:db8::10" protocol: UDP port: 443 encap: GUE
    quic { configs { rotation: 1 server_id_length: 3 nonce_length: 4 key: "0123456789abcdef" } }
    backends { id: "a" address: "10.0.0.1" weight: 1 quic_server_id: "aaa" }
    backends { id: "b" address: "2001:db8:be::1" weight: 1 quic_server_id: "bbb" } }
  services { id: "six-dns" vip: "2001:db8::10" protocol: UDP port: 53 encap: GUE one_shot: true
    backends { id: "a" address: "10.0.0.1" weight: 1 } backends { id: "b" address: "2001:db8:be::1" weight: 1 } }
  services { id: "six-any" vip: "2001:db8:1::/64" protocol: ANY_PROTOCOL encap: IPIP
    backends { id: "a" address: "10.0.0.1" weight: 1 } backends { id: "b" address: "2001:db8:be::1" weight: 1 } }
)";

constexpr std::size_t kFlows = 256;
constexpr std::uint32_t kServices = 64;
constexpr std::uint32_t kBackends = 256;
constexpr std::size_t kForeignFlows = 64;
constexpr const char* kUnreachable = "10.0.0.99";

IpAddr ip(const char* text) { return IpAddr::parse(text).value(); }

NextHops next_hops(const Document& document) {
  NextHops hops;
  for (const ServiceDocument& service : document.services) {
    for (const BackendDocument& backend : service.backends) {
      hops[backend.address] = {MacAddr{{2, 0, 0, 0, 0, 0xa0}}, MacAddr{{2, 0, 0, 0, 0, 0xb0}},
                               backend.address.is_v6() ? ip("2001:db8:ff::1") : ip("192.0.2.1"), 1, 1500};
    }
  }
  hops.erase(ip(kUnreachable));
  return hops;
}

std::unique_ptr<const Snapshot> make_world() {
  proto::DataplaneConfig config;
  require(google::protobuf::TextFormat::ParseFromString(kWorldConfig, &config), "the world can be read");
  const Validation validation = validate(config);
  for (const Error& problem : validation.problems)
    std::fprintf(stderr, "world: %s\n", problem.text().c_str());
  require(validation.ok(), "the world is valid");
  // What the snapshot shares with its compiler lives on in the snapshot.
  Compiler compiler({ip("192.0.2.100"), ip("2001:db8:ff::100")});
  Document document = validation.document;
  const auto compile = [&] {
    auto snapshot = compiler.compile(document, next_hops(document), Nanoseconds::from_seconds(1));
    require(snapshot.ok(), "the world compiles");
    return std::move(*snapshot);
  };
  // Slots change hands, so that hop lists grow long.
  auto snapshot = compile();
  for (std::size_t change = 0; change < 4; ++change) {
    for (ServiceDocument& service : document.services) {
      for (std::size_t n = 0; n < service.backends.size(); ++n)
        service.backends[n].weight = n % 4 == change ? 9 : 1;
    }
    snapshot = compile();
  }
  return snapshot;
}

}  // namespace

const Snapshot& world() {
  static const std::unique_ptr<const Snapshot> one = make_world();
  return *one;
}

ExtraFrame Frames::take(std::uint32_t length) noexcept {
  if (length > kMostBytes) return {nullptr, 0, 0, nullptr};
  frames_.push_back(std::make_unique<std::uint8_t[]>(length));
  return {frames_.back().get(), length, 0, nullptr};
}

Worker::Worker()
    : memory_(new (std::align_val_t{64}) std::byte[FlowTable::required_bytes(kFlows)]),
      flows_(make_flows()),
      counters_(kServices, kBackends),
      states_(kBackends, kMaxServiceIndexes),
      foreign_(kForeignFlows),
      pipeline_(flows_, counters_, {}, {&states_, &foreign_}) {
  for (BackendIndex backend = 0; backend < kBackends; backend += 5) states_.set(backend, kDownState);
}

FlowTable Worker::make_flows() {
  auto table = FlowTable::create({memory_.get(), FlowTable::required_bytes(kFlows)}, 1, tick_of(now_));
  require(table.ok(), "a flow table fits the memory that it asks for");
  return std::move(*table);
}

void Worker::run(Burst& burst) {
  pipeline_.run(world(), burst, now_);
  pipeline_.account(burst);
}

}  // namespace penstock::fuzz
