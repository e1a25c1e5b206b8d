#include "perf/micro/pipeline/world.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

#include "penstock/net/checksum.h"

namespace penstock::perf {

namespace {

template <class T>
T must(Result<T> made) {
  if (made) return std::move(*made);
  std::fprintf(stderr, "pipeline_bench: %s\n", made.error().text().c_str());
  std::exit(1);
}

IpAddr numbered(bool v6, std::uint8_t net, int n) {
  const auto high = static_cast<std::uint8_t>(n >> 16);
  const auto middle = static_cast<std::uint8_t>(n >> 8);
  const auto low = static_cast<std::uint8_t>(n);
  if (!v6) return Ipv4Addr{{net, high, middle, low}};
  return Ipv6Addr{{0x20, 1, 0xd, 0xb8, net, 0, 0, 0, 0, 0, 0, 0, 0, high, middle, low}};
}

constexpr std::uint8_t kBackendNet = 172;
const Ipv4Addr kVipV4{{203, 0, 113, 10}};
const Ipv6Addr kVipV6{{0x20, 1, 0xd, 0xb8, 0xbe, 0xef, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10}};
constexpr std::uint16_t kFirstPort = 8000;

std::unique_ptr<const Snapshot> make_snapshot(const WorldShape& shape) {
  Document document;
  document.generation = 1;
  document.hash_key.fill(0x5a);
  NextHops next_hops;
  for (int s = 0; s < shape.services; ++s) {
    ServiceDocument service;
    service.id = "s" + std::to_string(s);
    service.key = {shape.vip_v6 ? IpAddr(kVipV6) : IpAddr(kVipV4), kProtoTcp,
                   static_cast<std::uint16_t>(kFirstPort + s)};
    service.encap = shape.encap;
    for (int b = 0; b < shape.backends_each; ++b) {
      const IpAddr address = numbered(shape.backend_v6, kBackendNet, s * shape.backends_each + b);
      service.backends.push_back({"b" + std::to_string(b), address});
      next_hops[address] = {
          {{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, 2}}, numbered(shape.backend_v6, 192, 1), 0, 1600};
    }
    service.table_size = choose_table_size(service.backends.size());
    document.services.push_back(std::move(service));
  }
  Compiler compiler;
  auto snapshot = must(compiler.compile(document, next_hops, Nanoseconds(1)));
  std::mt19937_64 random(11);
  for (int change = 0; change < shape.weight_changes; ++change) {
    ++document.generation;
    for (ServiceDocument& service : document.services) {
      for (BackendDocument& backend : service.backends)
        backend.weight = 500 + static_cast<std::uint32_t>(random() % 1000);
    }
    snapshot = must(compiler.compile(document, next_hops, Nanoseconds(1)));
  }
  return snapshot;
}

}  // namespace

World::World(const WorldShape& shape)
    : snapshot(make_snapshot(shape)),
      flow_memory(FlowTable::required_bytes(shape.flow_capacity)),
      counters(kMaxServiceIndexes, kMaxBackendIndexes) {
  if (shape.encap == Encap::kNat) {
    rare.nat.addresses = {numbered(shape.backend_v6, 192, 2)};
    rare.nat.flows = shape.flow_capacity;
  }
  clear_flows();
}

void World::clear_flows() {
  std::memset(flow_memory.bytes().data(), 0, flow_memory.bytes().size());
  flows = std::make_unique<FlowTable>(must(FlowTable::create(flow_memory.bytes(), 0, tick_of(now))));
  pipeline = std::make_unique<Pipeline>(*flows, counters, rare, Reports{&states, &foreign});
}

PacketPool::PacketPool(const Aim& aim) : aim_(aim), memory_(kBuffers * kStride) {
  std::uint8_t* at = frame_;
  const auto put = [&](const auto& header) {
    std::memcpy(at, &header, sizeof header);
    at += sizeof header;
  };
  put(EthernetHeader{
      {{2, 0, 0, 0, 0, 9}}, {{2, 0, 0, 0, 0, 8}}, be16(aim.v6 ? kEtherTypeIpv6 : kEtherTypeIpv4)});
  TcpHeader tcp{};
  tcp.source_port = be16(40000);
  tcp.destination_port = be16(kFirstPort);
  tcp.data_offset = 0x50;
  tcp.flags = aim.tcp_flags;
  if (aim.v6) {
    Ipv6Header ip{};
    ip.version_class_label = be32(6U << 28);
    ip.payload_length = be16(sizeof tcp);
    ip.next_header = kProtoTcp;
    ip.hop_limit = 64;
    ip.source = numbered(true, 10, 0).v6();
    ip.destination = kVipV6;
    client_offset_ = 14 + 8 + 12;
    put(ip);
  } else {
    Ipv4Header ip{};
    ip.version_ihl = 0x45;
    ip.total_length = be16(sizeof ip + sizeof tcp);
    ip.ttl = 64;
    ip.protocol = kProtoTcp;
    ip.source = Ipv4Addr{{10, 0, 0, 0}};
    ip.destination = aim.to_vip ? kVipV4 : Ipv4Addr{{198, 51, 100, 1}};
    ip.checksum = checksum(&ip, sizeof ip);
    client_offset_ = 14 + 12;
    put(ip);
  }
  port_offset_ = static_cast<std::uint32_t>(at - frame_) + 2;
  put(tcp);
  frame_length_ = std::max<std::uint32_t>(64, static_cast<std::uint32_t>(at - frame_));
}

void PacketPool::fill(Burst& burst, std::span<const std::uint32_t> flows) noexcept {
  const std::size_t copy = aim_.v6 ? 96 : 64;
  for (std::size_t i = 0; i < flows.size(); ++i) {
    std::uint8_t* data =
        memory_.bytes().size() != 0
            ? reinterpret_cast<std::uint8_t*>(memory_.bytes().data()) + next_ * kStride + kHeadroom
            : nullptr;
    next_ = (next_ + 1) % kBuffers;
    std::memcpy(data, frame_, 64);
    if (copy > 64) std::memcpy(data + 64, frame_ + 64, 32);
    const std::uint32_t client = __builtin_bswap32(0x0a00'0000 | flows[i]);
    std::memcpy(data + client_offset_, &client, sizeof client);
    if (aim_.services > 1) {
      const std::uint16_t port =
          be16(static_cast<std::uint16_t>(kFirstPort + flows[i] % static_cast<std::uint32_t>(aim_.services)))
              .raw();
      std::memcpy(data + port_offset_, &port, sizeof port);
    }
    burst.packets[i].set(data, frame_length_, kHeadroom);
  }
  burst.count = static_cast<std::uint32_t>(flows.size());
}

std::vector<std::uint32_t> shuffled_flows(std::size_t count) {
  std::vector<std::uint32_t> out(std::max(count, kMaxBurst) / kMaxBurst * kMaxBurst);
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<std::uint32_t>(i % count);
  std::shuffle(out.begin(), out.end(), std::mt19937_64(7));
  return out;
}

}  // namespace penstock::perf
