// One process after another on the same folder; each is a RestartState that ends before the next begins.
#include "dataplane/restart/restart_state.h"

#include "dataplane/restart/index_register.h"
#include "tests/unit/dataplane/restart/kept_folder.h"

namespace penstock {
namespace {

constexpr std::size_t kFlows = 10'000;
const std::size_t kBytes = FlowTable::required_bytes(kFlows);
constexpr IdleTicks kIdle = IdleTicks::from_seconds(10, 900, 30, 60);
constexpr std::uint64_t kDigest = 0x1234'5678'9abc'def0;
constexpr BackendIndex kBackend = 1;

class RestartStateTest : public ::testing::Test {
 protected:
  std::unique_ptr<RestartState> start(RestartSettings settings) const {
    settings.folder = folder_.path();
    settings.instance = "gw";
    auto state = RestartState::open(settings);
    EXPECT_TRUE(state.ok()) << state.error().text();
    return state ? std::move(*state) : nullptr;
  }
  std::unique_ptr<RestartState> start() const { return start(RestartSettings{}); }

  // A process that knows backends "a" and "b" and has one flow of "b" in the table of worker 0.
  void leave_a_flow(std::uint32_t workers = 1) const {
    auto state = start({.workers = workers});
    auto table = state->table(0, kBytes, -1, 5000);
    ASSERT_TRUE(table.ok()) << table.error().text();
    IndexPool pool(100);
    static_cast<void>(pool.claim("a"));
    ASSERT_EQ(pool.claim("b"), kBackend);
    pool.commit();
    state->keep(pool);
    (*table).flows.insert(kDigest, kBackend, PacketKind::kSyn, kIdle);
    (*table).flows.find_and_refresh(kDigest, PacketKind::kAck, kIdle);
  }
  std::string origin(RestartState& state, std::size_t bytes = kBytes, Tick now = 5010) const {
    auto table = state.table(0, bytes, -1, now);
    EXPECT_TRUE(table.ok());
    if (!table) return table.error().text();
    const bool known = (*table).flows.find(kDigest) == kBackend;
    EXPECT_EQ(known, (*table).origin == "taken over");
    return (*table).origin;
  }

  KeptFolder folder_;
};

TEST_F(RestartStateTest, FlowsAndTheMeaningOfTheirBackendsAreFoundAgain) {
  leave_a_flow();
  auto state = start();
  EXPECT_EQ(origin(*state), "taken over");
  ASSERT_EQ(state->names().size(), 2U);
  for (const NamedIndex& n : state->names()) EXPECT_EQ(n.index, n.name == "b" ? kBackend : 0U);
}

TEST_F(RestartStateTest, TheFirstStartIsNew) {
  auto state = start();
  EXPECT_EQ(origin(*state), "new");
  EXPECT_TRUE(state->names().empty());
}

TEST_F(RestartStateTest, ForgetsWhenTold) {
  leave_a_flow();
  EXPECT_EQ(origin(*start({.forget = true})), "new");
  auto next = start();
  auto table = next->table(0, kBytes, -1, 5020);
  ASSERT_TRUE(table.ok());
  EXPECT_EQ((*table).origin, "taken over") << "what the forgetful one left";
  EXPECT_EQ((*table).flows.find(kDigest), kNoBackend);
}

TEST_F(RestartStateTest, AnotherNumberOfWorkersTakesNothingOver) {
  leave_a_flow(2);
  EXPECT_EQ(origin(*start({.workers = 3})), "the flows are spread over 2 workers, now there are 3");
  EXPECT_FALSE(std::filesystem::exists(folder_.file("gw.flows.1")));
}

TEST_F(RestartStateTest, AnotherSizeIsRefusedAndReplaced) {
  leave_a_flow();
  auto state = start();
  EXPECT_EQ(origin(*state, FlowTable::required_bytes(2 * kFlows)),
            "it was made for another number of flows (--flows)");
  EXPECT_EQ(std::filesystem::file_size(folder_.file("gw.flows.0")) / 4096,
            (FlowTable::required_bytes(2 * kFlows) + 4095) / 4096);
}

TEST_F(RestartStateTest, AnUnknownLayoutIsRefusedWithBothVersions) {
  leave_a_flow();
  flip_byte(folder_.file("gw.flows.0"), offsetof(FlowTableHeader, layout_version));
  EXPECT_EQ(origin(*start()), "cannot take over the flow table: it has layout version " +
                                  std::to_string(kLayoutVersion ^ 0x40) + ", this program writes " +
                                  std::to_string(kLayoutVersion));
}

TEST_F(RestartStateTest, ADamagedRegisterMakesTheEntriesMeaningless) {
  leave_a_flow();
  flip_byte(folder_.file("gw.backends"), 60);
  EXPECT_EQ(origin(*start()), "the register of backends is damaged");
}

TEST_F(RestartStateTest, AMissingRegisterMakesTheEntriesMeaningless) {
  leave_a_flow();
  std::filesystem::remove(folder_.file("gw.backends"));
  EXPECT_EQ(origin(*start()), "new");
}

TEST_F(RestartStateTest, ATableOfAnotherRegisterIsRefused) {
  leave_a_flow();
  std::filesystem::copy_file(folder_.file("gw.flows.0"), folder_.file("kept"));
  static_cast<void>(start({.forget = true}));
  std::filesystem::rename(folder_.file("kept"), folder_.file("gw.flows.0"));
  EXPECT_NE(origin(*start()).find("another hash key or configuration"), std::string::npos);
}

TEST_F(RestartStateTest, ATableFromAfterNowIsRefused) {
  leave_a_flow();
  EXPECT_NE(origin(*start(), kBytes, 4000).find("its clock is ahead of ours"), std::string::npos);
}

TEST_F(RestartStateTest, OneRefusedTableDoesNotCostTheOthers) {
  leave_a_flow(2);
  auto state = start({.workers = 2});
  auto second = state->table(1, kBytes, -1, 5010);
  ASSERT_TRUE(second.ok());
  EXPECT_EQ((*second).origin, "new");
  EXPECT_EQ(origin(*state), "taken over");
}

TEST_F(RestartStateTest, OnlyNewNamesWriteTheRegisterAnew) {
  auto state = start();
  IndexPool pool(100);
  static_cast<void>(pool.claim("a"));
  pool.commit();
  state->keep(pool);
  const auto inode = [&] {
    struct stat info {};
    stat(folder_.file("gw.backends").c_str(), &info);
    return info.st_ino;
  };
  // A reader that holds the file keeps its inode from being used again.
  const std::ifstream reader(folder_.file("gw.backends"));
  const auto before = inode();
  static_cast<void>(pool.claim("a"));
  pool.commit();
  state->keep(pool);
  EXPECT_EQ(inode(), before);
  static_cast<void>(pool.claim("b"));
  pool.commit();
  state->keep(pool);
  EXPECT_NE(inode(), before);
}

TEST_F(RestartStateTest, ARegisterThatCannotBeWrittenCostsTheFlowsOfTheNextProcessOnly) {
  {
    auto state = start();
    static_cast<void>(origin(*state));
    std::filesystem::create_directories(folder_.file("gw.backends.new") + "/x");
    IndexPool pool(100);
    static_cast<void>(pool.claim("a"));
    pool.commit();
    state->keep(pool);
    std::filesystem::remove_all(folder_.file("gw.backends.new"));
  }
  EXPECT_EQ(origin(*start()), "new");
}

TEST_F(RestartStateTest, ASecondProcessIsKeptOff) {
  auto state = start();
  const auto second = RestartState::open({.folder = folder_.path(), .instance = "gw"});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().code, ErrorCode::kAlreadyExists);
}

}  // namespace
}  // namespace penstock
