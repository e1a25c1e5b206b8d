#include "penstock/process/settings.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace penstock {
namespace {

struct Parsed {
  std::optional<int> exit_code;
  std::string stderr_text;
  std::string rest = "127.0.0.1:1";
  int route_table = 201;
  std::vector<std::string> ports;
  bool no_huge = false;
};

class SettingsTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(file_); }

  Parsed parse(const std::string& yaml, std::vector<std::string> flags = {}) {
    std::ofstream(file_) << yaml;
    flags.insert(flags.begin(), {"test", "--config", file_});
    return parse_flags(flags);
  }

  static Parsed parse_flags(std::vector<std::string> flags) {
    Parsed out;
    // A fresh logger name each time: spdlog refuses to register one twice.
    static int round = 0;
    CLI::App app{"", "test" + std::to_string(++round)};
    Settings settings(app);
    app.add_option("--rest", out.rest);
    app.add_option("--route-table", out.route_table);
    app.add_option("--port", out.ports);
    app.add_flag("--no-huge", out.no_huge);
    std::vector<char*> argv;
    for (auto& flag : flags) argv.push_back(flag.data());
    testing::internal::CaptureStderr();
    out.exit_code = settings.parse(static_cast<int>(argv.size()), argv.data());
    out.stderr_text = testing::internal::GetCapturedStderr();
    return out;
  }

  std::string file_ =
      std::filesystem::temp_directory_path() / ("penstock-settings-" + std::to_string(getpid()) + ".yaml");
};

TEST_F(SettingsTest, FileSetsEveryKindOfOption) {
  const auto parsed = parse("rest: 127.0.0.1:9\nroute_table: 7\nport: [a, b]\nno_huge: true\n");
  EXPECT_EQ(parsed.exit_code, std::nullopt);
  EXPECT_EQ(parsed.rest, "127.0.0.1:9");
  EXPECT_EQ(parsed.route_table, 7);
  EXPECT_EQ(parsed.ports, (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(parsed.no_huge);
}

TEST_F(SettingsTest, FlagsWinOverTheFile) {
  EXPECT_EQ(parse("route_table: 7\n", {"--route-table", "9"}).route_table, 9);
}

TEST_F(SettingsTest, EmptyFileChangesNothing) {
  const auto parsed = parse("");
  EXPECT_EQ(parsed.exit_code, std::nullopt);
  EXPECT_EQ(parsed.route_table, 201);
}

TEST_F(SettingsTest, BadFilesAreRefusedWithLineAndKey) {
  const struct {
    const char* what;
    const char* yaml;
    const char* expected;
  } cases[] = {
      {"unknown key", "rest: a\nfoo: 1\n", "line 2: foo: unknown key"},
      {"flag spelling instead of key", "route-table: 1\n", "line 1: route-table: unknown key"},
      {"duplicate key", "rest: a\nrest: b\n", "line 2: rest: given twice"},
      {"wrong type", "\nroute_table: x\n", "line 2: "},
      {"nested map", "rest: {a: 1}\n", "line 1: rest: expected a single value"},
      {"list for a scalar", "route_table: [1, 2]\n", "line 1: "},
      {"not YAML", "rest: [a\n", "not valid YAML"},
      {"a list at the top", "- a\n", "expected `key: value` lines"},
      {"value outside its set", "log_level: loud\n", "line 1: --log-level"},
      {"config inside config", "config: other.yaml\n", "line 1: config: unknown key"},
  };
  for (const auto& c : cases) {
    const auto parsed = parse(c.yaml);
    EXPECT_EQ(parsed.exit_code, kExitBadConfig) << c.what;
    EXPECT_NE(parsed.stderr_text.find(c.expected), std::string::npos) << c.what << ": " << parsed.stderr_text;
    EXPECT_NE(parsed.stderr_text.find(file_), std::string::npos) << c.what << " does not name the file";
  }
}

TEST_F(SettingsTest, MissingFileIsABadConfig) {
  EXPECT_EQ(parse_flags({"test", "--config", "/nonexistent/penstock.yaml"}).exit_code, kExitBadConfig);
}

TEST_F(SettingsTest, BadCommandLineIsAUsageError) {
  EXPECT_EQ(parse_flags({"test", "--nonsense"}).exit_code, kExitUsage);
  EXPECT_EQ(parse("route_table: 2\n", {"--route-table", "x"}).exit_code, kExitUsage);
}

}  // namespace
}  // namespace penstock
