// Starts the real penstock-dataplane and talks to it as the gateway agent does.
#pragma once

#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "penstock/proto/dataplane.grpc.pb.h"

namespace penstock {

/// Polls `condition` until it holds or `seconds` have passed.
inline bool eventually(const std::function<bool()>& condition, double seconds = 15) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    char name[] = "/tmp/penstock-test-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~TemporaryDirectory() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

class DataplaneProcess {
 public:
  /// stderr goes to `log`.
  DataplaneProcess(std::vector<std::string> arguments, std::string log) : log_(std::move(log)) {
    arguments.insert(arguments.begin(), PENSTOCK_DATAPLANE_BINARY);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_ = fork();
    if (pid_ == 0) {
      const int fd = open(log_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      dup2(fd, STDERR_FILENO);
      execv(argv[0], argv.data());
      _exit(127);
    }
  }
  ~DataplaneProcess() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    wait();
  }
  DataplaneProcess(const DataplaneProcess&) = delete;
  DataplaneProcess& operator=(const DataplaneProcess&) = delete;

  void signal(int number) const { kill(pid_, number); }

  /// The exit code, or minus the signal that ended it.
  int wait() {
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  int terminate() {
    signal(SIGTERM);
    return wait();
  }
  [[nodiscard]] bool exited() {
    siginfo_t info{};
    return waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid != 0;
  }
  [[nodiscard]] std::string log() const {
    std::ostringstream text;
    text << std::ifstream(log_).rdbuf();
    return text.str();
  }
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  std::string log_;
  pid_t pid_ = -1;
};

/// The control socket's client.
class DataplaneClient {
 public:
  explicit DataplaneClient(const std::string& socket) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    channel_ = grpc::CreateCustomChannel("unix:" + socket, grpc::InsecureChannelCredentials(), arguments);
    stub_ = proto::Dataplane::NewStub(channel_);
  }

  [[nodiscard]] bool connected() const {
    return channel_->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(20));
  }
  proto::ApplyConfigResponse apply(const proto::DataplaneConfig& config) {
    proto::ApplyConfigRequest request;
    *request.mutable_config() = config;
    proto::ApplyConfigResponse response;
    grpc::ClientContext context;
    const auto status = stub_->ApplyConfig(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  proto::DataplaneStats stats() {
    proto::DataplaneStats response;
    grpc::ClientContext context;
    const auto status = stub_->GetStats(&context, {}, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }
  std::vector<proto::Flow> flows(const std::string& service = "", std::uint32_t limit = 0) {
    proto::DumpFlowsRequest request;
    request.set_service(service);
    request.set_limit(limit);
    grpc::ClientContext context;
    auto reader = stub_->DumpFlows(&context, request);
    std::vector<proto::Flow> flows;
    for (proto::Flow flow; reader->Read(&flow);) flows.push_back(flow);
    EXPECT_TRUE(reader->Finish().ok());
    return flows;
  }
  proto::Dataplane::Stub& stub() { return *stub_; }

 private:
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<proto::Dataplane::Stub> stub_;
};

inline std::uint64_t outcome(const proto::DataplaneStats& stats, const std::string& name) {
  for (const auto& outcome : stats.outcomes()) {
    if (outcome.outcome() == name) return outcome.packets();
  }
  ADD_FAILURE() << "no outcome " << name;
  return 0;
}

inline std::uint64_t sum_of_outcomes(const proto::DataplaneStats& stats) {
  std::uint64_t sum = 0;
  for (const auto& outcome : stats.outcomes()) sum += outcome.packets();
  return sum;
}

/// One TCP service "web" on 203.0.113.10:80 with one backend.
inline proto::DataplaneConfig one_service(std::uint64_t generation, const std::string& backend) {
  proto::DataplaneConfig config;
  config.set_epoch(1);
  config.set_generation(generation);
  config.set_hash_key(std::string(32, '\x5a'));
  auto& service = *config.add_services();
  service.set_id("web");
  service.set_vip("203.0.113.10");
  service.set_protocol(proto::TCP);
  service.set_port(80);
  service.set_encap(proto::GUE);
  auto& one = *service.add_backends();
  one.set_id("be1");
  one.set_address(backend);
  one.set_weight(1);
  return config;
}

}  // namespace penstock
