// Script checks with real scripts.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "tests/unit/bpf/agent/checks/peer.h"

namespace penstock {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class ScriptCheck : public ::testing::Test {
 protected:
  ScriptCheck() {
    char folder[] = "/tmp/penstock-scripts-XXXXXX";
    folder_ = mkdtemp(folder);
  }
  ~ScriptCheck() override { std::filesystem::remove_all(folder_); }

  void write(const std::string& name, const std::string& lines, mode_t mode = 0755) const {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << "#!/bin/sh\n" << lines << "\n";
    chmod(path.c_str(), mode);
  }
  CheckResult checked(const std::string& name, std::uint32_t timeout_ms = 5'000) const {
    CheckSpec spec = local_check(CheckKind::kScript, 8080);
    spec.script = name;
    spec.timeout_ms = timeout_ms;
    spec.interval_ms = interval_ms_;
    return run_once(spec, folder_);
  }
  CheckResult checked_lines(const std::string& lines, std::uint32_t timeout_ms = 5'000) const {
    write("check", lines);
    return checked("check", timeout_ms);
  }

  std::string folder_;
  std::uint32_t interval_ms_ = 60;
};

TEST_F(ScriptCheck, TheExitCodeDecidesAndTheFirstLineIsTold) {
  const CheckResult good = checked_lines("echo fine; echo more");
  EXPECT_EQ(good.verdict, CheckVerdict::kPassing);
  EXPECT_EQ(good.detail, "fine");
  EXPECT_EQ(checked_lines("exit 0").detail, "");
  const CheckResult bad = checked_lines("echo 'disk is full' >&2; exit 3");
  EXPECT_EQ(bad.verdict, CheckVerdict::kFailing);
  EXPECT_EQ(bad.detail, "exit code 3: disk is full");
  EXPECT_EQ(checked_lines("exit 1").detail, "exit code 1");
  EXPECT_EQ(checked_lines("kill -TERM $$").detail, "signal 15");
}

TEST_F(ScriptCheck, WhatItSaysIsCutAndMadePrintable) {
  EXPECT_EQ(checked_lines("printf 'a\\tb\\377c\\303\\244d'").detail, "a?b?c??d");
  EXPECT_EQ(checked_lines("head -c 1000 /dev/zero | tr '\\0' x").detail, std::string(200, 'x'));
}

TEST_F(ScriptCheck, ItKnowsItsServiceAndNothingOfTheAgent) {
  setenv("AGENTS_SECRET", "x", 1);
  EXPECT_EQ(checked_lines("echo $PENSTOCK_SERVICE $PENSTOCK_VIP $PENSTOCK_PORT $AGENTS_SECRET $#").detail,
            "web 127.0.0.1 8080 0");
  EXPECT_EQ(checked_lines("env | sed 's/=.*//' | grep -v -e PWD -e '^_' | sort | tr '\\n' ' '").detail,
            "PATH PENSTOCK_PORT PENSTOCK_SERVICE PENSTOCK_VIP ");
  EXPECT_EQ(checked_lines("pwd").detail, "/");
  EXPECT_EQ(checked_lines("ls /proc/self/fd | tr '\\n' ' '").detail, "0 1 2 3 ") << "3 is that of ls";
  EXPECT_EQ(checked_lines("cat").verdict, CheckVerdict::kPassing) << "nothing to read";
  EXPECT_EQ(checked_lines("grep SigBlk /proc/self/status").detail, "SigBlk:?0000000000000000");
  unsetenv("AGENTS_SECRET");
}

bool is_gone(pid_t pid) {
  std::string state;
  std::ifstream status("/proc/" + std::to_string(pid) + "/stat");
  status >> state >> state >> state;
  return !status || state == "Z";  // its reaper may be slow
}

TEST_F(ScriptCheck, AHangingScriptIsKilledWithItsChildren) {
  interval_ms_ = 10'000;  // one run is enough
  const std::string pids = folder_ + "/pids";
  const CheckResult result =
      checked_lines("trap '' TERM HUP; sleep 1000 & echo $! $$ > " + pids + "; wait", 300);
  EXPECT_EQ(result.detail, "no answer within 300 ms");
  pid_t child = 0;
  pid_t parent = 0;
  std::ifstream(pids) >> child >> parent;
  ASSERT_GT(child, 0);
  ASSERT_GT(parent, 0);
  EXPECT_TRUE(eventually([&] { return is_gone(parent) && is_gone(child); }));
}

TEST_F(ScriptCheck, WhatAScriptLeavesBehindEndsWithIt) {
  interval_ms_ = 10'000;  // one run is enough
  const std::string pids = folder_ + "/pids";
  EXPECT_EQ(checked_lines("sleep 1000 & echo $! > " + pids).verdict, CheckVerdict::kPassing);
  pid_t child = 0;
  std::ifstream(pids) >> child;
  ASSERT_GT(child, 0);
  EXPECT_TRUE(eventually([&] { return is_gone(child); }));
}

TEST_F(ScriptCheck, AFloodOfOutputEndsIt) {
  const CheckResult result = checked_lines("while :; do echo flood; done");
  EXPECT_EQ(result.verdict, CheckVerdict::kFailing);
  EXPECT_EQ(result.detail, "wrote more than 64 KiB: flood");
}

TEST_F(ScriptCheck, WhatMustNotRunDoesNot) {
  write("open", "exit 0", 0777);
  EXPECT_EQ(checked("open").detail, "script open may be written to by anybody");
  write("plain", "exit 0", 0644);
  EXPECT_EQ(checked("plain").detail, "script plain is not executable");
  std::filesystem::create_directory(folder_ + "/folder");
  EXPECT_EQ(checked("folder").detail, "script folder is not a file");
  write("good", "exit 0");
  std::filesystem::create_symlink(folder_ + "/good", folder_ + "/link");
  EXPECT_EQ(checked("link").detail, "script link is not a file");
  EXPECT_EQ(checked("missing").detail, "script missing: No such file or directory");
  std::ofstream(folder_ + "/garbage") << "\x7f no program";
  chmod((folder_ + "/garbage").c_str(), 0755);
  EXPECT_THAT(checked("garbage").detail, StartsWith("script garbage cannot be run"));
  chmod(folder_.c_str(), 0777);
  EXPECT_EQ(checked("good").detail, folder_ + " may be written to by anybody");
  chmod(folder_.c_str(), 0755);
  EXPECT_EQ(checked("good").verdict, CheckVerdict::kPassing);
  CheckSpec spec = local_check(CheckKind::kScript, 0);
  spec.script = "good";
  EXPECT_EQ(run_once(spec, "").detail, "this node runs no scripts (--check-scripts)");
  EXPECT_THAT(run_once(spec, folder_ + "/none").detail, HasSubstr("cannot be opened"));
}

}  // namespace
}  // namespace penstock
