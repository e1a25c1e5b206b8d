// penstock-work: a web server of the lab whose speed and health a scenario sets, by a file that is read again
// at SIGHUP.
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <system_error>

#include "penstock/base/exit_code.h"
#include "tests/traffic/work_server.h"

namespace penstock::traffic {
namespace {

void follow(WorkServer& server, const std::string& file) {
  WorkBehaviour behaviour;
  const std::string problem = read_behaviour(file, behaviour);
  if (!problem.empty()) {
    std::fprintf(stderr, "penstock-work: %s: %s; nothing changes\n", file.c_str(), problem.c_str());
    return;
  }
  server.behave(behaviour);
}

int serve(const WorkServer::Settings& settings, const std::string& file) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGHUP);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  const int fd = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
  EventLoop loop;
  WorkServer server(loop, settings);
  follow(server, file);
  loop.watch(fd, EPOLLIN, [&](std::uint32_t) {
    signalfd_siginfo info;
    while (read(fd, &info, sizeof info) == static_cast<ssize_t>(sizeof info)) follow(server, file);
  });
  loop.run();
  return kExitOk;
}

}  // namespace
}  // namespace penstock::traffic

int main(int argc, char** argv) {
  CLI::App app{"A web server that is as fast and as healthy as a file says", "penstock-work"};
  penstock::traffic::WorkServer::Settings settings;
  std::string file;
  app.add_option("--name", settings.name, "What X-Backend says")->required();
  app.add_option("--port", settings.port)->required()->check(CLI::Range(1, 65535));
  app.add_option("--slots", settings.slots, "requests worked on at a time")->check(CLI::Range(1, 1000));
  app.add_option("--service-us", settings.service_us, "time of one request, waited")
      ->check(CLI::Range(0, 10'000'000));
  app.add_option("--cpu-us", settings.cpu_us, "processor time of one request, burnt after that")
      ->check(CLI::Range(0, 10'000'000));
  app.add_option("--control", file,
                 "lines of 'listening 0|1', 'healthy 0|1', 'extra_ms N'; read again at SIGHUP");
  CLI11_PARSE(app, argc, argv);
  try {
    return penstock::traffic::serve(settings, file);
  } catch (const std::system_error& e) {
    std::fprintf(stderr, "penstock-work: port %u: %s\n", settings.port, e.what());
    return penstock::kExitFailure;
  }
}
