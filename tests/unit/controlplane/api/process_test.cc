// penstock-controlplane as a process: what it says when it will not run, and that it may be killed at any
// moment.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "tests/unit/controlplane/api/raw_http.h"

namespace penstock {
namespace {

using testing::HasSubstr;

int free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), size), 0);
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  close(fd);
  return ntohs(address.sin_port);
}

class ProcessTest : public testing::Test {
 protected:
  ProcessTest() {
    char name[] = "/tmp/penstock-process-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~ProcessTest() override {
    for (const pid_t pid : running_) finish(pid, SIGKILL);
    std::filesystem::remove_all(folder_);
  }

  pid_t start(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), CONTROLPLANE);
    const pid_t pid = fork();
    if (pid != 0) {
      running_.push_back(pid);
      return pid;
    }
    const int log = ::open((folder_ + "/log").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(log, STDERR_FILENO);
    dup2(log, STDOUT_FILENO);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
#ifdef __SANITIZE_THREAD__
    // The program lacks this test's suppressions (tsan_suppressions.cc), and would end with the sanitizer's
    // code.
    setenv("TSAN_OPTIONS", "report_bugs=0", 1);
#endif
    execv(CONTROLPLANE, argv.data());
    _exit(127);
  }
  /// Sends `signal` (0: none) and returns the exit code, or −1 when it was killed.
  int finish(pid_t pid, int signal) {
    if (signal != 0) kill(pid, signal);
    int status = 0;
    waitpid(pid, &status, 0);
    std::erase(running_, pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  int run(std::vector<std::string> arguments) { return finish(start(std::move(arguments)), 0); }
  std::string log() {
    std::ifstream file(folder_ + "/log");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  pid_t serve(int port) {
    const pid_t pid = start({"--store", folder_ + "/s.db", "--rest", "127.0.0.1:" + std::to_string(port),
                             "--grpc", "127.0.0.1:0"});
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (ask(port, "GET", "/healthz").status != 200 && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return pid;
  }

  std::string folder_;
  std::vector<pid_t> running_;
};

TEST_F(ProcessTest, AnAcknowledgedWriteSurvivesKill9AndSigtermEndsCleanly) {
  const int port = free_port();
  const pid_t first = serve(port);
  ASSERT_EQ(
      ask(port, "PUT", "/api/v1/services/web",
          R"({"vip":"203.0.113.10","protocol":"tcp","port":80,"backends":[{"id":"a","address":"10.0.0.1"}]})")
          .status,
      201);
  for (int weight = 1; weight <= 50; ++weight) {
    ASSERT_EQ(
        ask(port, "PATCH", "/api/v1/services/web/backends/a", "{\"weight\":" + std::to_string(weight) + "}")
            .status,
        200);
  }
  EXPECT_EQ(finish(first, SIGKILL), -1);
  const pid_t second = serve(port);
  EXPECT_EQ(ask(port, "GET", "/api/v1/services/web/backends/a").json()["weight"], 50);
  EXPECT_EQ(ask(port, "GET", "/api/v1/status").json()["generation"], 51);
  EXPECT_EQ(finish(second, SIGTERM), 0);
}

TEST_F(ProcessTest, WhatItWillNotRunWithHasASentenceAndACode) {
  const std::string store = folder_ + "/other.db";
  EXPECT_EQ(run({"--stroe", store}), 64);
  EXPECT_EQ(run({"--store", store, "--rest", "0.0.0.0:1"}), 78);
  EXPECT_THAT(log(), HasSubstr("put a TLS proxy in front"));
  EXPECT_EQ(run({"--store", store, "--grpc", "0.0.0.0:7781"}), 78);
  EXPECT_THAT(log(), HasSubstr("give --tls-cert, --tls-key and --tls-ca"));
  EXPECT_EQ(run({"--store", store, "--tls-cert", "/none"}), 78);
  EXPECT_THAT(log(), HasSubstr("--tls-cert: '/none' cannot be read"));
  std::ofstream(folder_ + "/c.yaml") << "store: " << store << "\nrset: 127.0.0.1:1\n";
  EXPECT_EQ(run({"--config", folder_ + "/c.yaml"}), 78);
  EXPECT_THAT(log(), HasSubstr("c.yaml: line 2: rset: unknown key"));
  std::ofstream(store + "x") << std::string(4096, 'x');
  EXPECT_EQ(run({"--store", store + "x"}), 1);
  EXPECT_THAT(log(), HasSubstr("is damaged or no SQLite file"));
  EXPECT_EQ(run({"--version"}), 0);
}

TEST_F(ProcessTest, WhatAnotherProcessHasIsTemporary) {
  const int port = free_port();
  const pid_t first = serve(port);
  const std::string rest = "127.0.0.1:" + std::to_string(port);
  EXPECT_EQ(run({"--store", folder_ + "/s.db", "--rest", "127.0.0.1:0", "--grpc", "127.0.0.1:0"}), 75);
  EXPECT_THAT(log(), HasSubstr("another penstock-controlplane has the store open"));
  EXPECT_EQ(run({"--store", folder_ + "/t.db", "--rest", rest, "--grpc", "127.0.0.1:0"}), 75);
  EXPECT_THAT(log(), HasSubstr("--rest " + rest + ": cannot listen there: Address already in use"));
  EXPECT_EQ(run({"--store", folder_ + "/t.db", "--rest", "127.0.0.1:0", "--grpc", rest}), 75);
  EXPECT_THAT(log(), HasSubstr("--grpc " + rest + ": cannot listen there"));
  EXPECT_EQ(finish(first, SIGINT), 0);
}

}  // namespace
}  // namespace penstock
