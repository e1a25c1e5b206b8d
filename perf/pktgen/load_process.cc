#include "perf/pktgen/load_process.h"

#include <filesystem>

namespace penstock::perf {
namespace {

const std::string kFolder = PENSTOCK_SOURCE_DIR "/perf/pktgen";

// memif's ring, log2: the queue in which a dataplane whose core was taken away for a moment still loses
// nothing. 4096 packets are about a millisecond at the rates of this suite.
constexpr const char* kRing = "rsize=12";

// A full-size frame grows by 20 bytes.
std::string next_hop(const std::string& port) {
  return port + ",mac=02:00:00:00:00:01,source_v4=192.0.2.1,mtu=1600";
}

std::string generator_binary() {
  return std::filesystem::canonical("/proc/self/exe").parent_path().parent_path() / "bin" /
         "penstock-generator";
}

Result<ChildProcess> start_generator(const LoadPlan& plan) {
  std::vector<std::string> argv{
      generator_binary(),
      "--port",
      "net_memif0,role=client,socket=" + plan.folder + "/memif.sock,socket-abstract=no," + kRing,
      "--lcore",
      "1",
      "--scenarios",
      kFolder + "/scenarios.ini",
      "--result",
      result_path(plan),
  };
  if (plan.quick) {
    argv.insert(argv.end(), {"--trial-seconds", "0.3", "--confirm-seconds", "1", "--halvings", "5"});
  }
  for (const std::string& name : plan.scenarios) argv.insert(argv.end(), {"--scenario", name});
  return ChildProcess::start(argv, plan.folder + "/generator.log");
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

// Pktgen draws on a terminal, which script(1) gives it. What it is to do it reads from the environment.
Result<ChildProcess> start_pktgen(const LoadPlan& plan) {
  const std::string vhost = plan.folder + "/vhost";
  std::vector<std::string> environment{"env",
                                       "PENSTOCK_SCENARIOS=" + kFolder + "/scenarios.ini",
                                       "PENSTOCK_RESULT=" + result_path(plan),
                                       "PENSTOCK_QUICK=" + std::string(plan.quick ? "1" : "0"),
                                       "PENSTOCK_CHOSEN=" + joined(plan.scenarios),
                                       "PENSTOCK_PKT=" + kFolder + "/syn.pkt"};
  const std::string command =
      "exec '" + plan.pktgen_path + "' --lcores '0@0,1@1,2@1' --no-huge -m 2048 --no-pci" +
      " --file-prefix penstock-pktgen" + " --vdev 'net_virtio_user0,path=" + vhost +
      "0.sock,mac=02:00:00:00:00:01,speed=10000'" + " --vdev 'net_virtio_user1,path=" + vhost +
      "1.sock,mac=02:00:00:00:00:03,speed=10000'" + " -- -P -m '1.0,2.1' -f '" + kFolder + "/pktgen.lua'";
  environment.insert(environment.end(), {"TERM=xterm", "script", "-qfec", command, "/dev/null"});
  return ChildProcess::start(environment, plan.folder + "/generator.log");
}

}  // namespace

std::string result_path(const LoadPlan& plan) { return plan.folder + "/result.json"; }

std::vector<std::string> dataplane_flags(const LoadPlan& plan) {
  if (plan.pktgen_path.empty()) {
    return {"--port",
            "net_memif0,role=server,socket=" + plan.folder + "/memif.sock,socket-abstract=no," + kRing,
            "--static-next-hop", next_hop("net_memif0")};
  }
  const std::string vhost = ",iface=" + plan.folder + "/vhost";
  return {"--port",
          "net_vhost0" + vhost + "0.sock,queues=1",
          "--port",
          "net_vhost1" + vhost + "1.sock,queues=1",
          "--static-next-hop",
          next_hop("net_vhost0")};
}

Result<ChildProcess> start_load(const LoadPlan& plan) {
  return plan.pktgen_path.empty() ? start_generator(plan) : start_pktgen(plan);
}

}  // namespace penstock::perf
