// A host that answers probes, and what every answer must be whatever was asked.
#pragma once

#include <vector>

#include "tests/unit/bpf/decap_fixture.h"
#include "tests/unit/bpf/kernel_flows.h"
#include "tests/unit/bpf/probe_packet.h"

namespace penstock {

inline constexpr const char* kGateway = "10.0.31.1";
inline constexpr const char* kGateway6 = "fd00:31::1";
inline constexpr const char* kHost = "10.0.31.2";
inline constexpr const char* kHost6 = "fd00:31::2";
inline constexpr const char* kVip = "203.0.113.10";
inline constexpr const char* kVip6 = "2001:db8:5::10";
inline const siphash_key kKey = probe_key_of(0x11);
inline const siphash_key kOlder = probe_key_of(0x22);
inline const siphash_key kForeign = probe_key_of(0x33);

class ProbeResponder : public DecapFixture {
 protected:
  void SetUp() override {
    DecapFixture::SetUp();
    if (IsSkipped()) return;
    set_up_loopback({kVip, kVip6, "198.51.100.7"});
    set_keys({kKey});
  }

  void set_keys(const std::vector<siphash_key>& keys) {
    for (abi_u32 i = 0; i < PENSTOCK_PROBE_KEYS; ++i) {
      const probe_key value{i < keys.size() ? keys[i] : siphash_key{}, i < keys.size() ? 1U : 0U, 0};
      ASSERT_EQ(bpf_map_update_elem(fd(program_->maps.probe_keys), &i, &value, BPF_ANY), 0);
    }
  }

  /// The message in the reply; empty when there was none. Holds what every reply must be.
  Bytes ask(const Bytes& message, bool v6 = false, const siphash_key& key = kKey) {
    const Bytes frame = v6 ? probe_frame(kGateway6, kHost6, message) : probe_frame(kGateway, kHost, message);
    const Verdict verdict = run(frame);
    if (verdict.action != XDP_TX) return {};
    EXPECT_EQ(verdict.out.size(), frame.size()) << "not a byte more";
    const std::size_t l3 = 14, l4 = l3 + (v6 ? 40 : 20);
    const Bytes& out = verdict.out;
    EXPECT_TRUE(std::equal(out.begin(), out.begin() + 6, frame.begin() + 6)) << "to the sender's MAC";
    EXPECT_TRUE(std::equal(out.begin() + 6, out.begin() + 12, frame.begin())) << "from ours";
    const Bytes from = bytes_of(v6 ? kHost6 : kHost), to = bytes_of(v6 ? kGateway6 : kGateway);
    const auto addresses = out.begin() + static_cast<std::ptrdiff_t>(l4 - 2 * from.size());
    EXPECT_TRUE(std::equal(from.begin(), from.end(), addresses));
    EXPECT_TRUE(std::equal(to.begin(), to.end(), addresses + static_cast<std::ptrdiff_t>(from.size())));
    if (!v6) {
      EXPECT_EQ(checksum_fold_raw(checksum_add(0, out.data() + l3, 20)), 0xffff);
    }
    EXPECT_EQ(out[v6 ? l3 + 7 : l3 + 8], 64) << "hop limit";
    const std::uint16_t ports[] = {htons(6080), htons(45000)};
    EXPECT_EQ(std::memcmp(out.data() + l4, ports, 4), 0);
    EXPECT_EQ(out[l4 + 6] | out[l4 + 7], 0) << "no UDP checksum";
    Bytes reply(out.begin() + static_cast<std::ptrdiff_t>(l4 + 12), out.end());
    EXPECT_EQ(reply[1], PENSTOCK_PROBE_REPLY);
    std::uint64_t mac;
    std::memcpy(&mac, reply.data() + offsetof(probe_header, mac), 8);
    EXPECT_EQ(mac, mac_of(key, reply));
    // Nothing but the kind, the sections, the listeners, the room and the MAC differs.
    Bytes same = reply;
    same[1] = PENSTOCK_PROBE_REQUEST;
    EXPECT_EQ(same[3] & ~message[3], 0) << "a section that nobody asked for";
    same[3] = message[3];
    for (std::size_t i = 0; i < message[2]; ++i) same[listener_offset(i)] = 0;
    std::copy_n(message.begin() + 24, 8, same.begin() + 24);
    const auto room = static_cast<std::ptrdiff_t>(message[3] != 0 ? room_offset(message[2]) : message.size());
    std::copy(message.begin() + room, message.end(), same.begin() + room);
    EXPECT_EQ(same, message);
    return reply;
  }

  static std::size_t listener_offset(std::size_t service) {
    return sizeof(probe_header) + service * sizeof(probe_service) + offsetof(probe_service, listener);
  }

  static std::size_t room_offset(std::size_t services) {
    return sizeof(probe_header) + services * sizeof(probe_service);
  }

  void expect_refused(const Bytes& frame, decap_outcome outcome) {
    const auto before = outcomes();
    const Verdict verdict = run(frame);
    EXPECT_EQ(verdict.action, static_cast<std::uint32_t>(XDP_DROP));
    EXPECT_EQ(verdict.out, frame) << "nobody gets anything";
    EXPECT_EQ(moved_since(before), outcome);
  }
};

}  // namespace penstock
