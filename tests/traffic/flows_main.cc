// penstock-flows: the long-lived flows of the fault scenarios. Holds TCP connections to an echo service, UDP
// sessions and paced downloads, checks every byte, and tells on demand what became of each (flows_report.h).
//
// Standard input takes
//   mark         gaps, losses and retransmissions count from here on
//   report TAG   one line of JSON on standard output
//   retire NAME  ends all flows of a backend, between two messages of each, and opens others instead
//   stop         no message more; ends when what is under way is answered, with a report "stop"
// Connections are opened at --open-rate and spread evenly over the targets; a flow that broke is not opened
// again. Reports "open" once every connection was greeted or broke.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "penstock/base/exit_code.h"
#include "tests/traffic/command_reader.h"
#include "tests/traffic/flows_report.h"

namespace penstock::traffic {
namespace {

struct Options {
  std::vector<std::string> tcp, udp, downloads;
  std::size_t connections = 5000;
  std::size_t sessions = 100;
  std::size_t download_count = 20;
  double open_rate = 1000;
  double seconds = 0;
  EchoSettings echo;
  SessionSettings session;
  DownloadSettings download;
};

void declare(CLI::App& app, Options& o) {
  app.set_version_flag("--version", PENSTOCK_VERSION);
  app.add_option("--tcp", o.tcp, "ADDRESS:PORT of a TCP echo service, may be repeated");
  app.add_option("--udp", o.udp, "ADDRESS:PORT of a UDP echo service, may be repeated");
  app.add_option("--download", o.downloads, "ADDRESS:PORT to download from, may be repeated");
  app.add_option("--connections", o.connections, "over all --tcp")->check(CLI::Range(0, 50000));
  app.add_option("--sessions", o.sessions, "over all --udp")->check(CLI::Range(0, 10000));
  app.add_option("--downloads", o.download_count, "at once, over all --download")->check(CLI::Range(0, 1000));
  app.add_option("--interval-ms", o.echo.interval_ms, "between messages")->check(CLI::Range(10, 60000));
  app.add_option("--timeout-ms", o.echo.timeout_ms, "unanswered for so long: broken")
      ->check(CLI::Range(10, 600000));
  app.add_option("--session-interval-ms", o.session.interval_ms)->check(CLI::Range(10, 60000));
  app.add_option("--open-rate", o.open_rate, "new connections per second")->check(CLI::Range(1.0, 20000.0));
  app.add_option("--seconds", o.seconds, "end after this time; 0 = at \"stop\" or SIGTERM")
      ->check(CLI::Range(0.0, 86400.0));
}

Result<std::vector<Endpoint>> parse_all(const std::vector<std::string>& texts) {
  std::vector<Endpoint> endpoints;
  for (const std::string& text : texts) {
    auto endpoint = Endpoint::parse(text);
    if (!endpoint) return endpoint.error();
    endpoints.push_back(*endpoint);
  }
  return endpoints;
}

class Run {
 public:
  Run(const Options& o, std::vector<Endpoint> tcp, std::vector<Endpoint> udp, std::vector<Endpoint> downloads)
      : options_(o),
        tcp_(std::move(tcp)),
        udp_(std::move(udp)),
        downloads_(std::move(downloads)),
        commands_(loop_, [this](const std::string& line) { command(line); }) {
    options_.download.timeout_ms = o.echo.timeout_ms;
    on_termination(loop_, [this] { stop(); });
    if (o.seconds > 0) loop_.after_ms(static_cast<std::uint64_t>(o.seconds * 1000), [this] { stop(); });
    for (std::size_t i = 0; !udp_.empty() && i < o.sessions; ++i) open_session();
    for (std::size_t i = 0; !downloads_.empty() && i < o.download_count; ++i) open_download();
    began_ = monotonic_now();
    open_some();
  }

  void run() {
    loop_.run();
    print("stop");
  }

 private:
  /// Source ports begin where the clock says, so that one run does not repeat the 5-tuples of the run before
  /// it while gateways still remember them.
  void open_session() {
    const std::size_t target = flows_.sessions.size() % udp_.size();
    constexpr std::uint64_t kFirstPort = 10240;
    constexpr std::uint64_t kPorts = 54000;
    constexpr std::uint64_t kApart = 131;  // no long row of taken ports in the way of other clients
    const std::uint64_t start = monotonic_now().count() / 2'500'000;
    for (int attempt = 0;; ++attempt) {
      const auto port = static_cast<std::uint16_t>(kFirstPort + (start + kApart * next_port_++) % kPorts);
      try {
        auto session = std::make_unique<UdpSession>(loop_, options_.session, udp_[target], port, next_id_++);
        return flows_.sessions.push_back({target, std::move(session)});
      } catch (const std::system_error& e) {
        if (e.code() != std::errc::address_in_use || attempt == 100) throw;
      }
    }
  }

  void open_download() {
    const std::size_t target = flows_.downloads.size() % downloads_.size();
    flows_.downloads.push_back(
        {target, std::make_unique<Download>(loop_, options_.download, downloads_[target])});
  }

  void open_some() {
    const std::size_t wanted = tcp_.empty() ? 0 : options_.connections;
    const double elapsed = static_cast<double>((monotonic_now() - began_).count()) / 1e9;
    const std::size_t due = std::min(wanted, static_cast<std::size_t>(elapsed * options_.open_rate) + 1);
    while (flows_.connections.size() < due) {
      const std::size_t target = flows_.connections.size() % tcp_.size();
      flows_.connections.push_back(
          {target, std::make_unique<EchoFlow>(loop_, options_.echo, tcp_[target], next_id_++)});
    }
    if (stopping_) return;
    if (due < wanted) return loop_.after_ms(1, [this] { open_some(); });
    report_when_open();
  }

  void report_when_open() {
    const auto settled = [](const auto& c) { return c.flow->greeted() || !c.flow->broken().empty(); };
    if (std::all_of(flows_.connections.begin(), flows_.connections.end(), settled)) return print("open");
    if (!stopping_) loop_.after_ms(20, [this] { report_when_open(); });
  }

  void command(const std::string& line) {
    if (line == "stop") return stop();
    if (line == "mark") return each([](auto& flow) { flow.mark(); });
    if (line.rfind("report ", 0) == 0) return print(line.substr(7));
    if (line.rfind("retire ", 0) == 0) return retire(line.substr(7));
    std::fprintf(stderr, "penstock-flows: '%s' is not a command (mark, report TAG, retire NAME, stop)\n",
                 line.c_str());
  }

  void retire(const std::string& backend) {
    const auto retired = [&](auto& flows) {
      return std::count_if(flows.begin(), flows.end(), [&](auto& placed) {
        return placed.flow->backend() == backend && placed.flow->retire();
      });
    };
    options_.connections += static_cast<std::size_t>(retired(flows_.connections));
    for (auto n = retired(flows_.sessions); n > 0; --n) open_session();
    for (auto n = retired(flows_.downloads); n > 0; --n) open_download();
    // The new connections follow at the rate of the first ones.
    const double already = static_cast<double>(flows_.connections.size()) / options_.open_rate;
    began_ = monotonic_now() - Nanoseconds(static_cast<std::uint64_t>(1e9 * already));
    open_some();
  }

  template <class Action>
  void each(Action action) {
    for (auto& c : flows_.connections) action(*c.flow);
    for (auto& s : flows_.sessions) action(*s.flow);
    for (auto& d : flows_.downloads) action(*d.flow);
  }

  void print(const std::string& tag) {
    std::printf("%s\n", report(flows_, tag, monotonic_now()).c_str());
    std::fflush(stdout);
  }

  void stop() {
    if (stopping_) return;
    stopping_ = true;
    each([](auto& flow) { flow.stop(); });
    end_when_idle();
  }

  void end_when_idle() {
    const bool answered =
        std::all_of(flows_.connections.begin(), flows_.connections.end(),
                    [](const auto& c) { return !c.flow->gap().open() || !c.flow->broken().empty(); });
    const bool idle = std::all_of(flows_.sessions.begin(), flows_.sessions.end(),
                                  [](const auto& s) { return s.flow->idle(); });
    if (answered && idle) return loop_.stop();
    loop_.after_ms(50, [this] { end_when_idle(); });
  }

  Options options_;
  std::vector<Endpoint> tcp_, udp_, downloads_;
  EventLoop loop_;
  CommandReader commands_;
  Nanoseconds began_;
  std::uint64_t next_id_ = 0;
  std::uint64_t next_port_ = 0;
  bool stopping_ = false;
  Flows flows_;
};

/// As many descriptors as the flows need, and a few for the rest.
void raise_limit(const Options& o) {
  const rlim_t wanted = o.connections + o.sessions + o.download_count + 64;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = std::max(limit.rlim_cur, wanted);
  limit.rlim_max = std::max(limit.rlim_max, wanted);
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
    throw std::system_error(errno, std::generic_category(), "setrlimit");
}

int flows_main(int argc, char** argv) {
  CLI::App app{"Long-lived flows for the fault scenarios of the Penstock lab"};
  Options options;
  declare(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kExitOk : kExitUsage;
  }
  const auto tcp = parse_all(options.tcp);
  const auto udp = parse_all(options.udp);
  const auto downloads = parse_all(options.downloads);
  for (const auto* targets : {&tcp, &udp, &downloads}) {
    if (*targets) continue;
    std::fprintf(stderr, "penstock-flows: %s\n", targets->error().text().c_str());
    return kExitUsage;
  }
  if (tcp->empty() && udp->empty() && downloads->empty()) {
    std::fprintf(stderr, "penstock-flows: give --tcp, --udp or --download\n");
    return kExitUsage;
  }
  raise_limit(options);
  Run(options, *tcp, *udp, *downloads).run();
  return kExitOk;
}

}  // namespace
}  // namespace penstock::traffic

int main(int argc, char** argv) {
  try {
    return penstock::traffic::flows_main(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "penstock-flows: %s\n", e.what());
    return penstock::kExitFailure;
  }
}
