// penstockctl: the operator's command line. A REST client of the control plane and nothing more.
//
// Exit codes: 0 done, 1 the server refused, 64 the command line is wrong, 69 the server cannot be reached.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <string>
#include <utility>

#include "controlplane/ctl/commands.h"
#include "controlplane/ctl/service_options.h"
#include "controlplane/ctl/weight_options.h"
#include "penstock/base/exit_code.h"

namespace penstock {
namespace {

using Action = std::function<Status(Commands&)>;

int exit_code(const Error& error) {
  switch (error.code) {
    case ErrorCode::kUnavailable:
      return kExitUnavailable;
    case ErrorCode::kInvalidArgument:
      return kExitUsage;
    default:
      return kExitFailure;
  }
}

int fail(const Error& error) {
  std::cerr << "penstockctl: " << error.text() << "\n";
  if (error.code == ErrorCode::kUnavailable) {
    std::cerr << "Start penstock-controlplane, or name it with --server or PENSTOCK_SERVER.\n";
  }
  return exit_code(error);
}

Result<std::string> read_input(const std::string& file) {
  if (file == "-") return std::string{std::istreambuf_iterator<char>(std::cin), {}};
  std::ifstream in(file, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in) return invalid("-f", "'" + file + "' cannot be read");
  return text;
}

/// Everything that the command line can hold, and the action that the chosen subcommand leaves in `action`.
struct CommandLine {
  CLI::App app{"Shows and changes what Penstock balances", "penstockctl"};
  std::string server = "http://127.0.0.1:7780";
  std::string output = "table";
  Action action;

  std::string id, file;
  ServiceFlags service;
  BackendFlags backend;
  GatewayFlags gateway;
  DrainFlags drain;
  WeightArguments weights;
  double interval = 1;
  unsigned count = 0;
  bool once = false;
  bool watch = false;

  CommandLine() {
    app.require_subcommand(1);
    app.fallthrough();
    app.set_version_flag("--version", PENSTOCK_VERSION);
    app.add_option("--server", server, "Control plane, http://HOST:PORT")
        ->envname("PENSTOCK_SERVER")
        ->capture_default_str();
    app.add_option("-o,--output", output, "table or json")
        ->check(CLI::IsMember({"table", "json"}))
        ->capture_default_str();
    add_get();
    add_apply();
    add_set();
    add_with_id("delete", "Delete", {"service", "backend", "gateway"},
                [this](Commands& c, const std::string& kind) { return c.remove(kind, id); });
    add_drains();
    add_maintenance();
    add_gateway();
    add_health();
    add_weight_commands(app, weights, [this](Action chosen) { action = std::move(chosen); });
    add_top();
  }

  static std::string id_hint(const std::string& kind) { return kind == "backend" ? "SERVICE/BACKEND" : "ID"; }

  void add_get() {
    auto* get = app.add_subcommand("get", "Show what there is")->require_subcommand(1);
    const auto list = [this, get](const std::string& plural, const std::string& singular, auto method) {
      auto* command = get->add_subcommand(plural, "Show " + plural)->alias(singular);
      command->add_option("id", id, plural == "backends" ? "SERVICE or SERVICE/BACKEND" : "One only");
      command->callback([this, method] { action = [this, method](Commands& c) { return (c.*method)(id); }; });
    };
    list("services", "service", &Commands::get_services);
    list("backends", "backend", &Commands::get_backends);
    list("gateways", "gateway", &Commands::get_gateways);
    list("nodes", "node", &Commands::get_nodes);
    get->add_subcommand("status", "Show the control plane itself")->callback([this] {
      action = [](Commands& c) { return c.get_status(); };
    });
  }

  void add_apply() {
    auto* command = app.add_subcommand("apply", "Create or replace services from JSON");
    command->add_option("-f,--file", file, "File, or - for standard input")->required();
    command->callback([this] {
      action = [this](Commands& c) {
        auto text = read_input(file);
        return text ? c.apply(*text) : Status(text.error());
      };
    });
  }

  void add_set() {
    auto* set = app.add_subcommand("set", "Create, or change what is given")->require_subcommand(1);
    auto* one = set->add_subcommand("service", "Create or change a service");
    one->add_option("id", id, "Service")->required();
    add_service_options(*one, service);
    one->callback([this] { action = [this](Commands& c) { return c.set_service(id, service); }; });

    auto* other = set->add_subcommand("backend", "Add or change a backend");
    other->add_option("id", id, "SERVICE/BACKEND")->required();
    add_backend_options(*other, backend);
    other->callback([this] { action = [this](Commands& c) { return c.set_backend(id, backend); }; });

    add_set_gateway(*set);

    auto* create = app.add_subcommand("create", "Create what must not exist yet")->require_subcommand(1);
    auto* fresh = create->add_subcommand("service", "Create a service");
    fresh->add_option("id", id, "Service")->required();
    add_service_options(*fresh, service);
    fresh->callback([this] { action = [this](Commands& c) { return c.create_service(id, service); }; });
  }

  void add_with_id(const std::string& verb, const std::string& sentence,
                   const std::vector<std::string>& kinds,
                   const std::function<Status(Commands&, const std::string&)>& what) {
    auto* command = app.add_subcommand(verb, sentence + " one of these")->require_subcommand(1);
    for (const std::string& kind : kinds) {
      auto* sub = command->add_subcommand(kind, sentence + " a " + kind);
      sub->add_option("id", id, id_hint(kind))->required();
      sub->callback([this, what, kind] { action = [what, kind](Commands& c) { return what(c, kind); }; });
    }
  }

  void add_wait(CLI::App& to) {
    auto* wait = to.add_flag("--wait", drain.wait, "Tell how it goes until it is done; 1 if it is not");
    to.add_option("--timeout", drain.timeout, "Wait no longer than this (60s, 10m, 2h)")->needs(wait);
  }

  CLI::App& add_kind(CLI::App& command, const std::string& kind, const std::string& sentence,
                     std::function<Status(Commands&)> what) {
    auto* sub = command.add_subcommand(kind, sentence);
    sub->add_option("id", id, id_hint(kind))->required();
    sub->callback([this, what = std::move(what)] { action = what; });
    return *sub;
  }

  void add_drains() {
    auto* down = app.add_subcommand("drain", "Take no new flows at one of these")->require_subcommand(1);
    auto* up = app.add_subcommand("undrain", "Take new flows again at one of these")->require_subcommand(1);
    for (const std::string kind : {"backend", "node", "gateway"}) {
      auto& sub = add_kind(*down, kind, "Take no new flows at a " + kind,
                           [this, kind](Commands& c) { return c.drain(kind, id, drain); });
      add_wait(sub);
      if (kind == "gateway") {
        add_drain_timeout(sub);
      } else {
        sub.add_option("--deadline", drain.deadline, "When its flows should have ended (90s, 10m, 2h)");
        sub.add_option("--policy", drain.policy,
                       "keep or reset what is left at the deadline; keep by itself");
      }
      auto& undo = add_kind(*up, kind, "Take new flows again at a " + kind,
                            [this, kind](Commands& c) { return c.undrain(kind, id, drain); });
      if (kind == "gateway") add_wait(undo);
    }
  }

  void add_maintenance() {
    auto* command = app.add_subcommand("maintenance", "Send no new flows to what is being worked on")
                        ->require_subcommand(1);
    auto* on = command->add_subcommand("on", "Begin maintenance of one of these")->require_subcommand(1);
    auto* off = command->add_subcommand("off", "End maintenance of one of these")->require_subcommand(1);
    for (const std::string kind : {"backend", "node"}) {
      add_kind(*on, kind, "Send no new flows to a " + kind,
               [this, kind](Commands& c) { return c.maintenance(kind, id, true); });
      add_kind(*off, kind, "Send new flows to a " + kind + " again, as its health allows",
               [this, kind](Commands& c) { return c.maintenance(kind, id, false); });
    }
  }

  void add_drain_timeout(CLI::App& to) {
    to.add_option("--drain-timeout", drain.drain_timeout,
                  "Let traffic leave no longer than this; 30s by itself");
  }

  void add_gateway() {
    auto* command = app.add_subcommand("gateway", "Take a gateway out of service, or restart its dataplane")
                        ->require_subcommand(1);
    auto& down = add_kind(*command, "drain", "Withdraw its VIPs when their traffic has left",
                          [this](Commands& c) { return c.drain("gateway", id, drain); });
    auto& up = add_kind(*command, "undrain", "Announce its VIPs again",
                        [this](Commands& c) { return c.undrain("gateway", id, drain); });
    auto& upgrade = add_kind(*command, "upgrade", "Drain, restart its dataplane, verify, announce again",
                             [this](Commands& c) { return c.upgrade(id, drain); });
    for (CLI::App* sub : {&down, &up, &upgrade}) add_wait(*sub);
    add_drain_timeout(down);
    add_drain_timeout(upgrade);
  }

  void add_set_gateway(CLI::App& set) {
    auto& sub = add_kind(set, "gateway", "Change how a gateway announces",
                         [this](Commands& c) { return c.set_gateway(id, gateway); });
    sub.add_option("--med", gateway.med, "0-65535, the lower the better; equal ones share the traffic");
    sub.add_option("--bandwidth", gateway.bandwidth_mbps, "Its share of the ECMP, 1-25600 Mbit/s; 0 = none");
    sub.add_option("--bfd-profile", gateway.bfd_profile, "fast (50 ms x 3), normal (300 ms x 3), or none");
    sub.add_option(
           "--vip", gateway.vips,
           "VIP[,med=N|none][,drain=true][,withhold=true]; again for each. A VIP alone follows the gateway "
           "again")
        ->allow_extra_args(false);
  }

  void add_health() {
    auto* command = app.add_subcommand("health", "Show which backends and nodes live, and why not");
    command->add_option("service", id, "One service; else all in short, and what changed");
    auto* again = command->add_flag("--watch", watch, "Again and again, until interrupted");
    command->add_option("--interval", interval, "With --watch: seconds between two tables")
        ->check(CLI::Range(0.1, 3600.0))
        ->needs(again)
        ->capture_default_str();
    command->add_option("--count", count, "With --watch: stop after so many tables; 0 = never")->needs(again);
    command->callback([this] {
      action = [this](Commands& c) {
        const bool clear = watch && isatty(STDOUT_FILENO) != 0;
        return c.health(id, interval, watch ? count : 1, clear);
      };
    });
  }

  void add_top() {
    auto* command = app.add_subcommand("top", "Watch rates, and shares beside weights");
    command->add_option("--interval", interval, "Seconds between two tables")
        ->check(CLI::Range(0.1, 3600.0))
        ->capture_default_str();
    auto* limit =
        command->add_option("--count", count, "Stop after so many tables; 0 = never")->capture_default_str();
    command->add_flag("--once", once, "One table after one interval")->excludes(limit);
    command->callback([this] {
      action = [this](Commands& c) {
        const bool clear = !once && isatty(STDOUT_FILENO) != 0;
        return c.top(interval, once ? 1 : count, clear);
      };
    });
  }
};

int run(int argc, char** argv) {
  CommandLine line;
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::Success& e) {
    return line.app.exit(e);
  } catch (const CLI::ParseError& e) {
    std::cerr << "penstockctl: " << e.what() << "\nRun penstockctl --help for the commands.\n";
    return kExitUsage;
  }
  auto http = HttpClient::from_url(line.server);
  if (!http) return fail(http.error());
  const bool json = line.output == "json";
  Commands commands(RestClient(*http), json, std::cout, json ? std::cerr : std::cout);
  const auto status = line.action(commands);
  return status ? kExitOk : fail(status.error());
}

}  // namespace
}  // namespace penstock

int main(int argc, char** argv) { return penstock::run(argc, argv); }
