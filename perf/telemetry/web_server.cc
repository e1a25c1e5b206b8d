#include "perf/telemetry/web_server.h"

#include <arpa/inet.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <fstream>
#include <regex>
#include <thread>

namespace penstock::perf {
namespace {

std::string configuration(const std::string& folder, std::uint16_t port) {
  return "daemon off; master_process off; pid " + folder + "/pid; error_log " + folder +
         "/error.log;\nevents { worker_connections 1024; }\nhttp { access_log off; sendfile on; tcp_nopush "
         "on; "
         "keepalive_requests 100000000; default_type text/plain; server { listen 127.0.0.1:" +
         std::to_string(port) + " backlog=4096 reuseport; root " + folder +
         "; } server { listen 127.0.0.1:" + std::to_string(port + 1) + "; location / { stub_status; } } }\n";
}

/// -1: nobody listens.
int connected(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return fd;
  close(fd);
  return -1;
}

bool wait_until_it_listens(std::uint16_t port) {
  for (int i = 0; i < 500; ++i) {
    if (const int fd = connected(port); fd >= 0) {
      close(fd);
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

double cpu_seconds(pid_t pid) {
  clockid_t clock = 0;
  timespec used{};
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) return 0;
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
}

}  // namespace

Result<WebServer> WebServer::start(std::uint16_t port) {
  char name[] = "/tmp/penstock-telemetry-XXXXXX";
  if (mkdtemp(name) == nullptr) return internal_error(std::string("mkdtemp: ") + std::strerror(errno));
  const std::filesystem::path folder(name);
  std::filesystem::permissions(folder, std::filesystem::perms(0755));
  std::ofstream(folder / "small") << std::string(612, 'x');
  std::ofstream(folder / "large") << std::string(100'000, 'x');
  std::ofstream(folder / "nginx.conf") << configuration(folder.string(), port);
  auto nginx = ChildProcess::start(
      {"taskset", "-c", "0", "nginx", "-p", folder.string(), "-c", (folder / "nginx.conf").string()},
      (folder / "output").string());
  if (!nginx) return nginx.error();
  WebServer server(folder, port, std::move(*nginx));
  if (!wait_until_it_listens(port)) return unavailable("nginx does not listen: " + server.nginx_.output());
  return server;
}

WebServer::~WebServer() {
  if (folder_.empty()) return;
  idle();
  nginx_.stop();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

Status WebServer::load(const Load& load) {
  idle();
  std::vector<std::string> command = {"taskset", "-c", "1", "wrk", "-t1", "-c32", "-d1h"};
  if (!load.keep_alive) command.insert(command.end(), {"-H", "Connection: close"});
  command.push_back("http://127.0.0.1:" + std::to_string(port_) + load.path);
  auto wrk = ChildProcess::start(command, (folder_ / "wrk").string());
  if (!wrk) return wrk.error();
  wrk_ = std::make_unique<ChildProcess>(std::move(*wrk));
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  if (!wrk_->running()) return unavailable("wrk says: " + wrk_->output());
  return Ok{};
}

Result<double> WebServer::requests() const {
  const int fd = connected(static_cast<std::uint16_t>(port_ + 1));
  const std::string_view question = "GET / HTTP/1.0\r\n\r\n";
  std::string answer;
  char bytes[2048];
  if (send(fd, question.data(), question.size(), MSG_NOSIGNAL) > 0) {
    for (ssize_t n; (n = recv(fd, bytes, sizeof bytes, 0)) > 0;)
      answer.append(bytes, static_cast<std::size_t>(n));
  }
  close(fd);
  std::smatch found;
  if (!std::regex_search(answer, found, std::regex("requests\\s+[0-9]+ [0-9]+ ([0-9]+)"))) {
    return unavailable("nginx does not tell its requests: " + answer);
  }
  return std::stod(found[1]);
}

Result<Slice> WebServer::measure(double seconds) {
  const auto cpu = [this] { return cpu_seconds(nginx_.pid()) + cpu_seconds(wrk_->pid()); };
  const auto before = requests();
  const double cpu_before = cpu();
  const auto began = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
  const auto after = requests();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  const double used = cpu() - cpu_before;
  if (!before) return before.error();
  if (!after) return after.error();
  if (*after - *before < 100) return unavailable("wrk hardly asks: " + wrk_->output());
  return Slice{(*after - *before) / took.count(), used * 1e6 / (*after - *before)};
}

}  // namespace penstock::perf
