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

#include "controlplane/ctl/commands.h"
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
  double interval = 1;
  unsigned count = 0;
  bool once = false;

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
    add_gateway();
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

  void add_service_options(CLI::App& to) {
    to.add_option("id", id, "Service")->required();
    to.add_option("--vip", service.vip, "Virtual IP address, or a prefix such as 203.0.113.0/24");
    to.add_option("--protocol", service.protocol, "tcp, udp, sctp or any");
    to.add_option("--port", service.port, "1-65535, a range such as 8000-8999, or * for every port");
    to.add_option("--encap", service.encap, "gue, ipip, gre, vxlan, l2dsr or nat");
    to.add_option("--table-size", service.table_size, "Slots of the Maglev table, a prime; 0 = by itself");
    to.add_option("--backend", service.backends,
                  "id=ID,address=ADDRESS[,weight=N][,drain=true][,port=N][,mac=MAC][,quic_server_id=HEX]; "
                  "again for each, replaces all")
        ->allow_extra_args(false);
    to.add_option("--tcp-syn-seconds", service.tcp_syn_seconds, "Idle timeout before the handshake is done");
    to.add_option("--tcp-established-seconds", service.tcp_established_seconds,
                  "Idle timeout of established connections");
    to.add_option("--tcp-closing-seconds", service.tcp_closing_seconds, "Idle timeout after FIN or RST");
    to.add_option("--udp-seconds", service.udp_seconds, "Idle timeout of UDP flows");
    to.add_option("--second-chance", service.second_chance,
                  "gue: tcp (by itself), off, or tcp+udp: backends pass on what they do not know");
    to.add_option("--one-shot", service.one_shot, "true: a UDP service without flow entries");
    to.add_option("--affinity-ipv4", service.affinity_ipv4,
                  "Keep clients of one IPv4 prefix of so many bits on one backend; 0 = by flow");
    to.add_option("--affinity-ipv6", service.affinity_ipv6, "The same for IPv6");
    to.add_option("--udp-checksum", service.udp_checksum, "gue, vxlan: true computes the outer UDP checksum");
    to.add_option("--gre-key", service.gre_key, "gre: the key, or none");
    to.add_option("--vxlan-vni", service.vxlan_vni, "vxlan: the network identifier");
    to.add_option("--too-big", service.too_big, "What does not fit: reply tells the sender, or fragment");
    to.add_option("--proxy-protocol", service.proxy_protocol,
                  "nat of tcp: true tells the client's address by the PROXY protocol");
    to.add_option("--quic", service.quic,
                  "rotation=N,server_id_length=N,nonce_length=N[,key_file=PATH], or none; again for each, "
                  "replaces all")
        ->allow_extra_args(false);
  }

  void add_set() {
    auto* set = app.add_subcommand("set", "Create, or change what is given")->require_subcommand(1);
    auto* one = set->add_subcommand("service", "Create or change a service");
    add_service_options(*one);
    one->callback([this] { action = [this](Commands& c) { return c.set_service(id, service); }; });

    auto* other = set->add_subcommand("backend", "Add or change a backend");
    other->add_option("id", id, "SERVICE/BACKEND")->required();
    other->add_option("--address", backend.address, "IPv4 or IPv6 address of the backend host");
    other->add_option("--weight", backend.weight, "0-1000");
    other->add_option("--drain", backend.drain, "true or false");
    other->add_option("--port", backend.port, "nat: where it listens; else the VIP's port");
    other->add_option("--mac", backend.mac, "vxlan: its MAC address inside the tunnel");
    other->add_option("--quic-server-id", backend.quic_server_id, "Hexadecimal, with a service's --quic");
    other->callback([this] { action = [this](Commands& c) { return c.set_backend(id, backend); }; });

    add_set_gateway(*set);

    auto* create = app.add_subcommand("create", "Create what must not exist yet")->require_subcommand(1);
    auto* fresh = create->add_subcommand("service", "Create a service");
    add_service_options(*fresh);
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
