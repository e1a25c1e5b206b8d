#include "bpf/agent/load_flags.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace penstock {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

Result<LoadSettings> settings_of(std::vector<std::string> arguments) {
  CLI::App app;
  LoadFlags flags;
  flags.add_to(app);
  std::reverse(arguments.begin(), arguments.end());
  app.parse(arguments);
  return flags.settings();
}

TEST(LoadFlags, AreUnderstood) {
  const auto settings = settings_of({"--probe-load-interval-ms",
                                     "100",
                                     "--service-cgroup",
                                     "web=/system.slice/nginx.service",
                                     "--orca-socket",
                                     "/run/x/orca.sock",
                                     "--orca-url",
                                     "http://localhost:9000/load",
                                     "--orca-url",
                                     "mail=http://[::1]:25",
                                     "--nic-speed-mbps",
                                     "eth0=25000",
                                     "--label",
                                     "zone=eu-1a",
                                     "--label",
                                     "rack=7=b",
                                     "--price-per-hour",
                                     "0.42",
                                     "--energy-price-per-kwh",
                                     "-0.01",
                                     "--currency",
                                     "EUR"});
  ASSERT_TRUE(settings) << settings.error().text();
  EXPECT_EQ(settings->interval, Nanoseconds::from_millis(100));
  EXPECT_THAT(settings->service_cgroups, ElementsAre(Pair("web", "/system.slice/nginx.service")));
  EXPECT_EQ(settings->orca_socket, "/run/x/orca.sock");
  ASSERT_EQ(settings->orca_endpoints.size(), 2u);
  EXPECT_EQ(settings->orca_endpoints[0].host, "127.0.0.1");
  EXPECT_EQ(settings->orca_endpoints[0].port, 9000);
  EXPECT_EQ(settings->orca_endpoints[0].path, "/load");
  EXPECT_EQ(settings->orca_endpoints[1].service, "mail");
  EXPECT_EQ(settings->orca_endpoints[1].host, "::1");
  EXPECT_EQ(settings->orca_endpoints[1].port, 25);
  EXPECT_EQ(settings->orca_endpoints[1].path, "/");
  EXPECT_THAT(settings->nic_speeds_mbps, ElementsAre(Pair("eth0", 25000u)));
  EXPECT_THAT(settings->labels, ElementsAre(Pair("rack", "7=b"), Pair("zone", "eu-1a")));
  EXPECT_EQ(settings->price_per_hour, 0.42);
  EXPECT_EQ(settings->energy_price_per_kwh, -0.01);
}

TEST(LoadFlags, AllAreOptional) {
  const auto settings = settings_of({});
  ASSERT_TRUE(settings);
  EXPECT_EQ(settings->interval, Nanoseconds::from_millis(50));
  EXPECT_FALSE(settings->price_per_hour);
}

TEST(LoadFlags, AreRefusedWithASentence) {
  struct Case {
    std::vector<std::string> arguments;
    const char* why;
  };
  const Case cases[] = {
      {{"--service-cgroup", "/system.slice"}, "--service-cgroup: '/system.slice' is not SERVICE=PATH"},
      {{"--service-cgroup", "web="}, "is not SERVICE=PATH"},
      {{"--service-cgroup", "We b=/x"}, "'We b' cannot be a service's id"},
      {{"--service-cgroup", "web=x"}, "'x' is not a cgroup's path"},
      {{"--service-cgroup", "web=/"}, "is not the root"},
      {{"--service-cgroup", "web=/a/../../b"}, "is not a cgroup's path"},
      {{"--service-cgroup", "web=/a", "--service-cgroup", "web=/b"}, "'web' is given twice"},
      {{"--orca-socket", "orca.sock"}, "is not an absolute path"},
      {{"--orca-socket", "/" + std::string(107, 'x')}, "longer than the 107 bytes"},
      {{"--orca-url", "https://127.0.0.1/x"}, "must be http://127.0.0.1:PORT/PATH"},
      {{"--orca-url", "http://10.0.0.1:80/x"}, "is not on loopback"},
      {{"--orca-url", "http://example.com/x"}, "is not on loopback"},
      {{"--orca-url", "http://127.0.0.1:0/x"}, "has no port of 1–65535"},
      {{"--orca-url", "http://127.0.0.1:70000/x"}, "has no port of 1–65535"},
      {{"--orca-url", "http://127.0.0.1:/x"}, "has no port of 1–65535"},
      {{"--orca-url", "http://127.0.0.1:80/a b"}, "has a path with spaces"},
      {{"--orca-url", "W=http://127.0.0.1:80/"}, "SERVICE=URL with a service's id"},
      {{"--nic-speed-mbps", "eth0"}, "is not INTERFACE=MBPS"},
      {{"--nic-speed-mbps", "eth0=0"}, "is not a speed"},
      {{"--nic-speed-mbps", "eth0=fast"}, "is not a speed"},
      {{"--nic-speed-mbps", "a-name-that-is-too-long=10"}, "is not INTERFACE=MBPS"},
      {{"--label", "zone"}, "is not KEY=VALUE"},
      {{"--label", "my zone=1"}, "is not a key"},
      {{"--label", "zone=\t"}, "not printable"},
      {{"--label", "zone=" + std::string(256, 'x')}, "longer than 255 bytes"},
      {{"--price-per-hour", "-1", "--currency", "EUR"}, "--price-per-hour: must not be negative"},
      {{"--price-per-hour", "cheap", "--currency", "EUR"}, "is not a price"},
      {{"--price-per-hour", "nan", "--currency", "EUR"}, "is not a price"},
      {{"--energy-price-per-kwh", "1e300", "--currency", "EUR"}, "is not a price"},
      {{"--price-per-hour", "1"}, "--currency: is needed"},
      {{"--currency", "eur"}, "three capital letters"},
  };
  for (const Case& c : cases) {
    const auto settings = settings_of(c.arguments);
    ASSERT_FALSE(settings) << c.why;
    EXPECT_THAT(settings.error().text(), HasSubstr(c.why));
  }
}

}  // namespace
}  // namespace penstock
