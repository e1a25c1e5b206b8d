#include "controlplane/store/sqlite_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "controlplane/store/desired.h"

namespace penstock {
namespace {

using testing::HasSubstr;

class SqliteStoreTest : public testing::Test {
 protected:
  SqliteStoreTest() {
    char name[] = "/tmp/penstock-store-XXXXXX";
    folder_ = mkdtemp(name);
    path_ = folder_ + "/sub/store.db";
  }
  ~SqliteStoreTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<SqliteStore> open() {
    auto store = SqliteStore::open(path_);
    EXPECT_TRUE(store) << store.error().text();
    return std::move(store).value();
  }
  std::string refusal() {
    const auto store = SqliteStore::open(path_);
    return store ? "opened" : store.error().message;
  }
  void sql(const std::string& statements) {
    sqlite3* db = nullptr;
    ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(db, statements.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
        << sqlite3_errmsg(db);
    sqlite3_close(db);
  }

  std::string folder_;
  std::string path_;
};

Change put(const std::string& id, std::uint16_t port, std::uint32_t weight = 1) {
  Service service;
  service.id = id;
  service.key = {*IpAddr::parse("203.0.113.10"), kProtoTcp, port};
  service.backends = {Backend{"be1", *IpAddr::parse("10.0.31.2"), weight}};
  Change change;
  change.put_services.push_back(std::make_shared<const Service>(service));
  return change;
}

TEST_F(SqliteStoreTest, ANewStoreHasAnEpochASecretAndNothingElse) {
  const auto state = open()->load();
  ASSERT_TRUE(state) << state.error().text();
  EXPECT_GT(state->epoch, 0u);
  EXPECT_LT(state->epoch, std::uint64_t{1} << 53);
  EXPECT_EQ(state->generation, 0u);
  EXPECT_TRUE(state->services.empty());
  EXPECT_NE(state->hash_key, (std::array<std::uint8_t, 32>{}));
  path_ += "2";
  const auto other = open()->load();
  EXPECT_NE(state->epoch, other->epoch);
  EXPECT_NE(state->hash_key, other->hash_key);
}

TEST_F(SqliteStoreTest, NobodyElseMayReadTheFiles) {
  const auto store = open();
  ASSERT_TRUE(store->commit(0, put("web", 80)));
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) {
    struct stat info {};
    ASSERT_EQ(stat((path_ + suffix).c_str(), &info), 0) << suffix;
    EXPECT_EQ(info.st_mode & 0777, 0600u) << suffix;
  }
}

TEST_F(SqliteStoreTest, WhatWasCommittedIsThereAfterReopening) {
  std::uint64_t epoch = 0;
  {
    const auto store = open();
    epoch = store->load()->epoch;
    Change change = put("web", 80, 7);
    change.put_gateways = {{"gw1", false}, {"gw2", true}};
    ASSERT_EQ(*store->commit(0, change), 1u);
    change = put("dns", 53);
    change.delete_services = {"web"};
    change.delete_gateways = {"gw2"};
    ASSERT_EQ(*store->commit(1, change), 2u);
  }
  const auto state = open()->load();
  ASSERT_TRUE(state) << state.error().text();
  EXPECT_EQ(state->epoch, epoch);
  EXPECT_EQ(state->generation, 2u);
  ASSERT_EQ(state->services.size(), 1u);
  EXPECT_EQ(*state->services.at("dns"), *put("dns", 53).put_services[0]);
  EXPECT_EQ(state->gateways.size(), 1u);
  EXPECT_FALSE(state->gateways.at("gw1").announce);
}

TEST_F(SqliteStoreTest, PoliciesAndRequestsOfGatewaysAndDrainsAreThereAfterReopening) {
  Service service = *put("web", 80).put_services[0];
  service.backends[0].drain = true;
  service.backends[0].drain_deadline = 1'795'822'860;
  service.backends[0].drain_policy = DrainPolicy::kReset;
  GatewayPolicy policy{"gw1", false, 100, 10'000, BfdProfile::kNormal};
  policy.vips["203.0.113.10"] = {7, true, false};
  policy.drain_timeout_seconds = 45;
  policy.upgrade = {3, 60};
  Change change;
  change.put_services.push_back(std::make_shared<const Service>(service));
  change.put_gateways = {policy};
  ASSERT_TRUE(open()->commit(0, change));
  const auto state = open()->load();
  ASSERT_TRUE(state) << state.error().text();
  EXPECT_EQ(*state->services.at("web"), service);
  EXPECT_EQ(state->gateways.at("gw1"), policy);
}

TEST_F(SqliteStoreTest, DocumentsOfTheFirstReleaseAreReadWithTheirDefaults) {
  open().reset();
  sql(R"sql(UPDATE state SET generation = 9;
    INSERT INTO document VALUES('gateway', 'gw1', '{"announce":false,"id":"gw1"}');
    INSERT INTO document VALUES('service', 'web', '{"backends":[{"address":"10.0.31.2","drain":true,"id":"be1","weight":1}],"encap":"gue","id":"web","idle_timeouts":{"tcp_closing_seconds":30,"tcp_established_seconds":900,"tcp_syn_seconds":10,"udp_seconds":60},"port":80,"protocol":"tcp","table_size":0,"vip":"203.0.113.10"}');)sql");
  const auto state = open()->load();
  ASSERT_TRUE(state) << state.error().text();
  EXPECT_EQ(state->gateways.at("gw1"), (GatewayPolicy{"gw1", false}));
  const Service& web = *state->services.at("web");
  EXPECT_EQ(web.second_chance, SecondChance::kTcp);
  EXPECT_TRUE(web.backends[0].drain);
  EXPECT_EQ(web.backends[0].drain_deadline, 0u);
  EXPECT_FALSE(web.backends[0].maintenance);
  EXPECT_EQ(web.health, Health{});
}

TEST_F(SqliteStoreTest, HealthAndMaintenanceAreThereAfterReopening) {
  Service service = *put("web", 80).put_services[0];
  service.backends[0].maintenance = true;
  service.health.direct = DirectChecks::kAlways;
  service.health.all_down = AllDown::kReset;
  service.health.breaker.open_ms = 700;
  service.health.slow_start.exponent = 0.1;
  Check check;
  check.name = "front";
  check.type = CheckType::kHttp;
  check.headers["X-Role"] = "primary";
  check.statuses = {{200, 204}, {301, 301}};
  service.health.checks = {check};
  Change change;
  change.put_services.push_back(std::make_shared<const Service>(service));
  ASSERT_TRUE(open()->commit(0, change));
  const auto state = open()->load();
  ASSERT_TRUE(state) << state.error().text();
  EXPECT_EQ(*state->services.at("web"), service);
}

TEST_F(SqliteStoreTest, AStaleGenerationIsRefusedAndChangesNothing) {
  const auto store = open();
  ASSERT_TRUE(store->commit(0, put("web", 80)));
  const auto stale = store->commit(0, put("dns", 53));
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().code, ErrorCode::kFailedPrecondition);
  const auto state = store->load();
  EXPECT_EQ(state->generation, 1u);
  EXPECT_FALSE(state->services.contains("dns"));
}

TEST_F(SqliteStoreTest, ASecondOwnerIsRefusedUntilTheFirstIsGone) {
  auto first = open();
  const auto second = SqliteStore::open(path_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(second.error().message, HasSubstr("another penstock-controlplane has the store open"));
  first.reset();
  EXPECT_TRUE(SqliteStore::open(path_));
}

// The child acknowledges each write on a pipe after commit() returned; the parent kills it somewhere in the
// loop.
void write_until_killed(const std::string& path, int acknowledgements) {
  auto store = SqliteStore::open(path);
  if (!store) _exit(1);
  std::uint64_t generation = (*store)->load()->generation;
  for (;;) {
    const auto committed =
        (*store)->commit(generation, put("s" + std::to_string(generation % 20),
                                         static_cast<std::uint16_t>(generation % 20 + 1),
                                         static_cast<std::uint32_t>((generation + 1) % 1000)));
    if (!committed) _exit(2);
    generation = *committed;
    if (write(acknowledgements, &generation, sizeof generation) != sizeof generation) _exit(3);
  }
}

TEST_F(SqliteStoreTest, EveryAcknowledgedWriteSurvivesKill9) {
  const unsigned seed = std::random_device{}();
  RecordProperty("seed", std::to_string(seed));
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  std::uint64_t acknowledged = 0;
  for (int round = 0; round < 15; ++round) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) write_until_killed(path_, ends[1]);
    close(ends[1]);
    const int writes = std::uniform_int_distribution<>(1, 40)(random);
    for (int i = 0; i < writes; ++i) {
      std::uint64_t generation = 0;
      ASSERT_EQ(read(ends[0], &generation, sizeof generation), static_cast<ssize_t>(sizeof generation));
      acknowledged = generation;
    }
    usleep(std::uniform_int_distribution<useconds_t>(0, 3'000)(random));
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child failed: " << WEXITSTATUS(status);
    for (std::uint64_t more = 0; read(ends[0], &more, sizeof more) == sizeof more;) acknowledged = more;
    close(ends[0]);

    const auto state = open()->load();
    ASSERT_TRUE(state) << state.error().text();
    ASSERT_GE(state->generation, acknowledged) << "an acknowledged write was lost";
    ASSERT_LE(state->generation, acknowledged + 1) << "at most one write can be stored but unacknowledged";
    const std::uint64_t last = state->generation - 1;
    const auto& service = state->services.at("s" + std::to_string(last % 20));
    EXPECT_EQ(service->backends[0].weight, state->generation % 1000)
        << "documents and generation go together";
    acknowledged = state->generation;
  }
}

TEST_F(SqliteStoreTest, GarbageIsRefusedUnchanged) {
  std::filesystem::create_directories(folder_ + "/sub");
  const std::string garbage(8192, 'x');
  std::ofstream(path_) << garbage;
  chmod(path_.c_str(), 0644);
  EXPECT_THAT(refusal(), HasSubstr("is damaged or no SQLite file"));
  std::ifstream file(path_);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), garbage);
  struct stat info {};
  stat(path_.c_str(), &info);
  EXPECT_EQ(info.st_mode & 0777, 0644u) << "it is not our file";
}

TEST_F(SqliteStoreTest, AnotherProgramsDatabaseIsRefusedUnchanged) {
  std::filesystem::create_directories(folder_ + "/sub");
  sql("CREATE TABLE theirs(x)");
  EXPECT_THAT(refusal(), HasSubstr("is a database of another program: choose another --store"));
  EXPECT_FALSE(std::filesystem::exists(path_ + "-wal"));
}

TEST_F(SqliteStoreTest, ANewerSchemaIsRefused) {
  open();
  sql("UPDATE schema_version SET version = 99");
  const auto store = SqliteStore::open(path_);
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(store.error().message, HasSubstr("has schema 99, this Penstock knows up to 2"));
}

TEST_F(SqliteStoreTest, AFileDamagedInTheMiddleIsRefused) {
  {
    const auto store = open();
    for (std::uint64_t i = 0; i < 50; ++i) {
      ASSERT_TRUE(store->commit(i, put("s" + std::to_string(i), static_cast<std::uint16_t>(i + 1))));
    }
  }
  const int fd = ::open(path_.c_str(), O_RDWR);
  ASSERT_GE(fd, 0);
  const std::string noise(6000, '\x5a');
  ASSERT_EQ(pwrite(fd, noise.data(), noise.size(), 4096 * 3), static_cast<ssize_t>(noise.size()));
  close(fd);
  EXPECT_THAT(refusal(), HasSubstr("damaged"));
}

TEST_F(SqliteStoreTest, ALockedDatabaseSaysWhatToClose) {
  open();
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const auto store = open();
  const auto committed = store->commit(0, put("web", 80));
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(committed.error().message, HasSubstr("is locked by another program"));
  sqlite3_close(other);
  EXPECT_TRUE(store->commit(0, put("web", 80))) << "and goes on afterwards";
}

TEST_F(SqliteStoreTest, ADocumentOfAnOlderReleaseHasTheDefaultsOfWhatCameLater) {
  ASSERT_TRUE(open()->commit(0, put("web", 80)));
  // As it was written before there were forwarding modes.
  sql(R"(UPDATE document SET body='{"backends":[{"address":"10.0.31.2","drain":false,"id":"be1","weight":1}],
      "encap":"gue","id":"web","idle_timeouts":{"tcp_closing_seconds":30,"tcp_established_seconds":900,
      "tcp_syn_seconds":10,"udp_seconds":60},"port":80,"protocol":"tcp","table_size":0,"vip":"203.0.113.10"}')");
  const auto state = open()->load();
  ASSERT_TRUE(state) << state.error().text();
  EXPECT_EQ(*state->services.at("web"), *put("web", 80).put_services[0]);
}

TEST_F(SqliteStoreTest, AQuicKeyIsKept) {
  Service service = *put("web", 443).put_services[0];
  service.key.protocol = kProtoUdp;
  service.quic = {QuicConfig{2, 1, 4, QuicKey{1, 2, 3}}};
  service.backends[0].quic_server_id = {7};
  Change change;
  change.put_services.push_back(std::make_shared<const Service>(service));
  ASSERT_TRUE(open()->commit(0, change));
  const auto state = open()->load();
  ASSERT_TRUE(state) << state.error().text();
  EXPECT_EQ(*state->services.at("web"), service);
}

TEST_F(SqliteStoreTest, WeightPoliciesAreThereAfterReopeningAndWhatNamesThem) {
  const WeightPolicy thrifty{.id = "thrifty",
                             .kind = WeightPolicyKind::kCustom,
                             .coefficients = {0.1, 1, 2, 0},
                             .max_share = 0.5,
                             .min_awake = 2};
  Change change = put("web", 80);
  Service service = *change.put_services[0];
  service.policy = "thrifty";
  service.workload = {WorkloadClass::kBatch, 2, 50};
  service.preference = {"a", true, {{"disk", "nvme"}}};
  service.backends[0].weight_override = 0;
  change.put_services = {std::make_shared<const Service>(service)};
  change.put_policies = {thrifty, {.id = "night", .kind = WeightPolicyKind::kEnergy}};
  ASSERT_TRUE(open()->commit(0, change));
  Change gone;
  gone.delete_policies = {"night"};
  ASSERT_TRUE(open()->commit(1, gone));
  const auto state = open()->load();
  ASSERT_TRUE(state) << state.error().text();
  EXPECT_EQ(state->policies, (decltype(state->policies){{"thrifty", thrifty}}));
  EXPECT_EQ(*state->services.at("web"), service);
}

TEST_F(SqliteStoreTest, AServiceWhosePolicyIsGoneIsRefused) {
  Change change = put("web", 80);
  Service service = *change.put_services[0];
  service.policy = "thrifty";
  change.put_services = {std::make_shared<const Service>(service)};
  ASSERT_TRUE(open()->commit(0, change));
  const auto state = open()->load();
  ASSERT_FALSE(state);
  EXPECT_THAT(state.error().message, HasSubstr("services[0].policy: there is no policy 'thrifty'"));
}

TEST_F(SqliteStoreTest, AStoreOfTheFirstSchemaKeepsAllItHasAndTakesPolicies) {
  Change change = put("web", 80, 7);
  change.put_gateways = {{"gw1", false}};
  ASSERT_TRUE(open()->commit(0, change));
  sql(R"(CREATE TABLE first(
           kind TEXT NOT NULL CHECK(kind IN ('service', 'gateway')),
           id TEXT NOT NULL,
           body TEXT NOT NULL,
           PRIMARY KEY(kind, id)) WITHOUT ROWID;
         INSERT INTO first SELECT * FROM document;
         DROP TABLE document;
         ALTER TABLE first RENAME TO document;
         UPDATE schema_version SET version = 1;)");
  const auto store = open();
  const auto before = store->load();
  ASSERT_TRUE(before) << before.error().text();
  EXPECT_EQ(before->generation, 1u);
  EXPECT_EQ(*before->services.at("web"), *change.put_services[0]);
  EXPECT_EQ(before->services.at("web")->policy, "static");
  EXPECT_FALSE(before->gateways.at("gw1").announce);
  Change more;
  more.put_policies = {{.id = "night", .kind = WeightPolicyKind::kEnergy}};
  ASSERT_EQ(*store->commit(1, more), 2u);
  EXPECT_TRUE(store->load()->policies.contains("night"));
}

TEST_F(SqliteStoreTest, AnEditedDocumentIsRefusedWithItsField) {
  ASSERT_TRUE(open()->commit(0, put("web", 80)));
  sql("UPDATE document SET body = json_set(body, '$.port', 0)");
  const auto state = open()->load();
  ASSERT_FALSE(state);
  EXPECT_THAT(state.error().message, HasSubstr("unreadable service 'web' (port: must be 1–65535)"));
}

TEST_F(SqliteStoreTest, DesiredTellsItsListenerAfterEachDurableWriteAndOfNoFailedOne) {
  std::vector<std::uint64_t> heard;
  auto desired = Desired::load(open(), [&](const DesiredSnapshot& s) { heard.push_back(s->generation); });
  ASSERT_TRUE(desired);
  ASSERT_TRUE((*desired)->write(put("web", 80)));
  sql("UPDATE state SET generation = 9");
  EXPECT_FALSE((*desired)->write(put("dns", 53)));
  EXPECT_EQ((*desired)->now()->generation, 1u);
  EXPECT_FALSE((*desired)->now()->services.contains("dns"));
  EXPECT_EQ(heard, (std::vector<std::uint64_t>{0, 1}));
}

}  // namespace
}  // namespace penstock
