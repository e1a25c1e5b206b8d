// Probes that are old, or come twice, into bpf/decap.bpf.c: include/penstock/abi/probe.h says who is
// answered.
#include "bpf/agent/bpf_map.h"
#include "tests/unit/bpf/probe_fixture.h"

namespace penstock {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

std::uint64_t time_of(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * kSecond + static_cast<std::uint64_t>(now.tv_nsec);
}

class ProbeReplay : public ProbeResponder {
 protected:
  static std::uint64_t nonce_of(std::uint64_t asker, std::uint64_t count = 0) {
    return asker << PENSTOCK_PROBE_NONCE_COUNT_BITS | count;
  }
  static Bytes frame(std::uint64_t asker, std::uint64_t sent_ns) {
    const Question q{.nonce = nonce_of(asker, ++count_), .services = {{kVip}}, .sent_ns = sent_ns};
    return probe_frame(kGateway, kHost, probe_message(kKey, q));
  }
  void expect_answered(std::uint64_t asker, std::uint64_t sent_ns) {
    const auto before = outcomes();
    EXPECT_EQ(run(frame(asker, sent_ns)).action, static_cast<std::uint32_t>(XDP_TX));
    EXPECT_EQ(moved_since(before), DECAP_ANSWERED_PROBE);
  }
  void expect_old(std::uint64_t asker, std::uint64_t sent_ns) {
    expect_refused(frame(asker, sent_ns), DECAP_DROPPED_PROBE_REPLAY);
  }
  /// The host knows the time of day.
  void set_clock() {
    const abi_u32 first = 0;
    const abi_u64 offset = time_of(CLOCK_REALTIME) - time_of(CLOCK_MONOTONIC);
    ASSERT_EQ(bpf_map_update_elem(fd(program_->maps.probe_clock), &first, &offset, BPF_ANY), 0);
  }
  /// As if the asker had not been heard since.
  void let_pass(std::uint64_t asker, std::uint64_t ns) {
    probe_asker known{};
    ASSERT_EQ(bpf_map_lookup_elem(fd(program_->maps.probe_askers), &asker, &known), 0);
    known.heard_ns -= ns;
    ASSERT_EQ(bpf_map_update_elem(fd(program_->maps.probe_askers), &asker, &known, BPF_EXIST), 0);
  }
  [[nodiscard]] std::size_t askers() const {
    return map_keys<std::uint64_t>(fd(program_->maps.probe_askers)).size();
  }

  static inline std::uint64_t count_ = 0;
};

TEST_F(ProbeReplay, OfOneAskerOnlyWhatIsNewerIsAnswered) {
  const std::uint64_t now = time_of(CLOCK_REALTIME);
  for (const bool with_clock : {false, true}) {
    if (with_clock) set_clock();
    const std::uint64_t asker = with_clock ? 2 : 1;
    expect_answered(asker, now);
    expect_old(asker, now);
    expect_old(asker, now - 1);
    expect_old(asker, 0);
    expect_answered(asker, now + 1);
    expect_old(asker, now + 1);
    expect_answered(asker + 10, now);  // another process
  }
}

TEST_F(ProbeReplay, TheVeryBytesOfAnAnsweredProbeAreRefused) {
  const Bytes first = frame(7, time_of(CLOCK_REALTIME));
  EXPECT_EQ(run(first).action, static_cast<std::uint32_t>(XDP_TX));
  expect_refused(first, DECAP_DROPPED_PROBE_REPLAY);
}

TEST_F(ProbeReplay, AStrangerNeedsTheRightTimeOnceAndAnAcquaintanceDoesNot) {
  set_clock();
  const std::uint64_t now = time_of(CLOCK_REALTIME);
  expect_old(1, now - 31 * kSecond);
  expect_old(2, now + 31 * kSecond);
  expect_old(3, 0);
  expect_old(4, ~0ULL);
  EXPECT_EQ(askers(), 0U) << "who is refused is not remembered";
  expect_answered(1, now - 29 * kSecond);
  expect_answered(2, now + 29 * kSecond);
  expect_answered(1, now - 28 * kSecond);
  expect_answered(1, now + 3600 * kSecond);  // its clock was put forward
  expect_answered(1, now + 3601 * kSecond);
}

TEST_F(ProbeReplay, WithoutAClockAStrangerIsBelieved) {
  expect_answered(1, 5);
  expect_answered(1, 6);
  expect_old(1, 6);
}

TEST_F(ProbeReplay, WhoWasSilentForLongIsAStrangerWhoseQuestionsStayKnown) {
  set_clock();
  const std::uint64_t now = time_of(CLOCK_REALTIME);
  expect_answered(1, now - 29 * kSecond);
  let_pass(1, 50 * kSecond);
  expect_answered(1, now + 100 * kSecond);  // still an acquaintance
  let_pass(1, 61 * kSecond);
  expect_old(1, now + 101 * kSecond);  // the clock counts again
  expect_old(1, now);                  // right by the clock, but older than what was answered

  expect_answered(2, now - 20 * kSecond);
  let_pass(2, 61 * kSecond);
  expect_old(2, now - 20 * kSecond);
  expect_answered(2, now);
  expect_answered(2, now + 200 * kSecond);
}

TEST_F(ProbeReplay, WhatIsForgedIsNeitherRememberedNorDrivesAnybodyOut) {
  const std::uint64_t now = time_of(CLOCK_REALTIME);
  expect_answered(1, now);
  for (std::uint64_t asker = 100; asker < 100 + 2 * PENSTOCK_PROBE_MAX_ASKERS; ++asker) {
    const Question q{.nonce = nonce_of(asker), .services = {{kVip}}};
    ASSERT_EQ(run(probe_frame(kGateway, kHost, probe_message(kForeign, q))).action,
              static_cast<std::uint32_t>(XDP_DROP));
  }
  EXPECT_EQ(askers(), 1U);
  expect_old(1, now);
}

TEST_F(ProbeReplay, MoreAskersThanAreRememberedAreAllAnswered) {
  for (std::uint64_t asker = 1; asker < 2 * PENSTOCK_PROBE_MAX_ASKERS; ++asker) {
    ASSERT_EQ(run(frame(asker, time_of(CLOCK_REALTIME))).action, static_cast<std::uint32_t>(XDP_TX));
  }
  EXPECT_LE(askers(), std::size_t{PENSTOCK_PROBE_MAX_ASKERS});
}

}  // namespace
}  // namespace penstock
