// penstock-node: the agent of a backend host. Wires settings, signals and the agent together.
#include <net/if.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <set>

#include "bpf/agent/agent.h"
#include "bpf/agent/load_flags.h"
#include "penstock/base/exit_code.h"
#include "penstock/config/limits.h"
#include "penstock/process/settings.h"

namespace {

using namespace penstock;

int exit_code(const Error& error) {
  switch (error.code) {
    case ErrorCode::kInvalidArgument:
      return kExitUsage;
    case ErrorCode::kAlreadyExists:
      return kExitTempFail;
    case ErrorCode::kPermissionDenied:
      return kExitNoPermission;
    case ErrorCode::kUnavailable:
      return kExitUnavailable;
    default:
      return kExitFailure;
  }
}

int fail(const Error& error) {
  std::fprintf(stderr, "penstock-node: %s\n", error.text().c_str());
  return exit_code(error);
}

std::string check_id(const std::string& id) {
  return is_valid_id(id.data(), id.size()) ? ""
                                           : "1–63 lower-case letters, digits and inner hyphens are allowed";
}

std::string check_interface(const std::string& name) {
  const bool good = !name.empty() && name.size() < IFNAMSIZ &&
                    name.find_first_of("/ ") == std::string::npos && name != "." && name != "..";
  return good ? "" : "'" + name + "' cannot be an interface's name";
}

Status check(const AgentSettings& settings) {
  if (std::set<std::string>(settings.interfaces.begin(), settings.interfaces.end()).size() !=
      settings.interfaces.size()) {
    return invalid("--interface", "an interface is given twice");
  }
  if (std::set<std::string>(settings.interfaces.begin(), settings.interfaces.end()).contains("lo")) {
    return invalid(
        "--interface",
        "'lo' carries the VIPs and receives no encapsulated packet; name the host's network interface");
  }
  if (!settings.controlplane.starts_with("unix:") && settings.controlplane.rfind(':') == std::string::npos) {
    return invalid("--controlplane", "'" + settings.controlplane + "' has no port (write HOST:PORT)");
  }
  std::error_code ignored;
  if (!settings.check_scripts.empty() &&
      !(settings.check_scripts[0] == '/' && std::filesystem::is_directory(settings.check_scripts, ignored))) {
    return invalid("--check-scripts",
                   "'" + settings.check_scripts + "' is not the absolute path of a folder");
  }
  if (geteuid() != 0)
    return Error{ErrorCode::kPermissionDenied, "must run as root: it loads BPF programs and adds addresses"};
  return Ok{};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Penstock's agent on a backend host: decapsulates, carries the VIPs, reports",
               "penstock-node"};
  AgentSettings settings;
  settings.version = PENSTOCK_VERSION;
  settings.state_dir = "/var/lib/penstock/node";
  settings.controlplane = "127.0.0.1:7781";
  Settings common(app);
  app.add_option("--id", settings.id, "Name of this node")->required()->check(CLI::Validator(check_id, "ID"));
  app.add_option("--interface", settings.interfaces,
                 "Interface on which encapsulated packets arrive; may be repeated")
      ->required()
      ->check(CLI::Validator(check_interface, "NAME"));
  app.add_option(
      "--address", settings.extra_addresses,
      "Address of this host beside those of the interfaces to which gateways send; may be repeated");
  app.add_option("--controlplane", settings.controlplane, "HOST:PORT, or unix:PATH")->capture_default_str();
  app.add_option("--state-dir", settings.state_dir, "Where the last directive is kept")
      ->capture_default_str();
  std::string mode = "auto";
  app.add_option("--xdp", mode, "auto: native where the driver has it")
      ->check(CLI::IsMember({"auto", "native", "generic"}))
      ->capture_default_str();
  app.add_option("--clamp-mss", settings.clamp_mss,
                 "Tell TCP clients a segment size that fits after encapsulation; true or false")
      ->capture_default_str();
  app.add_option("--path-mtu", settings.path_mtu,
                 "Bytes of the largest packet from the gateways to this host; 0 = the interfaces' MTU")
      ->check(CLI::Range(0, 65535))
      ->capture_default_str();
  app.add_option("--telemetry", settings.telemetry,
                 "Measure the services' connections in the kernel (latency, resets, queues); true or false")
      ->capture_default_str();
  app.add_option("--check-scripts", settings.check_scripts,
                 "Folder of the scripts that local checks may run; without it none may");
  LoadFlags load;
  load.add_to(app);
  settings.tls.add_to(app);
  if (const auto code = common.parse(argc, argv)) return *code;
  settings.xdp = mode == "native" ? XdpMode::kNative : mode == "generic" ? XdpMode::kGeneric : XdpMode::kAuto;
  auto load_settings = load.settings();
  if (!load_settings) return fail(load_settings.error());
  settings.load = std::move(*load_settings);
  if (auto good = check(settings); !good) return fail(good.error());

  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, nullptr);  // before any thread, so that all inherit it
  const FileDescriptor stop(signalfd(-1, &signals, SFD_CLOEXEC));
  auto agent = Agent::start(std::move(settings));
  if (!agent) return fail(agent.error());
  (*agent)->run(stop.get());
  return kExitOk;
}
