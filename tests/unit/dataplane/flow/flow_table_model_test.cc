// The table against a std::unordered_map that does the same with 64-bit time and all the memory it wants.
// Both twins run every operation and must agree bit for bit.
#include <gtest/gtest.h>

#include <unordered_map>
#include <unordered_set>

#include "dataplane/flow/flow_table.h"
#include "tests/unit/dataplane/flow/table_memory.h"

namespace penstock {
namespace {

using enum PacketKind;

struct ModelFlow {
  BackendIndex backend;
  FlowState state;
  std::uint64_t expiry;  // ticks that do not wrap
};

struct Workload {
  const char* what;
  std::size_t buckets;
  std::size_t digests;  // universe that the operations draw from
  std::size_t operations;
  std::uint64_t longest_step;  // ticks
  int insert_percent;          // of misses
};

class FlowTableModel : public testing::TestWithParam<Workload> {
 protected:
  FlowTableModel() : random_(random_seed()), digests_(random_digests(GetParam().digests, random_)) {
    // Begin a little before the 32-bit tick wraps; the 20-bit one in the entries does so much more often.
    time_ = (std::uint64_t{1} << 32) - 5000;
    simd_.table.advance(static_cast<Tick>(time_));
    portable_.table.advance(static_cast<Tick>(time_));
  }

  void step();
  void pass_time();
  void look_up(std::uint64_t digest, PacketKind kind, const IdleTicks& idle);
  void insert(std::uint64_t digest, PacketKind kind, const IdleTicks& idle);
  void erase(std::uint64_t digest);
  void forget_the_evicted();
  void expect_same_content();

  std::mt19937_64 random_;
  std::vector<std::uint64_t> digests_;
  OwnTable<FlowTable> simd_{GetParam().buckets, 0xffff'0000};
  OwnTable<PortableFlowTable> portable_{GetParam().buckets, 0xffff'0000};
  std::unordered_map<std::uint64_t, ModelFlow> model_;
  std::uint64_t time_ = 0;
  std::size_t hits_ = 0, evictions_ = 0, full_ = 0, expiries_ = 0;
  const std::vector<IdleTicks> services_ = {IdleTicks::from_seconds(1, 3, 2, 1), kIdle,
                                            IdleTicks::from_seconds(60, 86'400, 600, 3600),
                                            IdleTicks::from_seconds(86'400, 86'400, 86'400, 86'400)};
};

void FlowTableModel::pass_time() {
  const Workload& workload = GetParam();
  std::uint64_t pause = random_() % (workload.longest_step + 1);
  // Now and then the process sleeps for so long that 20 bits wrap, or almost.
  if (random_() % 2000 == 0) pause = random_() % (std::uint64_t{1} << 22);
  if (random_() % 2000 == 0) pause = (std::uint64_t{1} << 20) - random_() % 3;
  time_ += pause;
  simd_->advance(static_cast<Tick>(time_));
  portable_->advance(static_cast<Tick>(time_));
  expiries_ += std::erase_if(model_, [&](const auto& entry) { return entry.second.expiry <= time_; });
}

void FlowTableModel::look_up(std::uint64_t digest, PacketKind kind, const IdleTicks& idle) {
  BackendIndex expected = kNoBackend;
  if (auto it = model_.find(digest); it != model_.end()) {
    ModelFlow& f = it->second;
    const FlowState next = next_state(kind, f.state);
    if (next != FlowState::kFree) {
      expected = f.backend;
      const std::uint64_t ticks = idle.of(idle_class(next));
      const std::uint64_t renewed = time_ + ticks;
      const bool worth_it = renewed < f.expiry || renewed - f.expiry > ticks / 16;
      if (next != f.state || worth_it) f.expiry = renewed;
      f.state = next;
      ++hits_;
    }
  }
  if (random_() % 2 == 0) {
    ASSERT_EQ(simd_->find_and_refresh(digest, kind, idle), expected);
  } else {
    FlowLookup q{digest, &idle, kind, 99};
    simd_->find_bulk({&q, 1});
    ASSERT_EQ(q.backend, expected);
  }
  ASSERT_EQ(portable_->find_and_refresh(digest, kind, idle), expected);
  if (expected == kNoBackend && static_cast<int>(random_() % 100) < GetParam().insert_percent) {
    insert(digest, kind, idle);
  }
}

void FlowTableModel::insert(std::uint64_t digest, PacketKind kind, const IdleTicks& idle) {
  const auto backend = static_cast<BackendIndex>(random_() % kNoBackend);
  const InsertResult result = simd_->insert(digest, backend, kind, idle);
  ASSERT_EQ(portable_->insert(digest, backend, kind, idle), result);
  const FlowState state = first_state(kind);
  ASSERT_EQ(result == InsertResult::kIgnored, state == FlowState::kFree);
  if (result == InsertResult::kIgnored) return;
  ASSERT_EQ(result == InsertResult::kReplaced, model_.contains(digest));
  if (result == InsertResult::kFull) {
    ++full_;
    return;
  }
  model_[digest] = {backend, state, time_ + idle.of(idle_class(state))};
  if (result == InsertResult::kEvicted) forget_the_evicted();
}

void FlowTableModel::forget_the_evicted() {
  ++evictions_;
  std::unordered_set<std::uint64_t> present;
  for (const FlowRecord& r : dump(simd_.table)) present.insert(r.name);
  std::vector<std::uint64_t> gone;
  for (const auto& [digest, flow] : model_) {
    if (present.contains(simd_->flow_name(digest))) continue;
    gone.push_back(digest);
    ASSERT_FALSE(is_confirmed(flow.state)) << "evicted a confirmed flow";
  }
  ASSERT_EQ(gone.size(), 1U);
  model_.erase(gone.front());
}

void FlowTableModel::erase(std::uint64_t digest) {
  const bool known = model_.erase(digest) != 0;
  ASSERT_EQ(simd_->erase(digest), known);
  ASSERT_EQ(portable_->erase(digest), known);
}

void FlowTableModel::expect_same_content() {
  const auto records = dump(simd_.table);
  ASSERT_EQ(records.size(), model_.size());
  std::unordered_map<std::uint64_t, FlowRecord> by_name;
  for (const FlowRecord& r : records) by_name[r.name] = r;
  std::size_t confirmed = 0;
  for (const auto& [digest, flow] : model_) {
    const auto it = by_name.find(simd_->flow_name(digest));
    ASSERT_NE(it, by_name.end());
    EXPECT_EQ(it->second.backend, flow.backend);
    EXPECT_EQ(it->second.state, flow.state);
    EXPECT_EQ(it->second.remaining, flow.expiry - time_);
    confirmed += is_confirmed(flow.state) ? 1 : 0;
  }
  const FlowTableStats s = simd_->stats();
  EXPECT_GE(s.size, model_.size());
  EXPECT_GE(s.confirmed, confirmed);
  EXPECT_EQ(s.full, full_);
  EXPECT_EQ(s.evicted, evictions_);
  ASSERT_TRUE(
      std::equal(simd_.memory.span().begin(), simd_.memory.span().end(), portable_.memory.span().begin()))
      << "the twins differ";
}

void FlowTableModel::step() {
  const std::uint64_t digest = digests_[random_() % digests_.size()];
  const IdleTicks& idle = services_[digest % services_.size()];
  const bool udp = (digest >> 8 & 3) == 0;
  const auto dice = random_() % 100;
  if (dice < 3) return pass_time();
  if (dice < 5) return erase(digest);
  PacketKind kind = dice < 40 ? kSyn : dice < 92 ? kAck : dice < 97 ? kFin : kRst;
  if (udp) kind = kUdp;
  look_up(digest, kind, idle);
}

TEST_P(FlowTableModel, AgreesWithTheModelAfterEveryOperation) {
  const std::size_t check_every = GetParam().operations / 50;
  for (std::size_t i = 0; i < GetParam().operations; ++i) {
    step();
    if (HasFatalFailure()) FAIL() << "operation " << i;
    if (i % check_every == 0) {
      expect_same_content();
      if (HasFailure()) FAIL() << "operation " << i;
    }
  }
  std::cout << hits_ << " hits, " << expiries_ << " expired, " << evictions_ << " evicted, " << full_
            << " full, " << simd_->stats().moved << " moved\n";
  EXPECT_GT(hits_, GetParam().operations / 20);
  EXPECT_GT(expiries_, 0U);
  if (GetParam().digests > 2 * simd_->slot_count()) {
    EXPECT_GT(evictions_, 0U);
    EXPECT_GT(full_, 0U);
    EXPECT_GT(simd_->stats().moved, 0U);
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, FlowTableModel,
                         testing::Values(Workload{"TwoBuckets", 2, 24, 400'000, 10, 100},
                                         Workload{"SevenBuckets", 7, 80, 400'000, 5, 100},
                                         Workload{"Roomy", 1000, 2500, 1'000'000, 10, 100},
                                         Workload{"Crowded", 500, 2400, 1'000'000, 2, 100},
                                         Workload{"Overfull", 20, 400, 100'000, 1, 100},
                                         Workload{"LongPauses", 50, 200, 600'000, 30'000, 100}),
                         [](const auto& i) { return i.param.what; });

TEST(FlowTableWrap, NoExpiredFlowComesBackHoweverTheTimePasses) {
  // Steps between calls in ticks: from one (a busy worker) to beyond the wrap of the entries' 20 bits.
  for (const std::uint64_t stride : {1ULL, 7ULL, 4096ULL, 131'071ULL, 131'073ULL, 262'144ULL, 1'048'575ULL,
                                     1'048'576ULL, 1'048'577ULL, 2'000'000'011ULL}) {
    OwnTable<FlowTable> t(300, 77);
    const IdleTicks longest = IdleTicks::from_seconds(86'400, 86'400, 86'400, 86'400);
    std::mt19937_64 random(stride);
    const auto digests = random_digests(400, random);
    for (std::size_t i = 0; i < digests.size(); ++i) {
      ASSERT_TRUE(establish(t.table, digests[i], 1, i % 2 == 0 ? longest : kIdle));
    }
    const std::uint64_t steps = std::max<std::uint64_t>(30, (std::uint64_t{5} << 20) / stride);
    for (std::uint64_t i = 1; i <= steps; ++i) {
      t->advance(static_cast<Tick>(77 + i * stride));
      const bool long_ones = i * stride < kMaxIdleTicks;
      const bool short_ones = i * stride < kIdle.of(IdleClass::kEstablished);
      if (i % std::max<std::uint64_t>(1, steps / 300) != 0) continue;
      std::size_t living = 0;
      for (const FlowRecord& r : dump(t.table)) living += r.backend == 1 ? 1 : 0;
      ASSERT_EQ(living, (long_ones ? 200U : 0U) + (short_ones ? 200U : 0U))
          << "stride " << stride << " step " << i;
    }
    EXPECT_EQ(t->stats().size, 0U);
  }
}

}  // namespace
}  // namespace penstock
