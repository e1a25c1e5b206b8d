// penstock-traffic: real clients for the lab. HTTP requests each on a new connection, long-lived HTTP
// connections, and UDP flows, at a bounded rate; one record per request on standard output (recorder.h).
// Standard input takes "retire BACKEND" (let go of long-lived connections to it) and "stop".
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "penstock/base/exit_code.h"
#include "tests/traffic/command_reader.h"
#include "tests/traffic/http_load.h"
#include "tests/traffic/udp_load.h"

namespace penstock::traffic {
namespace {

struct Options {
  std::vector<std::string> http;
  std::vector<std::string> udp;
  HttpSettings http_load;
  LongLivedSettings long_lived;
  UdpSettings udp_load;
  double seconds = 0;
};

Result<std::vector<Endpoint>> parse_all(const std::vector<std::string>& texts) {
  std::vector<Endpoint> endpoints;
  for (const std::string& text : texts) {
    auto endpoint = Endpoint::parse(text);
    if (!endpoint) return endpoint.error();
    endpoints.push_back(*endpoint);
  }
  return endpoints;
}

void declare(CLI::App& app, Options& o) {
  app.set_version_flag("--version", PENSTOCK_VERSION);
  app.add_option("--http", o.http, "ADDRESS:PORT for HTTP, may be repeated");
  app.add_option("--udp", o.udp, "ADDRESS:PORT of a UDP echo service, may be repeated");
  app.add_option("--http-rate", o.http_load.requests_per_second, "new connections per second, all targets")
      ->check(CLI::Range(0.0, 20000.0));
  app.add_option("--http-timeout-ms", o.http_load.timeout_ms)->check(CLI::Range(10, 60000));
  app.add_option("--large-every", o.http_load.large_every, "every n-th request fetches /large; 0 = none");
  app.add_option("--long-lived", o.long_lived.connections, "long-lived connections, all targets")
      ->check(CLI::Range(0, 1000));
  app.add_option("--long-lived-interval-ms", o.long_lived.interval_ms)->check(CLI::Range(1, 60000));
  app.add_option("--udp-rate", o.udp_load.flows_per_second, "new UDP flows per second, all targets")
      ->check(CLI::Range(0.0, 20000.0));
  app.add_option("--udp-datagrams", o.udp_load.datagrams, "datagrams per flow")->check(CLI::Range(1, 1000));
  app.add_option("--seconds", o.seconds, "end after this time; 0 = at \"stop\" or SIGTERM")
      ->check(CLI::Range(0.0, 86400.0));
}

class Run {
 public:
  explicit Run(const Options& o)
      : http_(loop_, recorder_, o.http_load),
        long_lived_(loop_, recorder_, o.long_lived),
        udp_(loop_, recorder_, o.udp_load),
        commands_(loop_, [this](const std::string& line) { command(line); }) {
    on_termination(loop_, [this] { stop(); });
    if (o.seconds > 0) loop_.after_ms(static_cast<std::uint64_t>(o.seconds * 1000), [this] { stop(); });
    http_.start();
    long_lived_.start();
    udp_.start();
    flush_every_100_ms();
  }

  void run() {
    loop_.run();
    recorder_.finish();
  }

 private:
  void command(const std::string& line) {
    if (line == "stop") return stop();
    if (line.rfind("retire ", 0) == 0) return long_lived_.retire(line.substr(7));
    std::fprintf(stderr, "penstock-traffic: '%s' is not a command (retire BACKEND, stop)\n", line.c_str());
  }

  /// No new request; what is under way is answered or times out.
  void stop() {
    stopping_ = true;
    http_.stop();
    long_lived_.stop();
    udp_.stop();
  }

  void flush_every_100_ms() {
    recorder_.flush();
    if (stopping_ && http_.idle() && udp_.idle()) return loop_.stop();
    loop_.after_ms(100, [this] { flush_every_100_ms(); });
  }

  EventLoop loop_;
  Recorder recorder_;
  HttpLoad http_;
  LongLivedLoad long_lived_;
  UdpLoad udp_;
  CommandReader commands_;
  bool stopping_ = false;
};

int traffic_main(int argc, char** argv) {
  CLI::App app{"Real HTTP and UDP clients for the Penstock lab"};
  Options options;
  declare(app, options);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? kExitOk : kExitUsage;
  }
  const auto http = parse_all(options.http);
  const auto udp = parse_all(options.udp);
  if (!http || !udp || (http->empty() && udp->empty())) {
    const std::string why = !http ? http.error().text() : !udp ? udp.error().text() : "give --http or --udp";
    std::fprintf(stderr, "penstock-traffic: %s\n", why.c_str());
    return kExitUsage;
  }
  options.http_load.targets = *http;
  options.long_lived.targets = *http;
  options.long_lived.timeout_ms = options.http_load.timeout_ms;
  options.udp_load.targets = *udp;
  Run(options).run();
  return kExitOk;
}

}  // namespace
}  // namespace penstock::traffic

int main(int argc, char** argv) {
  try {
    return penstock::traffic::traffic_main(argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "penstock-traffic: %s\n", e.what());
    return penstock::kExitFailure;
  }
}
