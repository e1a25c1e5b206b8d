#include "perf/process/flow_capture.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <numeric>
#include <random>
#include <vector>

#include "penstock/net/checksum.h"
#include "penstock/net/headers.h"

namespace penstock::perf {
namespace {

struct CaptureHeader {
  std::uint32_t magic = 0xa1b2c3d4;
  std::uint16_t major = 2, minor = 4;
  std::uint32_t zone = 0, accuracy = 0, snapshot_length = 65'535, link_type = 1;  // Ethernet
};

struct RecordHeader {
  std::uint32_t seconds = 0, micros = 0, captured = 0, length = 0;
};

constexpr std::size_t kFrameBytes = 60;

std::array<std::uint8_t, kFrameBytes> frame_of(std::uint32_t flow, Ipv4Addr vip, std::uint16_t port) {
  EthernetHeader ethernet{MacAddr{{2, 0, 0, 0, 0, 1}}, MacAddr{{2, 0, 0, 0, 0, 2}}, be16(kEtherTypeIpv4)};
  Ipv4Header ip{};
  ip.version_ihl = 0x45;
  ip.total_length = be16(sizeof(Ipv4Header) + sizeof(TcpHeader));
  ip.fragment = be16(kIpv4DontFragment);
  ip.ttl = 64;
  ip.protocol = kProtoTcp;
  const std::uint32_t source = 0x0a000000u + flow / 50'000;
  const be32 source_wire(source);
  std::memcpy(ip.source.bytes.data(), &source_wire, sizeof source_wire);
  ip.destination = vip;
  ip.checksum = checksum(&ip, sizeof ip);
  TcpHeader tcp{};
  tcp.source_port = be16(static_cast<std::uint16_t>(1024 + flow % 50'000));
  tcp.destination_port = be16(port);
  tcp.data_offset = 0x50;
  tcp.flags = kTcpAck;
  std::array<std::uint8_t, kFrameBytes> frame{};
  std::memcpy(frame.data(), &ethernet, sizeof ethernet);
  std::memcpy(frame.data() + 14, &ip, sizeof ip);
  std::memcpy(frame.data() + 34, &tcp, sizeof tcp);
  return frame;
}

}  // namespace

Status write_flow_capture(const std::string& path, FlowRange flows, Ipv4Addr vip, std::uint16_t port) {
  std::vector<std::uint32_t> order(flows.count);
  std::iota(order.begin(), order.end(), flows.first);
  std::shuffle(order.begin(), order.end(), std::mt19937_64(flows.first));
  std::ofstream file(path, std::ios::binary);
  const CaptureHeader header;
  file.write(reinterpret_cast<const char*>(&header), sizeof header);
  for (const std::uint32_t flow : order) {
    const auto frame = frame_of(flow, vip, port);
    RecordHeader record;
    record.captured = record.length = kFrameBytes;
    file.write(reinterpret_cast<const char*>(&record), sizeof record);
    file.write(reinterpret_cast<const char*>(frame.data()), frame.size());
  }
  file.close();
  if (!file) return unavailable("cannot write " + path);
  return Ok{};
}

}  // namespace penstock::perf
