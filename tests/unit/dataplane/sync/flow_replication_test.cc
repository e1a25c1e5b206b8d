// From one gateway's flow table into another's table of foreign flows, over the snapshots of both.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "dataplane/config/compiler.h"
#include "dataplane/config/document.h"
#include "dataplane/sync/flow_record.h"
#include "dataplane/sync/flow_sink.h"
#include "dataplane/sync/flow_source.h"
#include "penstock/proto/config.pb.h"
#include "tests/unit/dataplane/sync/seeded.h"

namespace penstock {
namespace {

constexpr Nanoseconds kQuarter = Nanoseconds::from_millis(250);

proto::Service service(const std::string& id, int number, proto::Encap encap, proto::Protocol protocol,
                       const std::vector<std::string>& backends) {
  proto::Service out;
  out.set_id(id);
  out.set_vip("203.0.113." + std::to_string(number));
  out.set_protocol(protocol);
  out.set_port(80);
  out.set_encap(encap);
  for (const auto& backend : backends) {
    auto& b = *out.add_backends();
    b.set_id(backend);
    b.set_address("192.0.2." + backend.substr(2));
    b.set_weight(1);
  }
  return out;
}

/// A gateway's flow table, configuration and replication of flows, with a scan every 250 ms.
class Gateway {
 public:
  Gateway()
      : bytes_(kHeaderBytes + FlowSource::kLeastBuckets * sizeof(FlowBucket)),
        memory_(static_cast<std::byte*>(std::aligned_alloc(4096, (bytes_ + 4095) / 4096 * 4096)), &std::free),
        table(std::move(FlowTable::create({memory_.get(), bytes_}, 1, 1)).value()),
        census(1000),
        source(
            {&table}, [this](const auto& read) { read(*snapshot); }, names, &census),
        sink(
            foreign, [this](const auto& read) { read(*snapshot); }, names) {}

  void configure(std::uint64_t generation, const std::vector<proto::Service>& services) {
    proto::DataplaneConfig config;
    config.set_epoch(1);
    config.set_generation(generation);
    config.set_hash_key(std::string(32, 'k'));
    for (const auto& s : services) *config.add_services() = s;
    auto validation = validate(config);
    for (const auto& problem : validation.problems) ADD_FAILURE() << problem.text();
    auto compiled = compiler.compile(validation.document, {}, now, nullptr);
    ASSERT_TRUE(compiled.ok());
    snapshot = std::move(compiled).value();
  }
  BackendIndex backend(const std::string& service_id, const std::string& id) {
    for (const auto& s : snapshot->services()) {
      for (std::size_t i = 0; s->document.id == service_id && i < s->backends.size(); ++i) {
        if (s->document.backends[i].id == id) return s->backends[i];
      }
    }
    return kNoBackend;
  }
  const ServiceRecord& record(const std::string& service_id) {
    for (const auto& s : snapshot->services()) {
      if (s->document.id == service_id) return snapshot->service(s->index);
    }
    std::abort();
  }
  void confirm(std::uint64_t digest, BackendIndex index, bool udp = false) {
    const IdleTicks idle = IdleTicks::from_seconds(10, 900, 30, 60);
    table.insert(digest, index, udp ? PacketKind::kUdp : PacketKind::kSyn, idle);
    table.find_and_refresh(digest, udp ? PacketKind::kUdp : PacketKind::kAck, idle);
  }
  std::map<std::uint64_t, ToldFlow> scan() {
    now = now + kQuarter;
    std::map<std::uint64_t, ToldFlow> told;
    source.collect(now, [&](const SyncRecord& record) { told[record.key] = ToldFlow::read(record).value(); });
    return told;
  }
  std::map<std::uint64_t, ToldFlow> scan_for_a_second() {
    for (int i = 0; i < 4; ++i) scan();
    return scan();
  }

 private:
  std::size_t bytes_;
  std::unique_ptr<std::byte, decltype(&std::free)> memory_;

 public:
  Nanoseconds now = Nanoseconds::from_seconds(10);
  FlowTable table;
  Compiler compiler;
  std::unique_ptr<const Snapshot> snapshot = std::make_unique<const Snapshot>();
  BackendNames names;
  FlowCensus census;
  FlowSource source;
  ForeignFlows foreign{10'000};
  FlowSink sink;
};

TEST(FlowSource, TellsOfFlowsOlderThanASecondWithTheirWholeDigests) {
  std::mt19937_64 random(random_seed());
  Gateway gateway;
  gateway.configure(1, {service("web", 1, proto::IPIP, proto::TCP, {"be1", "be2"})});
  std::vector<std::uint64_t> digests(5000);
  for (auto& digest : digests) {
    digest = random();
    gateway.confirm(digest, gateway.backend("web", "be1"));
  }
  for (int i = 0; i < 4; ++i) {
    const auto young = gateway.scan();
    EXPECT_LT(young.size(), 200U) << "before a second, but for the filter's mistakes";
  }
  const auto told = gateway.scan();
  ASSERT_EQ(told.size(), digests.size());
  for (const auto digest : digests) {
    ASSERT_TRUE(told.contains(digest));
    EXPECT_EQ(told.at(digest).idle_seconds, 900U);
  }
  gateway.table.erase(digests[0]);
  EXPECT_EQ(gateway.scan().size(), digests.size() - 1);
}

TEST(FlowSource, UnconfirmedFlowsAndThoseOfUnknownBackendsAreNotTold) {
  Gateway gateway;
  gateway.configure(1, {service("web", 1, proto::IPIP, proto::TCP, {"be1"})});
  const IdleTicks idle = IdleTicks::from_seconds(10, 900, 30, 60);
  gateway.table.insert(1'000'000'007, gateway.backend("web", "be1"), PacketKind::kSyn, idle);
  gateway.confirm(1'000'000'009, 77);
  EXPECT_TRUE(gateway.scan_for_a_second().empty());
}

TEST(FlowSource, OfServicesWithSecondChanceOnlyDeviatingFlowsAreTold) {
  std::mt19937_64 random(random_seed());
  Gateway gateway;
  gateway.configure(1, {service("gue", 1, proto::GUE, proto::TCP, {"be1", "be2", "be3", "be4", "be5"}),
                        service("udp", 2, proto::GUE, proto::UDP, {"be1", "be2"}),
                        service("vx", 3, proto::IPIP, proto::TCP, {"be1", "be2"})});
  const auto& record = gateway.record("gue");
  std::size_t at_owner = 0, elsewhere = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::uint64_t digest = random();
    const BackendIndex owner = record.backends[*record.slot(digest)];
    const bool moved = i % 2 == 0;
    const BackendIndex index = gateway.backend("gue", "be" + std::to_string(1 + random() % 5));
    gateway.confirm(digest, moved ? index : owner);
    (!moved || index == owner ? at_owner : elsewhere) += 1;
  }
  const auto told = gateway.scan_for_a_second();
  EXPECT_LE(told.size(), elsewhere) << "some of them may be saved by other candidates";
  EXPECT_GT(told.size(), elsewhere / 4);
  for (const auto& [digest, flow] : told) {
    EXPECT_NE(gateway.names.index_of(flow.backend), record.backends[*record.slot(digest)]);
  }
  gateway.confirm(11, gateway.backend("udp", "be1"), true);
  gateway.confirm(12, gateway.backend("vx", "be1"));
  const auto more = gateway.scan_for_a_second();
  EXPECT_EQ(more.size(), told.size() + 2);
  EXPECT_EQ(more.at(11).idle_seconds, gateway.snapshot->services()[0]->document.idle.udp);
  EXPECT_EQ(gateway.census.flows(gateway.backend("udp", "be1")), 1U);
}

TEST(FlowSink, KnowsBackendsByNameWhateverTheirIndexesAre) {
  Gateway one, two;
  const auto web = service("web", 1, proto::IPIP, proto::TCP, {"be1", "be2", "be3"});
  const auto dns = service("dns", 2, proto::IPIP, proto::UDP, {"be1", "be4"});
  one.configure(1, {web, dns});
  two.configure(9, {dns});
  two.configure(10, {dns, web});
  ASSERT_NE(one.backend("web", "be3"), two.backend("web", "be3"));
  one.confirm(1234, one.backend("web", "be3"));
  one.confirm(1235, one.backend("dns", "be4"), true);
  two.sink.tick(two.now);
  for (const auto& [digest, flow] : one.scan_for_a_second())
    EXPECT_TRUE(two.sink.put(flow.record(), 1, two.now));
  EXPECT_EQ(two.foreign.find(1234), two.backend("web", "be3"));
  EXPECT_EQ(two.foreign.find(1235), two.backend("dns", "be4"));
  std::size_t listed = 0;
  two.sink.collect([&](const SyncRecord& record) {
    const ToldFlow flow = ToldFlow::read(record).value();
    EXPECT_EQ(
        flow.backend,
        one.names.of(flow.digest == 1234 ? one.backend("web", "be3") : one.backend("dns", "be4"))->name);
    EXPECT_NEAR(flow.idle_seconds, flow.digest == 1234 ? 900 : 60, 2);
    ++listed;
  });
  EXPECT_EQ(listed, 2U);
}

TEST(FlowSink, FlowsOfBackendsThatRunNowhereHereComeInWhenTheyDo) {
  Gateway one, two;
  const auto web = service("web", 1, proto::IPIP, proto::TCP, {"be1"});
  one.configure(1, {web});
  one.confirm(1234, one.backend("web", "be1"));
  const auto told = one.scan_for_a_second();
  two.configure(1, {service("dns", 2, proto::IPIP, proto::UDP, {"be1"})});
  two.sink.tick(two.now);
  EXPECT_FALSE(two.sink.put(told.at(1234).record(), 1, two.now));
  two.configure(2, {web});
  EXPECT_TRUE(two.sink.tick(two.now)) << "asks for all that peers tell";
  EXPECT_FALSE(two.sink.tick(two.now));
  EXPECT_TRUE(two.sink.put(told.at(1234).record(), 1, two.now));
  EXPECT_EQ(two.foreign.find(1234), two.backend("web", "be1"));
}

TEST(FlowSink, AnIndexThatAnotherBackendGetsDoesNotInheritFlows) {
  Gateway one, two;
  const auto web = service("web", 1, proto::IPIP, proto::TCP, {"be1", "be2"});
  one.configure(1, {web});
  one.confirm(1234, one.backend("web", "be1"));
  one.confirm(1235, one.backend("web", "be2"));
  two.configure(1, {web});
  two.sink.tick(two.now);
  for (const auto& [digest, flow] : one.scan_for_a_second()) two.sink.put(flow.record(), 1, two.now);
  ASSERT_EQ(two.foreign.size(), 2U);
  two.configure(2, {service("web", 1, proto::IPIP, proto::TCP, {"be2", "be3"})});
  two.sink.tick(two.now);
  EXPECT_EQ(two.foreign.find(1234), kNoBackend);
  EXPECT_EQ(two.foreign.find(1235), two.backend("web", "be2"));
}

TEST(FlowSink, LeasesOutliveTheIdleTimeoutByTheRenewalAndNotByMore) {
  Gateway gateway;
  gateway.configure(1, {service("dns", 2, proto::IPIP, proto::UDP, {"be1"})});
  gateway.sink.tick(gateway.now);
  const std::uint64_t name = gateway.names.of(gateway.backend("dns", "be1"))->name;
  ASSERT_TRUE(gateway.sink.put(ToldFlow{1234, name, 60}.record(), 1, gateway.now));
  const auto run_to = [&](std::uint64_t seconds) {
    for (int i = 0; i < 12; ++i) gateway.sink.tick(gateway.now + Nanoseconds::from_seconds(seconds));
  };
  run_to(60 + FlowSink::kRenewalSeconds - 1);
  EXPECT_EQ(gateway.foreign.size(), 1U);
  run_to(60 + FlowSink::kRenewalSeconds + 2);
  EXPECT_EQ(gateway.foreign.size(), 0U);
}

}  // namespace
}  // namespace penstock
