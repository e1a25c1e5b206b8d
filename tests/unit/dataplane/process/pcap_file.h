// Reading and writing pcap files (the classic format, little-endian, microseconds, Ethernet).
#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "tests/unit/dataplane/process/frames.h"

namespace penstock {

struct PcapHeader {
  std::uint32_t magic = 0xa1b2c3d4;
  std::uint16_t major = 2;
  std::uint16_t minor = 4;
  std::uint32_t zone = 0;
  std::uint32_t accuracy = 0;
  std::uint32_t snap_length = 65535;
  std::uint32_t link_type = 1;
};
struct PcapRecord {
  std::uint32_t seconds = 0;
  std::uint32_t micros = 0;
  std::uint32_t captured = 0;
  std::uint32_t length = 0;
};

inline void write_pcap(const std::string& path, const std::vector<Frame>& frames) {
  std::ofstream out(path, std::ios::binary);
  const PcapHeader header;
  out.write(reinterpret_cast<const char*>(&header), sizeof header);
  for (const Frame& frame : frames) {
    const auto size = static_cast<std::uint32_t>(frame.size());
    const PcapRecord record{0, 0, size, size};
    out.write(reinterpret_cast<const char*>(&record), sizeof record);
    out.write(reinterpret_cast<const char*>(frame.data()), static_cast<std::streamsize>(frame.size()));
  }
}

inline std::vector<Frame> read_pcap(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  PcapHeader header;
  in.read(reinterpret_cast<char*>(&header), sizeof header);
  std::vector<Frame> frames;
  PcapRecord record;
  while (in.read(reinterpret_cast<char*>(&record), sizeof record)) {
    Frame frame(record.captured);
    if (!in.read(reinterpret_cast<char*>(frame.data()), static_cast<std::streamsize>(frame.size()))) break;
    frames.push_back(std::move(frame));
  }
  return frames;
}

}  // namespace penstock
