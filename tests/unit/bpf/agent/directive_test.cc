// What the agent takes from the control plane and from its disk, without root.
#include "bpf/agent/directive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>

#include "penstock/proto/node.pb.h"

namespace penstock {
namespace {

using ::testing::HasSubstr;

proto::NodeDirective good() {
  proto::NodeDirective directive;
  directive.set_generation(7);
  for (const char* vip : {"203.0.113.10", "2001:db8:5::10"}) {
    auto* service = directive.add_services();
    service->set_vip(vip);
    service->set_protocol(proto::TCP);
    service->set_port(80);
    service->set_encap(proto::GUE);
  }
  return directive;
}

TEST(Directive, GoodOneYieldsServicesAndVips) {
  auto directive = good();
  *directive.add_services() = directive.services(0);
  directive.mutable_services(2)->set_protocol(proto::UDP);
  const auto services = validate(directive);
  ASSERT_TRUE(services.ok());
  EXPECT_EQ(services->generation, 7u);
  EXPECT_EQ(services->services.size(), 3u);
  EXPECT_EQ(services->vips().size(), 2u);
}

TEST(Directive, ProbeKeyAndSearchedUdpServicesAreTakenOver) {
  auto directive = good();
  directive.set_probe_key("0123456789abcdef");
  for (auto& service : *directive.mutable_services()) service.set_search_udp(true);
  directive.mutable_services(1)->set_protocol(proto::UDP);
  const auto services = validate(directive);
  ASSERT_TRUE(services.ok());
  ASSERT_TRUE(services->probe_key);
  EXPECT_EQ(std::string(services->probe_key->begin(), services->probe_key->end()), "0123456789abcdef");
  ASSERT_EQ(services->searched.size(), 1u) << "TCP flows are found in the socket tables";
  EXPECT_EQ(services->searched.begin()->text(), "udp [2001:db8:5::10]:80");
  EXPECT_FALSE(validate(good())->probe_key);
  directive.set_probe_key("too short");
  const auto refused = validate(directive);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().field, "probe_key");
}

TEST(Directive, PrefixesRangesAndWildcardsAreServices) {
  auto directive = good();
  directive.mutable_services(0)->set_vip("203.0.113.0/24");
  directive.mutable_services(0)->set_last_port(90);
  directive.mutable_services(1)->set_protocol(proto::ANY_PROTOCOL);
  directive.mutable_services(1)->set_port(0);
  directive.mutable_services(1)->set_encap(proto::L2DSR);
  const auto services = validate(directive);
  ASSERT_TRUE(services.ok()) << services.error().text();
  std::set<std::string> texts;
  for (const VipKey& key : services->services) texts.insert(key.text());
  EXPECT_EQ(texts, (std::set<std::string>{"tcp 203.0.113.0/24:80-90", "any [2001:db8:5::10]:*"}));
  EXPECT_TRUE(services->vips().contains(*parse_vip("203.0.113.0/24")));
}

TEST(Directive, EachMistakeIsNamedWithItsField) {
  struct Case {
    const char* field;
    std::function<void(proto::NodeService&)> spoil;
  };
  const Case cases[] = {
      {"services[1].vip", [](auto& s) { s.set_vip("no address"); }},
      {"services[1].vip", [](auto& s) { s.set_vip(""); }},
      {"services[1].vip", [](auto& s) { s.set_vip("203.0.113.1/24"); }},
      {"services[1].vip", [](auto& s) { s.set_vip("224.0.0.1"); }},
      {"services[1].vip", [](auto& s) { s.set_vip("127.0.0.1"); }},
      {"services[1].vip", [](auto& s) { s.set_vip("::1"); }},
      {"services[1].vip", [](auto& s) { s.set_vip("ff02::1"); }},
      {"services[1].vip", [](auto& s) { s.set_vip("203.0.113.10"); }},  // twice
      {"services[1].protocol", [](auto& s) { s.set_protocol(proto::PROTOCOL_UNSPECIFIED); }},
      {"services[1].protocol", [](auto& s) { s.set_protocol(static_cast<proto::Protocol>(47)); }},
      {"services[1].port", [](auto& s) { s.set_protocol(proto::ANY_PROTOCOL); }},
      {"services[1].last_port", [](auto& s) { s.set_last_port(80); }},
      {"services[1].last_port", [](auto& s) { s.set_last_port(65536); }},
      {"services[1].last_port", [](auto& s) { s.set_port(0), s.set_last_port(80); }},
      {"services[1].encap", [](auto& s) { s.set_encap(proto::NAT); }},
      {"services[1].port", [](auto& s) { s.set_port(65536); }},
      {"services[1].encap", [](auto& s) { s.set_encap(proto::ENCAP_UNSPECIFIED); }},
      {"services[1].encap", [](auto& s) { s.set_encap(static_cast<proto::Encap>(9)); }},
  };
  for (const Case& c : cases) {
    auto directive = good();
    c.spoil(*directive.mutable_services(1));
    SCOPED_TRACE(directive.ShortDebugString());
    const auto services = validate(directive);
    ASSERT_FALSE(services.ok());
    EXPECT_EQ(services.error().field, c.field);
  }
}

proto::NodeCheckTarget nat_target() {
  proto::NodeCheckTarget target;
  target.set_service("nat");
  target.set_address("10.9.0.2");
  target.set_protocol(proto::TCP);
  target.set_port(8080);
  target.add_checks()->set_name("tcp");
  target.mutable_checks(0)->set_kind(proto::Check::TCP_CONNECT);
  return target;
}

TEST(Directive, ChecksBelongToTheirServiceOrNatTarget) {
  auto directive = good();
  directive.mutable_services(1)->set_service("six");
  *directive.mutable_services(1)->add_checks() = nat_target().checks(0);
  *directive.add_nat_targets() = nat_target();
  const auto services = validate(directive);
  ASSERT_TRUE(services.ok()) << services.error().text();
  ASSERT_EQ(services->checks.size(), 2u);
  EXPECT_EQ(services->checks[0].of.key.text(), "tcp [2001:db8:5::10]:80");
  EXPECT_EQ(services->checks[0].of.service, "six");
  EXPECT_FALSE(services->checks[0].of.nat);
  EXPECT_EQ(services->checks[1].of.key.text(), "tcp 10.9.0.2:8080");
  EXPECT_EQ(services->checks[1].of.service, "nat");
  EXPECT_TRUE(services->checks[1].of.nat);
  EXPECT_EQ(services->services.size(), 2u) << "the packets of a NAT target are not ours";
  EXPECT_TRUE(services->refused().empty());
}

TEST(Directive, ACheckOfAnUnknownKindIsNamedAndNothingElseSuffers) {
  auto directive = good();
  *directive.mutable_services(0)->add_checks() = nat_target().checks(0);
  directive.mutable_services(0)->mutable_checks(0)->set_kind(static_cast<proto::Check::Kind>(50));
  const auto services = validate(directive);
  ASSERT_TRUE(services.ok()) << services.error().text();
  EXPECT_EQ(services->services.size(), 2u);
  ASSERT_EQ(services->refused().size(), 1u);
  EXPECT_EQ(services->refused()[0],
            "check 'tcp' of tcp 203.0.113.10:80 is not run: this agent does not know checks of kind 50");
}

TEST(Directive, ChecksBeyondWhatANodeRunsAreNamed) {
  proto::NodeDirective directive;
  for (std::uint32_t i = 0; i < 4098; ++i) {
    *directive.add_nat_targets() = nat_target();
    directive.mutable_nat_targets(static_cast<int>(i))->set_port(i + 1);
  }
  const auto services = validate(directive);
  ASSERT_TRUE(services.ok()) << services.error().text();
  EXPECT_EQ(services->refused().size(), 2u);
}

TEST(Directive, EachMistakeOfANatTargetIsNamedWithItsField) {
  struct Case {
    const char* field;
    std::function<void(proto::NodeCheckTarget&)> spoil;
  };
  const Case cases[] = {
      {"nat_targets[1].address", [](auto& t) { t.set_address("no address"); }},
      {"nat_targets[1].address", [](auto& t) { t.set_address("127.0.0.1"); }},
      {"nat_targets[1].address", [](auto& t) { t.set_port(8080); }},  // twice
      {"nat_targets[1].protocol", [](auto& t) { t.set_protocol(proto::ANY_PROTOCOL); }},
      {"nat_targets[1].port", [](auto& t) { t.set_port(65536); }},
      {"nat_targets[1].checks[0].port", [](auto& t) { t.set_port(0); }},
      {"nat_targets[1].check_hold_ms", [](auto& t) { t.set_check_hold_ms(3'600'001); }},
  };
  for (const Case& c : cases) {
    auto directive = good();
    *directive.add_nat_targets() = nat_target();
    *directive.add_nat_targets() = nat_target();
    directive.mutable_nat_targets(1)->set_port(8081);
    c.spoil(*directive.mutable_nat_targets(1));
    SCOPED_TRACE(directive.ShortDebugString());
    const auto services = validate(directive);
    ASSERT_FALSE(services.ok());
    EXPECT_EQ(services.error().field, c.field);
  }
}

TEST(Directive, AnotherCheckMakesAnotherDirective) {
  auto directive = good();
  *directive.add_nat_targets() = nat_target();
  const auto one = validate(directive);
  directive.mutable_nat_targets(0)->mutable_checks(0)->set_fall(7);
  const auto other = validate(directive);
  ASSERT_TRUE(one.ok() && other.ok());
  EXPECT_FALSE(*one == *other);
}

TEST(Directive, MoreServicesThanTheMapHoldsAreRefused) {
  proto::NodeDirective directive;
  for (std::uint32_t i = 0; i < 16385; ++i) {
    *directive.add_services() = good().services(0);
    directive.mutable_services(static_cast<int>(i))->set_port(i % 65535 + 1);
  }
  const auto services = validate(directive);
  ASSERT_FALSE(services.ok());
  EXPECT_EQ(services.error().field, "services");
}

class SavedDirective : public ::testing::Test {
 protected:
  SavedDirective() {
    char folder[] = "/tmp/penstock-directive-XXXXXX";
    folder_ = mkdtemp(folder);
    path_ = folder_ + "/be1.pb";
  }
  ~SavedDirective() override { std::filesystem::remove_all(folder_); }

  std::string read() const {
    std::ifstream file(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void write(const std::string& bytes) const { std::ofstream(path_, std::ios::binary) << bytes; }

  std::string folder_;
  std::string path_;
};

TEST_F(SavedDirective, ComesBackAsItWas) {
  auto directive = good();
  *directive.add_nat_targets() = nat_target();
  ASSERT_TRUE(save_directive(path_, directive).ok());
  const auto loaded = load_directive(path_);
  ASSERT_TRUE(loaded.ok());
  ASSERT_TRUE(loaded->has_value());
  EXPECT_EQ((*loaded)->generation, 7u);
  EXPECT_EQ(**loaded, *validate(directive)) << "checks included";
}

TEST_F(SavedDirective, IsReplacedWhole) {
  ASSERT_TRUE(save_directive(path_, good()).ok());
  proto::NodeDirective empty;
  empty.set_generation(8);
  ASSERT_TRUE(save_directive(path_, empty).ok());
  const auto loaded = load_directive(path_);
  ASSERT_TRUE(loaded.ok() && loaded->has_value());
  EXPECT_EQ((*loaded)->generation, 8u);
  EXPECT_TRUE((*loaded)->services.empty());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "no temporary file stays";
}

TEST_F(SavedDirective, MissingFileIsNoError) {
  const auto loaded = load_directive(path_);
  ASSERT_TRUE(loaded.ok());
  EXPECT_FALSE(loaded->has_value());
}

TEST_F(SavedDirective, EveryCutAndEveryFlippedBitIsNoticed) {
  ASSERT_TRUE(save_directive(path_, good()).ok());
  const std::string whole = read();
  for (std::size_t length = 0; length < whole.size(); ++length) {
    write(whole.substr(0, length));
    EXPECT_FALSE(load_directive(path_).ok()) << "cut at " << length;
  }
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    write(flipped);
    EXPECT_FALSE(load_directive(path_).ok()) << "bit " << bit;
  }
}

TEST_F(SavedDirective, UnwritableFolderIsNamed) {
  const auto saved = save_directive(folder_ + "/missing/be1.pb", good());
  ASSERT_FALSE(saved.ok());
  EXPECT_THAT(saved.error().text(), HasSubstr(folder_ + "/missing/be1.pb"));
}

}  // namespace
}  // namespace penstock
