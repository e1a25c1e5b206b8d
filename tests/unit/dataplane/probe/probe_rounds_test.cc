// Who is asked when, what is believed, and when a backend is down or up again: to the interval, under a clock
// of the test's own.
#include "dataplane/probe/probe_rounds.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/unit/dataplane/probe/fake_responder.h"
#include "tests/unit/dataplane/probe/liveness_judge.h"

namespace penstock {
namespace {

constexpr Nanoseconds kInterval = Nanoseconds::from_millis(50);
constexpr Nanoseconds kPatience = Nanoseconds::from_millis(25);
constexpr std::uint64_t kProcess = 0x12'3456'789a;
constexpr Nanoseconds kUnixMinusNow = Nanoseconds::from_seconds(1'700'000'000);
constexpr Nanoseconds kMillisecond = Nanoseconds::from_millis(1);

IpAddr address(int n) { return IpAddr::parse("10.0.31." + std::to_string(n)).value(); }
ProbedService service(BackendIndex backend, std::uint16_t port) {
  return {backend, {IpAddr::parse("203.0.113.10").value(), 6, port, 0, 0}};
}

class Rounds : public ::testing::Test {
 protected:
  /// One millisecond at a time: what is on its way arrives, then what is due is sent.
  void run(unsigned milliseconds) {
    for (unsigned i = 0; i < milliseconds; ++i) {
      now_ = now_ + kMillisecond;
      std::vector<std::pair<IpAddr, Bytes>> arriving;
      arriving.swap(on_the_way_);
      for (const auto& [from, bytes] : arriving) rounds_.receive(from, bytes, now_, now_);
      if (hears_) rounds_.judge(now_, now_);
      send();
    }
  }
  void send() {
    std::vector<std::uint64_t> leaving;
    rounds_.send_due(
        now_, [&](std::size_t position, std::uint64_t message, std::span<const std::uint8_t> datagram) {
          if (has_no_way_) return false;
          if (worker_stands_still_) return true;
          leaving.push_back(message);
          const IpAddr to = addresses_[position].address;
          sent_.push_back({to, now_, Bytes(datagram.begin(), datagram.end())});
          const auto host = hosts_.find(to);
          if (host == hosts_.end()) return true;
          if (auto reply = host->second.answer(datagram)) on_the_way_.emplace_back(to, std::move(*reply));
          return true;
        });
    for (const std::uint64_t message : leaving) {
      if (port_is_full_) {
        rounds_.not_transmitted(message);
      } else {
        rounds_.transmitted(message, now_);
      }
    }
  }
  void follow(std::vector<ProbedAddress> addresses, std::uint8_t key = 1) {
    addresses_ = addresses;
    rounds_.follow({std::move(addresses), key_of(key)}, now_);
  }
  [[nodiscard]] BackendState verdict(BackendIndex backend) const { return states_.backend(backend); }
  /// Milliseconds until the backend has the verdict; 10,000 when that never happens.
  unsigned until(BackendIndex backend, BackendState wanted) {
    for (unsigned ms = 0; ms < 10'000; ++ms) {
      if (verdict(backend) == wanted) return ms;
      run(1);
    }
    return 10'000;
  }

  struct Sent {
    IpAddr to;
    Nanoseconds at;
    Bytes bytes;
  };
  BackendStates states_{100, 16};
  LivenessJudge judge_{states_};
  ProbeRounds rounds_{{kInterval, kPatience, kProcess, kUnixMinusNow}, judge_};
  std::vector<ProbedAddress> addresses_;
  bool hears_ = true;
  bool worker_stands_still_ = false;
  bool has_no_way_ = false;
  bool port_is_full_ = false;
  Nanoseconds now_ = Nanoseconds::from_seconds(1000);
  std::map<IpAddr, FakeResponder> hosts_;
  std::vector<Sent> sent_;
  std::vector<std::pair<IpAddr, Bytes>> on_the_way_;
};

TEST_F(Rounds, AHostOfTwoAddressesIsAskedInOrderWhenBothAreDueAtOnce) {
  // It remembers the last question of this process, whichever address that came to.
  follow({{address(1), {service(1, 80)}}});
  send();
  now_ = now_ + kPatience;
  follow({{address(1), {service(1, 80)}}, {address(2), {service(2, 80)}}});
  now_ = now_ + kInterval - kPatience;
  sent_.clear();
  send();
  std::uint64_t last = 0;
  for (const Sent& s : sent_) {
    EXPECT_GT(header_of(s.bytes).sent_ns, last);
    last = header_of(s.bytes).sent_ns;
  }
  EXPECT_GE(sent_.size(), 2U);
}

TEST_F(Rounds, EveryAddressIsAskedOnceAnIntervalSpreadOverIt) {
  std::vector<ProbedAddress> addresses;
  for (int i = 1; i <= 10; ++i)
    addresses.push_back({address(i), {service(static_cast<BackendIndex>(i), 80)}});
  follow(addresses);
  run(499);
  std::map<IpAddr, int> asked;
  std::map<std::uint64_t, int> per_millisecond;
  for (const Sent& s : sent_) {
    if (header_of(s.bytes).version != PENSTOCK_PROBE_VERSION) continue;
    ++asked[s.to];
    EXPECT_LE(++per_millisecond[s.at.count()], 1) << "paced";
  }
  EXPECT_EQ(asked.size(), 10u);
  for (const auto& [to, n] : asked) EXPECT_EQ(n, 10) << to.text();
}

TEST_F(Rounds, WhoNeverAnswersIsUnknownAndTakenForAlive) {
  follow({{address(1), {service(1, 80)}}});
  run(1000);
  EXPECT_EQ(verdict(1), BackendState());
  EXPECT_FALSE(states_.backend(1).down());
}

TEST_F(Rounds, NoListenerIsDownWithTheAnswerAndOneListenerIsUpWithTheAnswer) {
  hosts_[address(1)] = {{key_of(1)}, {}};
  follow({{address(1), {service(1, 80), service(2, 81)}}});
  run(100);
  EXPECT_EQ(verdict(1), kUpState);
  hosts_[address(1)].absent = {80};
  EXPECT_LE(until(1, kDownState), 51u) << "an interval and the way back";
  EXPECT_EQ(verdict(2), kUpState) << "the other service of that host is well";
  hosts_[address(1)].absent = {};
  EXPECT_LE(until(1, kUpState), 51u);
}

TEST_F(Rounds, SilenceIsDownWhenTheThirdRoundIsLost) {
  hosts_[address(1)] = {{key_of(1)}, {}};
  hosts_[address(2)] = {{key_of(1)}, {}};
  follow({{address(1), {service(1, 80), service(2, 81)}}, {address(2), {service(3, 80)}}});
  run(110);
  hosts_.erase(address(1));
  const std::size_t before = sent_.size();
  const unsigned took = until(1, kDownState);
  std::vector<Nanoseconds> unanswered;
  for (std::size_t i = before; i < sent_.size(); ++i) {
    if (sent_[i].to == address(1)) unanswered.push_back(sent_[i].at);
  }
  ASSERT_EQ(unanswered.size(), 3u);
  EXPECT_EQ((now_ - unanswered.back()).count(), kPatience.count());
  EXPECT_LE(took, 175u) << "three intervals and a half";
  EXPECT_EQ(verdict(2), kDownState) << "all of that address";
  EXPECT_EQ(verdict(3), kUpState) << "and of no other";
  EXPECT_EQ(rounds_.counters().lost, 3u);
}

TEST_F(Rounds, TwoLostAnswersAreNoSilence) {
  hosts_[address(1)] = {{key_of(1)}, {}};
  follow({{address(1), {service(1, 80)}}});
  run(110);
  for (int cycle = 0; cycle < 20; ++cycle) {
    hosts_.erase(address(1));
    run(100);
    EXPECT_EQ(verdict(1), kUpState) << cycle;
    hosts_[address(1)] = {{key_of(1)}, {}};
    run(50);
    EXPECT_EQ(verdict(1), kUpState) << cycle;
  }
}

TEST_F(Rounds, AfterSilenceTheSecondAnswerCounts) {
  const FakeResponder well{{key_of(1)}, {}};
  hosts_[address(1)] = well;
  follow({{address(1), {service(1, 80)}}});
  run(110);
  hosts_.clear();
  run(300);
  ASSERT_EQ(verdict(1), kDownState);
  hosts_[address(1)] = well;
  const auto answered = rounds_.counters().answered;
  until(1, kUpState);
  EXPECT_EQ(rounds_.counters().answered, answered + 2);
  hosts_.clear();
  run(300);
  ASSERT_EQ(verdict(1), kDownState);
  for (int i = 0; i < 5; ++i) {  // one answer and silence again is not enough
    hosts_[address(1)] = well;
    run(50);
    hosts_.clear();
    run(100);
    EXPECT_EQ(verdict(1), kDownState) << i;
  }
  hosts_[address(1)] = {{key_of(1)}, {80}};
  run(200);
  EXPECT_EQ(verdict(1), kDownState) << "answering, but without a listener";
}

TEST_F(Rounds, APauseOfTheProberKillsNobody) {
  hosts_[address(1)] = {{key_of(1)}, {}};
  hosts_[address(2)] = {{key_of(1)}, {}};
  follow({{address(1), {service(1, 80)}}, {address(2), {service(2, 80)}}});
  run(200);
  for (int pause = 0; pause < 50; ++pause) {
    now_ = now_ + Nanoseconds::from_millis(60 + 97 * static_cast<std::uint64_t>(pause % 7));
    const std::size_t before = sent_.size();
    run(1);
    EXPECT_LE(sent_.size() - before, 2u) << "what was missed is not caught up";
    run(3);
    ASSERT_EQ(verdict(1), kUpState) << pause;
    ASSERT_EQ(verdict(2), kUpState) << pause;
  }
}

TEST_F(Rounds, WhatCouldNotBeSentOrHeardIsNotLost) {
  struct Case {
    const char* what;
    bool* broken;
    bool good;
    bool not_sent;
  };
  hosts_[address(1)] = {{key_of(1)}, {}};
  for (const Case& c : {Case{"nothing is read", &hears_, true, false},
                        Case{"a worker stands still", &worker_stands_still_, false, false},
                        Case{"no next hop", &has_no_way_, false, true},
                        Case{"a port that takes nothing", &port_is_full_, false, true}}) {
    follow({{address(1), {service(1, 80)}}});
    run(110);
    ASSERT_EQ(verdict(1), kUpState) << c.what;
    const ProbeCounters before = rounds_.counters();
    *c.broken = !c.good;
    hosts_[address(1)].keys = {key_of(9)};  // it is silent meanwhile, and nobody can know
    run(1000);
    EXPECT_EQ(verdict(1), kUpState) << c.what;
    EXPECT_EQ(rounds_.counters().lost, before.lost) << c.what;
    EXPECT_EQ(rounds_.counters().not_sent != before.not_sent, c.not_sent) << c.what;
    *c.broken = c.good;
    // What never left is given up after four intervals.
    EXPECT_LE(until(1, kDownState), 200u) << c.what << ": able again";
    hosts_[address(1)].keys = {key_of(1)};
    ASSERT_LE(until(1, kUpState), 150u) << c.what;
  }
}

TEST_F(Rounds, AnAnswerThatIsLateIsBelievedAndWasLostAllTheSame) {
  follow({{address(1), {service(1, 80)}}});
  run(20);
  const Bytes reply = FakeResponder{{key_of(1)}, {80}}.answer(sent_.front().bytes).value();
  run(30);
  EXPECT_EQ(rounds_.counters().lost, 1u);
  rounds_.receive(address(1), reply, now_, now_);
  EXPECT_EQ(rounds_.counters().answered, 1u);
  EXPECT_EQ(verdict(1), kDownState) << "it said that nobody listens";
}

TEST_F(Rounds, TheFirstMessageOfARoundAsksForTheHostTheOthersForServicesAlone) {
  std::vector<ProbedService> services;
  for (BackendIndex i = 0; i < 17; ++i) services.push_back(service(i, static_cast<std::uint16_t>(8000 + i)));
  follow({{address(1), services}});
  run(1);
  ASSERT_EQ(sent_.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    const probe_header h = header_of(sent_[i].bytes);
    EXPECT_EQ(h.sections, PENSTOCK_PROBE_SERVICE_LOADS | (i == 0 ? PENSTOCK_PROBE_HOST_LOAD : 0));
    EXPECT_EQ(h.nonce, kProcess << 24 | (i + 1));
    EXPECT_EQ(h.sent_ns, (now_ + kUnixMinusNow).count() + i) << "growing, the wall clock's";
  }
}

TEST_F(Rounds, NoncesGoOnWhenTheirCountWraps) {
  ProbeQuestions questions;
  for (int i = 0; i < 70; ++i) questions.add();
  EXPECT_EQ(questions.find(6), nullptr) << "64 are remembered";
  EXPECT_NE(questions.find(7), nullptr);
  EXPECT_EQ(questions.find(71), nullptr) << "not asked yet";
  EXPECT_EQ(questions.latest(70 & 15, 4), 70u);
  EXPECT_EQ(questions.latest(71 & 15, 4), 55u);
  questions.make_room(1000);
  EXPECT_EQ(questions.oldest(), 7u);
  EXPECT_NE(questions.find(7), nullptr);
  EXPECT_EQ(questions.find(6), nullptr);
}

TEST_F(Rounds, OldHostsAreAskedInTheirVersionUntilTheySpeakTheNewOne) {
  const auto versions_of_a_second = [this] {
    sent_.clear();
    run(1000);
    std::pair<int, int> asked;
    for (const Sent& s : sent_) ++(header_of(s.bytes).version == 1 ? asked.first : asked.second);
    return asked;
  };
  hosts_[address(1)] = {{key_of(1)}, {}};
  hosts_[address(1)].newest_version = 1;
  follow({{address(1), {service(1, 80)}}});
  run(500);
  EXPECT_EQ(verdict(1), kUpState);
  EXPECT_EQ(versions_of_a_second(), std::pair(20, 2));
  EXPECT_EQ(verdict(1), kUpState);
  hosts_[address(1)].newest_version = 2;
  run(500);
  EXPECT_EQ(versions_of_a_second(), std::pair(0, 20));
  hosts_[address(1)].newest_version = 1;  // taken back
  run(2000);
  EXPECT_EQ(verdict(1), kUpState);
}

TEST_F(Rounds, AfterAPauseNothingIsCaughtUpInABurst) {
  std::vector<ProbedAddress> addresses;
  for (int i = 1; i <= 50; ++i)
    addresses.push_back({address(i), {service(static_cast<BackendIndex>(i), 80)}});
  follow(addresses);
  run(200);
  now_ = now_ + Nanoseconds::from_millis(333);
  sent_.clear();
  run(100);
  std::map<std::uint64_t, int> per_millisecond;
  for (const Sent& s : sent_) EXPECT_LE(++per_millisecond[s.at.count()], 4);
  EXPECT_GE(sent_.size(), 99u);
}

TEST_F(Rounds, ForgedReplayedLateAndStrangeRepliesAreCountedAndNotBelieved) {
  follow({{address(1), {service(1, 80)}}});
  run(51);
  ASSERT_FALSE(sent_.empty());
  const FakeResponder host{{key_of(1)}, {80}};
  const Bytes request = sent_.back().bytes;
  const Bytes reply = host.answer(request).value();

  rounds_.receive(address(2), reply, now_, now_);
  EXPECT_EQ(rounds_.counters().refused_stranger, 1u);
  Bytes forged = reply;
  forged[kMessageAt + sizeof(probe_header) + offsetof(probe_service, listener)] = PENSTOCK_PROBE_PRESENT;
  rounds_.receive(address(1), forged, now_, now_);
  seal(key_of(9), forged);
  rounds_.receive(address(1), forged, now_, now_);
  EXPECT_EQ(rounds_.counters().refused_authentication, 2u);
  rounds_.receive(address(1), request, now_, now_);
  rounds_.receive(address(1), Bytes{1, 2, 3}, now_, now_);
  EXPECT_EQ(rounds_.counters().refused_malformed, 2u);
  Bytes invented = reply;
  invented[kMessageAt + offsetof(probe_header, nonce) + 7] ^= 1;  // of the process
  seal(key_of(1), invented);
  rounds_.receive(address(1), invented, now_, now_);
  EXPECT_EQ(rounds_.counters().refused_stale, 1u);
  EXPECT_EQ(verdict(1), BackendState()) << "nothing of that was believed";

  rounds_.receive(address(1), reply, now_, now_);
  EXPECT_EQ(rounds_.counters().answered, 1u);
  EXPECT_EQ(verdict(1), kDownState);
  rounds_.receive(address(1), reply, now_, now_);
  EXPECT_EQ(rounds_.counters().refused_stale, 2u) << "a replay";

  run(50);
  const Bytes late = host.answer(sent_.back().bytes).value();
  now_ = now_ + Nanoseconds(kInterval.count() * (kReplyIntervals + 1));
  rounds_.receive(address(1), late, now_, now_);
  EXPECT_EQ(rounds_.counters().refused_stale, 3u) << "too late";
}

TEST_F(Rounds, ManyServicesOfAnAddressAreAskedInSeveralRequests) {
  std::vector<ProbedService> services;
  for (BackendIndex i = 0; i < 20; ++i) services.push_back(service(i, static_cast<std::uint16_t>(8000 + i)));
  hosts_[address(1)] = {{key_of(1)}, {8007, 8008, 8019}};
  follow({{address(1), services}});
  run(53);
  EXPECT_EQ(sent_.size(), 6u) << "20 = 8 + 8 + 4, twice";
  for (BackendIndex i = 0; i < 20; ++i) {
    const bool absent = i == 7 || i == 8 || i == 19;
    EXPECT_EQ(verdict(i), absent ? kDownState : kUpState) << i;
  }
}

TEST_F(Rounds, ANewKeyLosesNobodyWhicheverSideHearsOfItFirst) {
  const std::vector<ProbedAddress> plan = {{address(1), {service(1, 80)}}};
  hosts_[address(1)] = {{key_of(1)}, {}};
  follow(plan);
  run(110);
  follow(plan, 2);  // this gateway first
  for (int i = 0; i < 20; ++i) {
    run(50);
    ASSERT_EQ(verdict(1), kUpState);
  }
  hosts_[address(1)].keys = {key_of(2), key_of(1)};
  run(200);
  EXPECT_EQ(verdict(1), kUpState);
  const std::size_t before = sent_.size();
  run(500);
  EXPECT_EQ(sent_.size() - before, 10u) << "under the new key alone";
  hosts_[address(1)].keys = {key_of(3), key_of(2)};  // the host first
  run(500);
  EXPECT_EQ(verdict(1), kUpState);
  follow(plan, 3);
  run(500);
  EXPECT_EQ(verdict(1), kUpState);
}

TEST_F(Rounds, AnOldKeyIsGivenUpAfterAMinute) {
  hosts_[address(1)] = {{key_of(1)}, {}};
  follow({{address(1), {service(1, 80)}}});
  run(110);
  follow({{address(1), {service(1, 80)}}}, 2);
  run(59'000);
  EXPECT_EQ(verdict(1), kUpState);
  run(2'000);
  EXPECT_EQ(verdict(1), kDownState);
}

TEST_F(Rounds, AChangeOfThePlanKeepsWhatIsKnownAndForgetsWhatIsGone) {
  hosts_[address(1)] = {{key_of(1)}, {80}};
  hosts_[address(2)] = {{key_of(1)}, {80}};
  follow({{address(1), {service(1, 80)}}, {address(2), {service(2, 80)}}});
  run(110);
  ASSERT_EQ(verdict(1), kDownState);
  ASSERT_EQ(verdict(2), kDownState);
  follow({{address(1), {service(3, 81), service(1, 80)}}});
  EXPECT_EQ(verdict(1), kDownState) << "known before";
  EXPECT_EQ(verdict(3), kUpState) << "new, on a host that lives";
  EXPECT_EQ(verdict(2), BackendState()) << "its index may name another backend now";
  run(110);
  EXPECT_EQ(verdict(2), BackendState());
  EXPECT_EQ(verdict(1), kDownState);
  follow({});
  EXPECT_FALSE(rounds_.next_due());
  EXPECT_EQ(verdict(1), BackendState());
}

TEST_F(Rounds, DeadHostsAreFoundWhileTheConfigurationKeepsChanging) {
  hosts_[address(1)] = {{key_of(1)}, {}};
  follow({{address(1), {service(1, 80)}}});
  run(110);
  hosts_.clear();
  for (int i = 0; i < 15; ++i) {  // every 20 ms, faster than the interval; the addresses stay
    follow({{address(1), {service(1, 80)}}});
    run(20);
  }
  EXPECT_EQ(verdict(1), kDownState);
}

}  // namespace
}  // namespace penstock
