// The runner as a whole: rhythm, changes of the list, limits, and that it leaves nothing behind.
#include "bpf/agent/checks/check_runner.h"

#include <gmock/gmock.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <iterator>

#include "bpf/agent/checks/check_report.h"
#include "penstock/abi/probe.h"
#include "penstock/base/clock.h"
#include "penstock/proto/node.pb.h"
#include "tests/unit/bpf/agent/checks/peer.h"

namespace penstock {
namespace {

using namespace std::chrono_literals;
using Seconds = std::chrono::duration<double>;

void hang_up(Peer::Socket&) {}

CheckVerdict verdict(const CheckRunner& runner) { return runner.verdicts().begin()->second; }
CheckResult first(const CheckRunner& runner) { return runner.results().begin()->second.checks.front(); }

std::size_t open_descriptors() {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

CheckSpec named(const std::string& name, CheckSpec spec) {
  spec.name = name;
  return spec;
}

TEST(CheckRunner, SaysNothingBeforeTheFirstResult) {
  Peer silent(stay_silent);
  CheckSpec spec = local_check(CheckKind::kHttp, silent.port());
  CheckRunner runner({"", {}});
  runner.set({checks_of({spec})});
  EXPECT_EQ(verdict(runner), CheckVerdict::kUnchecked);
  EXPECT_TRUE(eventually([&] { return silent.accepted() == 1; }));
  EXPECT_EQ(verdict(runner), CheckVerdict::kUnchecked) << "it runs, but has not ended";
  EXPECT_EQ(first(runner).runs, 0u);
}

TEST(CheckRunner, AProcessThatStopsListeningIsFoundWithinFallIntervals) {
  auto peer = std::make_unique<Peer>(hang_up);
  CheckSpec spec = local_check(CheckKind::kTcp, peer->port());
  spec.interval_ms = 200;
  spec.fall = 3;
  std::atomic<int> woken{0};
  CheckRunner runner({"", [&] { ++woken; }});
  runner.set({checks_of({spec})});
  ASSERT_TRUE(eventually([&] { return verdict(runner) == CheckVerdict::kPassing; }));
  EXPECT_TRUE(eventually([&] { return woken == 1; }));
  peer.reset();
  const auto stopped = std::chrono::steady_clock::now();
  ASSERT_TRUE(eventually([&] { return verdict(runner) == CheckVerdict::kFailing; }));
  const Seconds took = std::chrono::steady_clock::now() - stopped;
  EXPECT_LE(took, 3 * 200ms + 100ms) << "100 ms for a busy machine";
  EXPECT_TRUE(eventually([&] { return woken == 2; }));
  EXPECT_EQ(first(runner).detail, "connection refused");
}

TEST(CheckRunner, OneFailingCheckFailsTheServiceAndOneUnknownLeavesItUnchecked) {
  Peer peer(hang_up);
  const CheckSpec good = named("good", local_check(CheckKind::kTcp, peer.port()));
  CheckSpec unknown = named("unknown", good);
  unknown.kind = CheckKind::kUnsupported;
  unknown.problem = "a kind of tomorrow";
  CheckSpec bad = named("bad", good);
  bad.address = IpAddr::parse("203.0.113.77").value();
  CheckRunner runner({"", {}});
  runner.set({checks_of({good, unknown}, "a"), checks_of({good, bad}, "b"), checks_of({good}, "c"),
              checks_of({unknown, bad}, "d")});
  const auto all_ran = [&] {
    for (const auto& [service, result] : runner.results()) {
      for (const CheckResult& check : result.checks) {
        if (check.name != "unknown" && check.runs == 0) return false;
      }
    }
    return true;
  };
  ASSERT_TRUE(eventually(all_ran));
  std::map<std::string, CheckVerdict> verdicts;
  for (const auto& [service, v] : runner.verdicts()) verdicts[service.service] = v;
  EXPECT_EQ(verdicts["a"], CheckVerdict::kUnchecked);
  EXPECT_EQ(verdicts["b"], CheckVerdict::kFailing);
  EXPECT_EQ(verdicts["c"], CheckVerdict::kPassing);
  EXPECT_EQ(verdicts["d"], CheckVerdict::kFailing);
  EXPECT_EQ(runner.results().begin()->second.checks[1].detail, "a kind of tomorrow");
}

TEST(CheckRunner, AnUnchangedCheckKeepsWhatIsKnownOfIt) {
  Peer peer(hang_up);
  const CheckSpec kept = named("kept", local_check(CheckKind::kTcp, peer.port()));
  const CheckSpec changed = named("changed", kept);
  CheckRunner runner({"", {}});
  runner.set({checks_of({kept, changed})});
  ASSERT_TRUE(eventually([&] { return verdict(runner) == CheckVerdict::kPassing; }));
  const auto before = runner.results().begin()->second.checks;
  CheckSpec other = changed;
  other.fall = 9;
  other.interval_ms = 3'600'000;  // starts within a second, and stays UNCHECKED while we look
  runner.set({checks_of({other, kept})});
  const auto after = runner.results().begin()->second.checks;
  EXPECT_EQ(after[0].name, "changed");
  EXPECT_EQ(after[1].name, "kept");
  EXPECT_GE(after[1].runs, before[0].runs);
  EXPECT_EQ(after[1].since, before[0].since);
  EXPECT_LE(after[0].runs, 1u) << "another check, of which nothing is known";
  runner.set({});
  EXPECT_TRUE(runner.results().empty());
  EXPECT_TRUE(runner.verdicts().empty());
}

TEST(CheckRunner, NeverRunsACheckTwiceAtOnce) {
  std::atomic<int> most{0};
  Peer peer([&, now = std::make_shared<std::atomic<int>>(0)](Peer::Socket& socket) {
    const int count = ++*now;
    for (int seen = most; count > seen && !most.compare_exchange_weak(seen, count);) {
    }
    try {
      stay_silent(socket);
    } catch (const std::exception&) {
    }
    --*now;
  });
  CheckSpec spec = local_check(CheckKind::kHttp, peer.port());
  spec.interval_ms = 50;
  spec.timeout_ms = 50;
  CheckRunner runner({"", {}});
  runner.set({checks_of({spec})});
  ASSERT_TRUE(eventually([&] { return first(runner).runs >= 10; }));
  // The peer sees the end of a connection later than the check, which may have begun the next by then.
  EXPECT_LE(most, 2);
  EXPECT_EQ(first(runner).failures, first(runner).runs);
}

TEST(CheckRunner, ManyHangingChecksAreBoundedAndAllHaveTheirTurn) {
  Peer silent(stay_silent);
  std::vector<ServiceChecks> services;
  for (int i = 0; i < 300; ++i) {
    CheckSpec spec = local_check(CheckKind::kHttp, silent.port());
    spec.timeout_ms = 100;
    services.push_back(checks_of({spec}, "s" + std::to_string(i)));
  }
  std::size_t most = 0;
  CheckRunner runner({"", {}});
  runner.set(std::move(services));
  EXPECT_TRUE(eventually([&] {
    most = std::max(most, open_descriptors());
    for (const auto& [service, v] : runner.verdicts()) {
      if (v != CheckVerdict::kFailing) return false;
    }
    return true;
  }));
  // Each run holds one descriptor here and one in the peer, which may see the end a little later.
  EXPECT_LE(most, 4 * kMaxRuns);
}

TEST(CheckRunner, LeavesNoDescriptorBehindWhateverTheChecksDo) {
  Peer silent(stay_silent);
  Peer rude(hang_up);
  std::vector<CheckSpec> specs;
  for (const CheckKind kind : {CheckKind::kTcp, CheckKind::kHttp, CheckKind::kHttps, CheckKind::kGrpc,
                               CheckKind::kUdp, CheckKind::kScript}) {
    for (const std::uint16_t port : {silent.port(), rude.port()}) {
      CheckSpec spec = named("c" + std::to_string(specs.size()), local_check(kind, port));
      spec.timeout_ms = 50;
      spec.script = "sleep";
      specs.push_back(spec);
    }
  }
  const auto run = [&](std::uint64_t times) {
    CheckRunner runner({"/bin", {}});
    runner.set({checks_of(specs)});
    EXPECT_TRUE(eventually([&] {
      const auto results = runner.results();
      const auto& checks = results.begin()->second.checks;
      return std::all_of(checks.begin(), checks.end(), [&](const auto& c) { return c.runs >= times; });
    }));
  };
  run(1);  // what libraries open once
  EXPECT_TRUE(eventually([&] { return silent.open() + rude.open() == 0; }));
  const std::size_t before = open_descriptors();
  run(20);
  EXPECT_TRUE(eventually([&] { return silent.open() + rude.open() == 0 && open_descriptors() <= before; }))
      << before << " before, now " << open_descriptors();
}

TEST(CheckRunner, StopsAtOnceWhileEverythingHangs) {
  Peer silent(stay_silent);
  std::vector<CheckSpec> specs;
  for (const CheckKind kind : {CheckKind::kHttp, CheckKind::kHttps, CheckKind::kGrpc, CheckKind::kScript}) {
    specs.push_back(named("c" + std::to_string(specs.size()), local_check(kind, silent.port())));
    specs.back().script = "hang";
  }
  char folder[] = "/tmp/penstock-runner-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string started = std::string(folder) + "/started";
  {
    const std::string path = std::string(folder) + "/hang";
    std::FILE* const file = std::fopen(path.c_str(), "w");
    std::fprintf(file, "#!/bin/sh\ntouch %s\nsleep 1000\n", started.c_str());
    std::fclose(file);
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
  }
  auto runner = std::make_unique<CheckRunner>(CheckRunnerSettings{folder, {}});
  runner->set({checks_of(specs)});
  EXPECT_TRUE(eventually([&] { return silent.open() == 3 && std::filesystem::exists(started); }));
  const auto begin = std::chrono::steady_clock::now();
  runner.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 1s);
  std::filesystem::remove_all(folder);
}

TEST(CheckReport, TellsAgesAndStates) {
  CheckResult result;
  result.name = "tcp";
  proto::CheckStatus status;
  fill(result, Nanoseconds::from_seconds(100), status);
  EXPECT_EQ(status.state(), proto::CheckStatus::UNCHECKED);
  EXPECT_EQ(status.since_ms(), 0u);
  EXPECT_EQ(status.ended_ms(), 0u);
  result.verdict = CheckVerdict::kFailing;
  result.detail = "connection refused";
  result.since = Nanoseconds::from_seconds(98);
  result.ended = Nanoseconds::from_millis(99'500);
  result.duration = Nanoseconds::from_micros(321);
  result.runs = 9;
  result.failures = 4;
  result.damped = true;
  fill(result, Nanoseconds::from_seconds(100), status);
  EXPECT_EQ(status.name(), "tcp");
  EXPECT_EQ(status.state(), proto::CheckStatus::FAILING);
  EXPECT_EQ(status.detail(), "connection refused");
  EXPECT_EQ(status.since_ms(), 2000u);
  EXPECT_EQ(status.ended_ms(), 500u);
  EXPECT_EQ(status.duration_us(), 321u);
  EXPECT_EQ(status.runs(), 9u);
  EXPECT_EQ(status.failures(), 4u);
  EXPECT_TRUE(status.damped());
  EXPECT_EQ(probe_check_value(CheckVerdict::kUnchecked), PENSTOCK_PROBE_UNCHECKED);
  EXPECT_EQ(probe_check_value(CheckVerdict::kPassing), PENSTOCK_PROBE_PASSING);
  EXPECT_EQ(probe_check_value(CheckVerdict::kFailing), PENSTOCK_PROBE_FAILING);
}

}  // namespace
}  // namespace penstock
