#include "dataplane/config/compiler.h"

#include <gtest/gtest.h>

#include <set>

#include "dataplane/config/publisher.h"

namespace penstock {
namespace {

IpAddr ip(const std::string& text) { return IpAddr::parse(text).value(); }

ServiceDocument service(const std::string& id, std::uint16_t port, int backends) {
  ServiceDocument out;
  out.id = id;
  out.key = {ip("203.0.113.10"), kProtoTcp, port};
  for (int i = 1; i <= backends; ++i) {
    out.backends.push_back(
        {"be" + std::to_string(i), ip("10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250))});
  }
  out.table_size = choose_table_size(out.backends.size());
  return out;
}

NextHop hop(std::uint8_t last_mac_byte) {
  return {{{2, 0, 0, 0, 0, 1}}, {{2, 0, 0, 0, 0, last_mac_byte}}, ip("192.0.2.1"), 1, 1500};
}

class CompilerTest : public testing::Test {
 protected:
  std::unique_ptr<const Snapshot> compile() {
    auto out = compiler.compile(document, next_hops, now);
    EXPECT_TRUE(out.ok());
    return out ? std::move(*out) : nullptr;
  }
  static const CompiledService& get(const Snapshot& s, const std::string& id) {
    for (const auto& each : s.services()) {
      if (each->document.id == id) return *each;
    }
    throw std::runtime_error("no service " + id);
  }

  Compiler compiler;
  Document document{.epoch = 1, .generation = 1, .hash_key = {}, .services = {}};
  NextHops next_hops;
  Nanoseconds now = Nanoseconds::from_seconds(100);
};

TEST_F(CompilerTest, ClassifierKnowsExactlyTheServices) {
  document.services = {service("a", 80, 1), service("b", 81, 1), service("six", 80, 1)};
  document.services[2].key.vip = ip("2001:db8::10");
  document.services[2].key.protocol = kProtoUdp;
  const auto s = compile();
  const VipClassifier& c = s->classifier();
  std::uint32_t vip;
  std::memcpy(&vip, ip("203.0.113.10").data(), 4);
  const IpAddr six = ip("2001:db8::10");
  EXPECT_EQ(c.find_v4(vip, be16(80).raw(), kProtoTcp), get(*s, "a").index);
  EXPECT_EQ(c.find_v4(vip, be16(81).raw(), kProtoTcp), get(*s, "b").index);
  EXPECT_EQ(c.find_v4(vip, be16(82).raw(), kProtoTcp), kNoServiceIndex);
  EXPECT_EQ(c.find_v4(vip, be16(80).raw(), kProtoUdp), kNoServiceIndex);
  EXPECT_EQ(c.find_v6(six.data(), be16(80).raw(), kProtoUdp), get(*s, "six").index);
  EXPECT_EQ(c.find_v6(six.data(), be16(80).raw(), kProtoTcp), kNoServiceIndex);
  EXPECT_TRUE(c.may_be_vip_v4(vip) && c.is_vip_v4(vip) && c.may_be_vip_v6(six.data()) &&
              c.is_vip_v6(six.data()));
  EXPECT_FALSE(c.is_vip_v4(vip + 1));
}

TEST(VipClassifierTest, FindsTenThousandServicesAndLetsFewStrangersPassTheFilter) {
  std::vector<VipClassifier::Entry> entries;
  const auto v4 = [](std::uint32_t n) {
    return IpAddr(Ipv4Addr{{203, 0, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)}});
  };
  for (std::uint32_t i = 0; i < 5000; ++i) {
    Ipv6Addr six{{0x20, 1, 0xd, 0xb8}};
    six.bytes[14] = static_cast<std::uint8_t>(i >> 8);
    six.bytes[15] = static_cast<std::uint8_t>(i);
    entries.push_back({{v4(i), kProtoTcp, 443}, i});
    entries.push_back({{IpAddr(six), kProtoUdp, static_cast<std::uint16_t>(i + 1)}, 5000 + i});
  }
  const VipClassifier c(entries);
  for (const auto& entry : entries) {
    const std::uint16_t port = be16(entry.key.port).raw();
    std::uint32_t raw;
    std::memcpy(&raw, entry.key.vip.data(), 4);
    if (entry.key.vip.is_v4()) {
      ASSERT_TRUE(c.may_be_vip_v4(raw));
      ASSERT_EQ(c.find_v4(raw, port, kProtoTcp), entry.service);
      ASSERT_EQ(c.find_v4(raw, port, kProtoUdp), kNoServiceIndex);
    } else {
      ASSERT_TRUE(c.may_be_vip_v6(entry.key.vip.data()));
      ASSERT_EQ(c.find_v6(entry.key.vip.data(), port, kProtoUdp), entry.service);
    }
  }
  int passed = 0;
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    std::uint32_t stranger;
    std::memcpy(&stranger, v4(i % 65536).data(), 4);
    stranger ^= (i / 65536 + 1) << 8;  // another second byte than the VIPs'
    passed += c.may_be_vip_v4(stranger);
    ASSERT_FALSE(c.is_vip_v4(stranger));
  }
  EXPECT_LT(passed, 10'000);
}

// What operators really configure: one VIP with many neighbouring ports, many neighbouring VIPs with one
// port.
TEST(VipClassifierTest, NeighbouringPortsAndAddressesDoNotPileUp) {
  for (const bool v6 : {false, true}) {
    std::vector<VipClassifier::Entry> ports;
    std::vector<VipClassifier::Entry> addresses;
    for (std::uint32_t i = 0; i < 5000; ++i) {
      Ipv6Addr six{{0x20, 1, 0xd, 0xb8}};
      six.bytes[14] = static_cast<std::uint8_t>(i >> 8);
      six.bytes[15] = static_cast<std::uint8_t>(i);
      const Ipv4Addr four{{203, 0, static_cast<std::uint8_t>(i >> 8), static_cast<std::uint8_t>(i)}};
      const IpAddr address = v6 ? IpAddr(six) : IpAddr(four);
      addresses.push_back({{address, kProtoTcp, 443}, i});
      ports.push_back(
          {{v6 ? ip("2001:db8::10") : ip("203.0.113.10"), kProtoTcp, static_cast<std::uint16_t>(8000 + i)},
           i});
    }
    EXPECT_LT(VipClassifier(ports).longest_probe(), 32U) << (v6 ? "IPv6" : "IPv4");
    EXPECT_LT(VipClassifier(addresses).longest_probe(), 32U) << (v6 ? "IPv6" : "IPv4");
  }
}

TEST_F(CompilerTest, SharesTheTablesOfServicesThatDidNotChange) {
  document.services = {service("a", 80, 10), service("b", 81, 10)};
  const auto before = compile();
  document.services[0].backends[3].weight = 7;
  const auto after = compile();
  EXPECT_EQ(get(*before, "b").table, get(*after, "b").table);
  EXPECT_NE(get(*before, "a").table, get(*after, "a").table);
  EXPECT_EQ(get(*before, "a").base, get(*after, "a").base);
  EXPECT_EQ(&before->backend(0), &after->backend(0)) << "a weight is no reason to copy the records";
}

TEST_F(CompilerTest, ServicesWithTheSameBackendsShareATable) {
  document.services = {service("a", 80, 10), service("b", 81, 10), service("c", 82, 9)};
  const auto snapshot = compile();
  EXPECT_EQ(get(*snapshot, "a").table, get(*snapshot, "b").table);
  EXPECT_NE(get(*snapshot, "a").backends, get(*snapshot, "b").backends) << "flow entries tell services apart";
  EXPECT_NE(get(*snapshot, "a").table, get(*snapshot, "c").table);
}

TEST_F(CompilerTest, TakesTheCallersWordForServicesThatWereNotTouched) {
  document.services = {service("a", 80, 10), service("b", 81, 10)};
  const auto before = compile();
  document.services[0].backends[3].weight = 7;
  document.services[1].backends[3].weight = 7;
  const Compiler::Touched touched{.services = {"b"}};
  const auto after = compiler.compile(document, next_hops, now, &touched).value();
  EXPECT_EQ(get(*before, "a").table, get(*after, "a").table);
  EXPECT_NE(get(*before, "b").table, get(*after, "b").table);
}

TEST_F(CompilerTest, HealthAndMaintenanceLeaveTablesSlotsAndIndexesAlone) {
  document.services = {service("a", 80, 50)};
  const auto before = compile();
  document.services[0].health.hold_ms = 77;
  document.services[0].backends[3].maintenance = true;
  const auto after = compile();
  EXPECT_EQ(get(*after, "a").document.health.hold_ms, 77U);
  EXPECT_EQ(get(*before, "a").base, get(*after, "a").base);
  EXPECT_EQ(get(*before, "a").table, get(*after, "a").table);
  EXPECT_EQ(get(*before, "a").backends, get(*after, "a").backends);
  EXPECT_EQ(&before->classifier(), &after->classifier());
  EXPECT_EQ(get(*after, "a").hops.history, nullptr) << "no slot has changed hands";
}

TEST_F(CompilerTest, NextHopsReachTheRecordsAndLeaveTheTablesAlone) {
  document.services = {service("a", 80, 2)};
  const auto before = compile();
  EXPECT_FALSE(before->backend(get(*before, "a").backends[0]).next_hop_mac().has_value());
  next_hops[ip("10.0.0.1")] = hop(9);
  const auto after = compile();
  EXPECT_EQ(after->backend(get(*after, "a").backends[0]).next_hop_mac()->text(), "02:00:00:00:00:09");
  EXPECT_FALSE(after->backend(get(*after, "a").backends[1]).next_hop_mac().has_value());
  EXPECT_FALSE(before->backend(get(*before, "a").backends[0]).next_hop_mac().has_value())
      << "snapshots never change";
  EXPECT_EQ(get(*before, "a").table, get(*after, "a").table);
  next_hops[ip("10.0.0.1")] = hop(8);
  EXPECT_EQ(compile()->backend(get(*after, "a").backends[0]).next_hop_mac()->text(), "02:00:00:00:00:08");
}

TEST_F(CompilerTest, NextHopOfTheWrongFamilyCountsAsUnresolved) {
  document.services = {service("a", 80, 1)};
  next_hops[ip("10.0.0.1")] = hop(9);
  next_hops[ip("10.0.0.1")].outer_source = ip("2001:db8::1");
  EXPECT_FALSE(compile()->backend(0).has(BackendRecord::kResolved));
}

TEST_F(CompilerTest, BackendKeepsItsIndexThroughEveryChangeOfTheOthers) {
  document.services = {service("a", 80, 5)};
  const BackendIndex third = get(*compile(), "a").backends[2];
  document.services[0].backends.erase(document.services[0].backends.begin());
  document.services[0].backends[1].weight = 9;
  document.services.push_back(service("b", 81, 5));
  const auto s = compile();
  EXPECT_EQ(get(*s, "a").backends[1], third);
  const auto place = s->find_backend(third);
  ASSERT_NE(place.service, nullptr);
  EXPECT_EQ(place.service->document.backends[place.position].id, "be3");
}

TEST_F(CompilerTest, NewAddressIsANewBackend) {
  document.services = {service("a", 80, 1)};
  const BackendIndex before = get(*compile(), "a").backends[0];
  document.services[0].backends[0].address = ip("10.9.9.9");
  const auto s = compile();
  EXPECT_NE(get(*s, "a").backends[0], before);
  EXPECT_FALSE(s->backend(before).has(BackendRecord::kLive));
  EXPECT_EQ(s->find_backend(before).service, nullptr);
}

TEST_F(CompilerTest, IndexOfARemovedBackendIsNotReusedBeforeItsFlowsHaveExpired) {
  document.services = {service("a", 80, 2)};
  document.services[0].idle.tcp_established = 3600;
  compile();
  document.services[0].idle.tcp_established = 60;  // entries of the hour-long past remain
  const BackendIndex removed = get(*compile(), "a").backends[1];
  document.services[0].backends.pop_back();
  compile();

  int fresh = 100;
  const auto replace = [&] {
    document.services[0].backends.resize(1);
    document.services[0].backends.push_back(
        {"be" + std::to_string(++fresh), ip("10.7.0." + std::to_string(fresh))});
    return get(*compile(), "a").backends[1];
  };
  now = now + Nanoseconds::from_seconds(3600);
  EXPECT_NE(replace(), removed);
  now = now + Nanoseconds::from_seconds(3600 / 15 + 2);
  EXPECT_EQ(replace(), removed);
}

TEST_F(CompilerTest, BackendThatComesBackWithinTheQuarantineGetsItsIndexBack) {
  document.services = {service("a", 80, 2)};
  const BackendIndex index = get(*compile(), "a").backends[1];
  const BackendDocument kept = document.services[0].backends[1];
  document.services[0].backends.pop_back();
  compile();
  document.services[0].backends.push_back(kept);
  const auto s = compile();
  EXPECT_EQ(get(*s, "a").backends[1], index);
  EXPECT_TRUE(s->fresh_backends().empty()) << "its counters go on";
}

TEST_F(CompilerTest, RemovedServiceLeavesNothingBehindAndItsIndexWaitsAGeneration) {
  document.services = {service("a", 80, 3), service("b", 81, 1)};
  const auto before = compile();
  const ServiceIndex index = get(*before, "a").index;
  document.services = {service("b", 81, 1), service("c", 82, 1)};
  const auto after = compile();
  EXPECT_NE(get(*after, "c").index, index);
  for (const BackendIndex b : get(*before, "a").backends)
    EXPECT_FALSE(after->backend(b).has(BackendRecord::kLive));
  document.services.push_back(service("d", 83, 1));
  EXPECT_EQ(get(*compile(), "d").index, index);
}

TEST_F(CompilerTest, RefusesMoreBackendsThanThereAreIndexesAndRecovers) {
  for (std::uint16_t i = 0; i < 27; ++i)
    document.services.push_back(service("s" + std::to_string(i), static_cast<std::uint16_t>(i + 1), 9999));
  for (auto& s : document.services) s.table_size = 10'007;
  const auto refused = compiler.compile(document, next_hops, now);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().field, "services[26].backends");
  EXPECT_NE(refused.error().message.find("262144"), std::string::npos);
  document.services = {service("a", 80, 3)};
  const auto s = compile();
  EXPECT_EQ(s->fresh_backends().size(), 3U);
  EXPECT_LT(get(*s, "a").backends[2], 3U) << "the refused document gave its indexes back";
}

TEST_F(CompilerTest, OrderOfServicesAndBackendsDoesNotMatter) {
  document.services = {service("a", 80, 50)};
  const auto one = compile();
  std::ranges::reverse(document.services[0].backends);
  const auto other = compile();
  const CompiledService& x = get(*one, "a");
  const CompiledService& y = get(*other, "a");
  for (std::uint32_t slot = 0; slot < x.table->size(); ++slot) {
    ASSERT_EQ(x.backends[x.table->owner(slot)], y.backends[y.table->owner(slot)]);
  }
}

// 2,000 random changes: no index is ever shared, and no index passes on while in quarantine.
TEST_F(CompilerTest, RandomChangesNeverConfuseIndexes) {
  std::map<BackendIndex, std::pair<std::string, Nanoseconds>> last_seen;
  document.services = {service("a", 80, 20), service("b", 81, 20)};
  document.services[0].idle.tcp_established = 120;
  std::uint32_t random = 12345;
  const auto next = [&](std::uint32_t bound) {
    return (random = random * 1664525 + 1013904223) / 65536 % bound;
  };
  for (int round = 0; round < 2000; ++round) {
    now = now + Nanoseconds::from_seconds(next(30));
    ServiceDocument& s = document.services[next(2)];
    if (next(2) == 0 && s.backends.size() > 1) {
      s.backends.erase(s.backends.begin() + next(static_cast<std::uint32_t>(s.backends.size())));
    } else if (const std::uint32_t n = 1 + next(60);
               std::ranges::none_of(s.backends, [&](auto& b) { return b.id == "be" + std::to_string(n); })) {
      s.backends.push_back({"be" + std::to_string(n), ip("10.0.0." + std::to_string(n))});
    }
    const auto snapshot = compile();
    std::set<BackendIndex> used;
    for (const auto& each : snapshot->services()) {
      for (std::size_t i = 0; i < each->backends.size(); ++i) {
        const BackendIndex index = each->backends[i];
        ASSERT_TRUE(used.insert(index).second);
        const std::string name = each->document.id + "/" + each->document.backends[i].id;
        const auto seen = last_seen.find(index);
        if (seen != last_seen.end() && seen->second.first != name) {
          ASSERT_GE(now, seen->second.second + Nanoseconds::from_seconds(120)) << name;
        }
        last_seen[index] = {name, now};
      }
    }
  }
}

TEST(PublisherTest, OldSnapshotLivesUntilTheReadersHaveLetGoAndNewOwnersStartAtZero) {
  struct Watch final : Quiescence {
    void synchronize() override {
      seen = &publisher->current();
      services_then = seen->services().size();
      before_services = before->services().size();  // still readable: AddressSanitizer would object
    }
    Publisher* publisher = nullptr;
    const Snapshot* before = nullptr;
    const Snapshot* seen = nullptr;
    std::size_t services_then = 0;
    std::size_t before_services = 99;
  } watch;
  LcoreCounters counters(8, 8);
  counters.backend(0).packets.add(5);
  counters.service(0).outcomes[0].add(5);
  Publisher publisher(watch, std::vector<LcoreCounters*>{&counters});
  watch.publisher = &publisher;
  watch.before = &publisher.current();

  Compiler compiler;
  Document document{.epoch = 1, .generation = 1, .hash_key = {}, .services = {service("a", 80, 2)}};
  publisher.publish(std::move(*compiler.compile(document, {}, Nanoseconds(1))));
  EXPECT_EQ(watch.services_then, 1U);
  EXPECT_EQ(watch.before_services, 0U);
  EXPECT_EQ(watch.seen, &publisher.current());
  EXPECT_EQ(counters.backend(0).packets.read(), 0U);
  EXPECT_EQ(counters.service(0).outcomes[0].read(), 0U);
}

}  // namespace
}  // namespace penstock
