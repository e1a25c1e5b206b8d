// From messages to checks: defaults, limits, and what is left aside.
#include "bpf/agent/checks/check_parser.h"

#include <gtest/gtest.h>

#include <functional>

#include "penstock/proto/config.pb.h"

namespace penstock {
namespace {

using Checks = google::protobuf::RepeatedPtrField<proto::Check>;

CheckOwner web() {
  return {{VipKey{IpAddr::parse("203.0.113.10").value(), kProtoTcp, 80, 0, 0}, false, "web"}, 0, 0};
}

proto::Check check(const std::string& name, proto::Check::Kind kind) {
  proto::Check out;
  out.set_name(name);
  out.set_kind(kind);
  if (kind == proto::Check::SCRIPT) out.set_script("probe.sh");
  return out;
}

Result<std::vector<CheckSpec>> parse(const std::vector<proto::Check>& in, const CheckOwner& owner = web()) {
  return parse_checks(Checks(in.begin(), in.end()), owner, "services[4].");
}

TEST(CheckParser, WhatIsLeftOutHasItsDefault) {
  const auto specs = parse({check("a", proto::Check::HTTP)});
  ASSERT_TRUE(specs.ok()) << specs.error().text();
  const CheckSpec& spec = specs->front();
  EXPECT_EQ(spec.kind, CheckKind::kHttp);
  EXPECT_EQ(spec.service, "web");
  EXPECT_EQ(spec.address.text(), "203.0.113.10");
  EXPECT_FALSE(spec.prefix);
  EXPECT_EQ(spec.port, 80);
  EXPECT_EQ(spec.path, "/");
  EXPECT_EQ(spec.method, "GET");
  EXPECT_EQ(spec.statuses, (std::vector<StatusRange>{{200, 299}}));
  EXPECT_EQ(spec.interval_ms, 1000u);
  EXPECT_EQ(spec.timeout_ms, 500u);
  EXPECT_EQ(spec.rise, 2u);
  EXPECT_EQ(spec.fall, 3u);
  EXPECT_EQ(spec.hold_ms, 2000u);
  EXPECT_EQ(spec.max_hold_ms, 60'000u);
}

TEST(CheckParser, WhatIsSaidIsTakenOver) {
  proto::Check in = check("a", proto::Check::HTTPS);
  in.set_port(8443);
  in.set_path("/healthz?deep=1");
  in.set_host("www.example:8443");
  in.set_method("HEAD");
  in.add_statuses()->set_first(204);
  in.mutable_statuses(0)->set_last(204);
  in.add_headers()->set_name("X-Role");
  in.mutable_headers(0)->set_value("primary");
  in.set_verify_tls(true);
  in.set_interval_ms(50);
  in.set_rise(1);
  in.set_fall(100);
  CheckOwner owner = web();
  owner.hold_ms = 90'000;
  const auto specs = parse({in}, owner);
  ASSERT_TRUE(specs.ok()) << specs.error().text();
  const CheckSpec& spec = specs->front();
  EXPECT_EQ(spec.port, 8443);
  EXPECT_EQ(spec.path, "/healthz?deep=1");
  EXPECT_EQ(spec.host, "www.example:8443");
  EXPECT_EQ(spec.method, "HEAD");
  EXPECT_EQ(spec.statuses, (std::vector<StatusRange>{{204, 204}}));
  EXPECT_EQ(spec.headers, (std::vector<ExpectedHeader>{{"X-Role", "primary"}}));
  EXPECT_TRUE(spec.verify_tls);
  EXPECT_EQ(spec.timeout_ms, 50u) << "no longer than the interval";
  EXPECT_EQ(spec.max_hold_ms, 90'000u) << "no shorter than the hold";
}

TEST(CheckParser, AnUnknownKindIsLeftAsideAlone) {
  proto::Check newer = check("new", static_cast<proto::Check::Kind>(77));
  newer.set_port(70'000);  // whatever its fields mean
  const auto specs = parse({check("tcp", proto::Check::TCP_CONNECT), newer});
  ASSERT_TRUE(specs.ok()) << specs.error().text();
  ASSERT_EQ(specs->size(), 2u);
  EXPECT_EQ((*specs)[0].kind, CheckKind::kTcp);
  EXPECT_EQ((*specs)[1].kind, CheckKind::kUnsupported);
  EXPECT_EQ((*specs)[1].problem, "this agent does not know checks of kind 77");
}

TEST(CheckParser, AServiceWithEveryPortSaysWhereToCheck) {
  CheckOwner every = web();
  every.of.key.port = 0;
  const auto refused = parse({check("a", proto::Check::TCP_CONNECT)}, every);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().field, "services[4].checks[0].port");
  EXPECT_TRUE(parse({check("a", proto::Check::SCRIPT)}, every).ok()) << "a script knows itself";
}

TEST(CheckParser, EachMistakeIsNamedWithItsField) {
  struct Case {
    const char* field;
    proto::Check::Kind kind;
    std::function<void(proto::Check&)> spoil;
  };
  using C = proto::Check;
  const std::string long_text(1025, 'x');
  const auto status = [](std::uint32_t first, std::uint32_t last) {
    return [=](C& c) {
      c.add_statuses()->set_first(first);
      c.mutable_statuses(0)->set_last(last);
    };
  };
  const Case cases[] = {
      {"name", C::TCP_CONNECT, [](C& c) { c.clear_name(); }},
      {"name", C::TCP_CONNECT, [](C& c) { c.set_name("Not An Id"); }},
      {"name", C::TCP_CONNECT, [](C& c) { c.set_name("first"); }},  // twice
      {"kind", C::KIND_UNSPECIFIED, [](C&) {}},
      {"port", C::TCP_CONNECT, [](C& c) { c.set_port(65'536); }},
      {"interval_ms", C::TCP_CONNECT, [](C& c) { c.set_interval_ms(49); }},
      {"interval_ms", C::TCP_CONNECT, [](C& c) { c.set_interval_ms(3'600'001); }},
      {"timeout_ms", C::TCP_CONNECT, [](C& c) { c.set_timeout_ms(9); }},
      {"timeout_ms", C::TCP_CONNECT, [](C& c) { c.set_timeout_ms(1001); }},
      {"timeout_ms", C::TCP_CONNECT, [](C& c) { c.set_interval_ms(3'600'000), c.set_timeout_ms(60'001); }},
      {"rise", C::TCP_CONNECT, [](C& c) { c.set_rise(101); }},
      {"fall", C::TCP_CONNECT, [](C& c) { c.set_fall(101); }},
      {"path", C::HTTP, [](C& c) { c.set_path("healthz"); }},
      {"path", C::HTTP, [](C& c) { c.set_path("/a b"); }},
      {"path", C::HTTP, [](C& c) { c.set_path("/\r\nX-Injected: 1"); }},
      {"path", C::HTTP, [&](C& c) { c.set_path("/" + long_text); }},
      {"host", C::HTTP, [](C& c) { c.set_host("a\r\nb"); }},
      {"host", C::GRPC, [&](C& c) { c.set_host(long_text); }},
      {"method", C::HTTP, [](C& c) { c.set_method("POST"); }},
      {"statuses[0]", C::HTTP, status(99, 200)},
      {"statuses[0]", C::HTTP, status(200, 600)},
      {"statuses[0]", C::HTTP, status(300, 200)},
      {"statuses", C::HTTP,
       [&](C& c) {
         for (int i = 0; i < 17; ++i) status(200, 200)(c);
       }},
      {"body_contains", C::HTTP, [&](C& c) { c.set_body_contains(long_text); }},
      {"body_contains", C::HTTP, [](C& c) { c.set_method("HEAD"), c.set_body_contains("x"); }},
      {"headers[0].name", C::HTTP, [](C& c) { c.add_headers()->set_name("a b"); }},
      {"headers[0].name", C::HTTP, [](C& c) { c.add_headers(); }},
      {"headers[0].value", C::HTTP,
       [](C& c) {
         c.add_headers()->set_name("a");
         c.mutable_headers(0)->set_value("x\ny");
       }},
      {"headers", C::HTTP,
       [](C& c) {
         for (int i = 0; i < 17; ++i) c.add_headers()->set_name("a");
       }},
      {"grpc_service", C::GRPC, [](C& c) { c.set_grpc_service("a b"); }},
      {"send", C::UDP_EXCHANGE, [](C& c) { c.set_send(std::string(513, 'x')); }},
      {"expect", C::UDP_EXCHANGE, [](C& c) { c.set_expect(std::string(513, 'x')); }},
      {"script", C::SCRIPT, [](C& c) { c.clear_script(); }},
      {"script", C::SCRIPT, [](C& c) { c.set_script("../evil"); }},
      {"script", C::SCRIPT, [](C& c) { c.set_script("/bin/sh"); }},
      {"script", C::SCRIPT, [](C& c) { c.set_script(".."); }},
      {"script", C::SCRIPT, [](C& c) { c.set_script("-x"); }},
      {"script", C::SCRIPT, [](C& c) { c.set_script(std::string("a\0b", 3)); }},
      {"script", C::SCRIPT, [](C& c) { c.set_script(std::string(256, 'x')); }},
  };
  for (const Case& c : cases) {
    proto::Check spoiled = check("second", c.kind);
    c.spoil(spoiled);
    SCOPED_TRACE(spoiled.ShortDebugString());
    const auto specs = parse({check("first", proto::Check::TCP_CONNECT), spoiled});
    ASSERT_FALSE(specs.ok());
    EXPECT_EQ(specs.error().field, std::string("services[4].checks[1].") + c.field);
  }
}

TEST(CheckParser, AServiceHasAtMostEightChecksAndAnHourOfHold) {
  std::vector<proto::Check> nine;
  for (int i = 0; i < 9; ++i) nine.push_back(check("c" + std::to_string(i), proto::Check::TCP_CONNECT));
  EXPECT_EQ(parse(nine).error().field, "services[4].checks");
  nine.pop_back();
  EXPECT_TRUE(parse(nine).ok());
  CheckOwner owner = web();
  owner.hold_ms = 3'600'001;
  EXPECT_EQ(parse(nine, owner).error().field, "services[4].check_hold_ms");
  owner = web();
  owner.max_hold_ms = 3'600'001;
  EXPECT_EQ(parse(nine, owner).error().field, "services[4].check_max_hold_ms");
}

}  // namespace
}  // namespace penstock
