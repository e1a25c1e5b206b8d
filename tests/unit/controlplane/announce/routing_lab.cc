#include "routing_lab.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

namespace penstock::test {
namespace {

const std::string kScripts = PENSTOCK_SOURCE_DIR "/scripts/";
const std::string kVips = " VIP_PREFIXES_V4=203.0.113.0/24 VIP_PREFIXES_V6=2001:db8:ffff::/64";

}  // namespace

std::string RoutingLab::shell(const std::string& command) {
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(popen(("{ " + command + "\n} 2>&1").c_str(), "r"), &pclose);
  std::string out;
  std::array<char, 4096> chunk;
  while (std::size_t n = fread(chunk.data(), 1, chunk.size(), pipe.get())) out.append(chunk.data(), n);
  return out;
}

RoutingLab::RoutingLab(const std::string& daemon) : name_("agent" + std::to_string(getpid())) {
  char pattern[] = "/tmp/penstock-routing-XXXXXX";
  dir_ = mkdtemp(pattern);
  std::filesystem::permissions(dir_, std::filesystem::perms::all);  // FRR and BIRD are other users
  const std::string r = name_ + "r", g = name_ + "g";
  for (const auto& ns : {r, g}) shell("ip netns add " + ns + "; ip -n " + ns + " link set lo up");
  shell("ip link add eth0 netns " + r + " type veth peer name eth0 netns " + g);
  const auto address = [](const std::string& ns, const std::string& last) {
    shell("ip -n " + ns + " addr add 10.0.1." + last + "/24 dev eth0; ip -n " + ns +
          " addr add fd00:1::" + last + "/64 dev eth0 nodad; ip -n " + ns + " link set eth0 up");
  };
  address(r, "1");
  address(g, "2");
  render("frr", "router.conf.in",
         "HOSTNAME=r ROUTER_ID=10.0.0.1 LOCAL_AS=65000 GATEWAY_AS=65001 GATEWAYS_V4=10.0.1.2 "
         "GATEWAYS_V6=fd00:1::2" +
             kVips,
         dir_ + "/router.conf");
  start_frr(r, dir_ + "/router.conf");

  const std::string identity = "ROUTER_ID=10.0.1.2 LOCAL_AS=65001 ROUTER_AS=65000 ";
  const std::string routers = "ROUTERS_V4=10.0.1.1 ROUTERS_V6=fd00:1::1";
  const std::string conf = dir_ + "/gateway.conf";
  options_.daemon = daemon;
  if (daemon == "frr") {
    render("frr", "gateway.conf.in", "HOSTNAME=g " + identity + routers + kVips, conf);
    start_frr(g, conf);
    options_.vtysh_instance = g;
  } else if (daemon == "bird") {
    options_.bird_socket = dir_ + "/bird.ctl";
    options_.bird_include = dir_ + "/penstock.conf";
    std::filesystem::copy_file(kScripts + "bird/penstock.conf", options_.bird_include);
    render("bird", "gateway.conf.in", identity + routers + kVips + " INCLUDE=" + options_.bird_include, conf);
    shell("ip netns exec " + g + " bird -c " + conf + " -s " + options_.bird_socket + " -P " + dir_ +
          "/bird.pid");
    pid_files_.push_back(dir_ + "/bird.pid");
  } else {
    options_.gobgp = "unix:" + dir_ + "/gobgp.sock";
    render("gobgp", "gateway.toml.in", identity + "ROUTER_V4=10.0.1.1 ROUTER_V6=fd00:1::1", conf);
    shell("ip netns exec " + g + " sh -c 'echo $$ > " + dir_ + "/gobgp.pid; exec gobgpd -f " + conf +
          " -t toml --api-hosts unix://" + dir_ + "/gobgp.sock' > " + dir_ + "/gobgp.log 2>&1 &");
    pid_files_.push_back(dir_ + "/gobgp.pid");
  }
}

RoutingLab::~RoutingLab() {
  kill_daemon();
  for (const char* end : {"r", "g"}) {
    const std::string ns = name_ + end;
    shell("for f in /var/run/frr/" + ns + "/*.pid; do kill -9 $(cat $f); done; ip netns del " + ns +
          "; rm -rf /etc/frr/" + ns + " /var/run/frr/" + ns);
  }
  std::filesystem::remove_all(dir_);
}

void RoutingLab::kill_daemon() {
  for (const auto& file : pid_files_) shell("kill -9 $(cat " + file + "); rm -f " + file);
  pid_files_.clear();
}

void RoutingLab::go_silent() const {
  for (const char* router : {"10.0.1.1", "fd00:1::1"}) {
    shell("ip -n " + name_ + "g neigh replace " + router +
          " lladdr 02:00:00:00:00:99 dev eth0 nud permanent");
  }
}

void RoutingLab::render(const std::string& folder, const std::string& name, const std::string& values,
                        const std::string& to) const {
  shell(kScripts + "frr/render.sh " + kScripts + folder + "/" + name + " " + values + " > " + to);
}

void RoutingLab::start_frr(const std::string& ns, const std::string& conf) {
  const std::string etc = "/etc/frr/" + ns, run = "/var/run/frr/" + ns;
  shell("mkdir -p " + etc + " " + run + "; chown frr:frr " + etc + " " + run + "; : > " + etc +
        "/vtysh.conf; cp " + conf + " " + etc + "/frr.conf");
  for (const std::string daemon : {"zebra", "bgpd", "bfdd"}) {
    shell("ip netns exec " + ns + " /usr/lib/frr/" + daemon + " -d -N " + ns + " -f /dev/null -i " + run +
          "/" + daemon + ".pid");
    if (ns.back() == 'g') pid_files_.push_back(run + "/" + daemon + ".pid");
  }
  shell("vtysh -N " + ns + " -b");
}

nlohmann::json RoutingLab::vtysh(const std::string& command) const {
  return nlohmann::json::parse(shell("vtysh -N " + name_ + "r -c '" + command + " json'"), nullptr, false);
}

bool RoutingLab::sessions_up() const {
  const auto summary = vtysh("show bgp summary");
  for (const auto& [family, peer] :
       {std::pair("ipv4Unicast", "10.0.1.2"), std::pair("ipv6Unicast", "fd00:1::2")}) {
    if (!summary.is_object() || !summary.contains(family)) return false;
    if (summary[family]["peers"][peer].value("state", "") != "Established") return false;
  }
  return true;
}

nlohmann::json RoutingLab::path(const std::string& vip) const {
  const bool v6 = vip.find(':') != std::string::npos;
  const auto answer =
      vtysh(std::string("show bgp ") + (v6 ? "ipv6" : "ipv4") + " unicast " + vip + (v6 ? "/128" : "/32"));
  if (!answer.is_object() || !answer.contains("paths") || answer["paths"].empty()) return nullptr;
  return answer["paths"][0];
}

bool RoutingLab::routed(const std::string& vip) const {
  const std::string family = vip.find(':') != std::string::npos ? "-6" : "-4";
  return shell("ip -n " + name_ + "r " + family + " route show " + vip).find("via") != std::string::npos;
}

int RoutingLab::bfd_interval_ms() const {
  const auto peers = vtysh("show bfd peers");
  if (!peers.is_array()) return 0;
  for (const auto& peer : peers) {
    if (peer.value("peer", "") == "10.0.1.2" && peer.value("status", "") == "up") {
      return peer.value("remote-transmit-interval", 0);
    }
  }
  return 0;
}

void RoutingLab::enter_gateway() const {
  const int fd = open(("/var/run/netns/" + name_ + "g").c_str(), O_RDONLY | O_CLOEXEC);
  setns(fd, CLONE_NEWNET);
  close(fd);
}

}  // namespace penstock::test
