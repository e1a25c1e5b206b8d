#include "tests/unit/bpf/agent/backend_host.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>
#include <utility>

namespace penstock {
namespace {

struct Output {
  bool good = false;
  std::string text;
};

Output shell(const std::string& command) {
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("popen");
  Output out;
  char chunk[4096];
  for (std::size_t n; (n = fread(chunk, 1, sizeof chunk, pipe)) > 0;) out.text.append(chunk, n);
  out.good = pclose(pipe) == 0;
  return out;
}

void must(const std::string& command) {
  const Output out = shell(command);
  if (!out.good) throw std::runtime_error(command + ": " + out.text);
}

std::string script(const std::string& name) { return std::string(PENSTOCK_SCRIPTS) + "/" + name; }

}  // namespace

Child::Child(const std::string& network_namespace, std::vector<std::string> arguments,
             const std::string& log) {
  std::vector<std::string> words = {"/usr/bin/nsenter", "--net=/var/run/netns/" + network_namespace};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  dup2(out, 1);
  dup2(out, 2);
  execv(argv[0], argv.data());
  _exit(127);
}

Child::Child(Child&& other) noexcept : pid_(std::exchange(other.pid_, 0)) {}

Child::~Child() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void Child::signal(int number) const {
  if (pid_ > 0) kill(pid_, number);
}

int Child::wait() {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(15);
  int status = -1;
  while (std::chrono::steady_clock::now() < deadline) {
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = 0;
      return status;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return -1;
}

BackendHost::BackendHost() : prefix_("penstock-node-test-" + std::to_string(getpid())) {
  char folder[] = "/tmp/penstock-node-test-XXXXXX";
  if (mkdtemp(folder) == nullptr) throw std::runtime_error("mkdtemp");
  folder_ = folder;
  for (const std::string& name : {client(), backend()}) {
    must("ip netns add " + name);
    must("ip -n " + name + " link set lo up");
  }
  join_interfaces();
}

void BackendHost::join_interfaces() const {
  must("ip -n " + client() +
       " link add veth0 mtu 1600 numrxqueues 1 numtxqueues 1 type veth peer name eth0 mtu 1600 "
       "numrxqueues 1 numtxqueues 1 netns " +
       backend());
  const std::string c = "ip -n " + client() + " ";
  const std::string b = "ip -n " + backend() + " ";
  must(c + "address add 10.9.0.1/24 dev veth0");
  must(c + "address add fd00:9::1/64 dev veth0 nodad");
  must(c + "link set veth0 up");
  must(b + "address add 10.9.0.2/24 dev eth0");
  must(b + "address add fd00:9::2/64 dev eth0 nodad");
  must(b + "link set eth0 up");
  must(b + "route add default via 10.9.0.1");
  must(b + "-6 route add default via fd00:9::1");
  // Packets that reach XDP must carry finished checksums.
  must("nsenter --net=/var/run/netns/" + client() + " ethtool -K veth0 tx off");
}

BackendHost::~BackendHost() {
  shell("ip netns del " + client());
  shell("ip netns del " + backend());
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::string BackendHost::in_backend(const std::string& command) const {
  return shell("nsenter --net=/var/run/netns/" + backend() + " " + command).text;
}

std::string BackendHost::log(const std::string& name) const {
  std::ifstream file(folder_ + "/" + name);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string BackendHost::exchange(const std::string& form, int outer_family, const std::string& vip,
                                  int mss) const {
  const std::string link = in_backend("ip -o link show eth0");
  const auto at = link.find("link/ether ");
  if (at == std::string::npos) return "no MAC address in: " + link;
  const std::string outer = outer_family == 4 ? "10.9.0.1 10.9.0.2" : "fd00:9::1 fd00:9::2";
  const Output out = shell("nsenter --net=/var/run/netns/" + client() + " /usr/bin/python3 " +
                           script("client.py") + " veth0 " + link.substr(at + 11, 17) + " " + form + " " +
                           outer + " " + vip + (mss != 0 ? " " + std::to_string(mss) : ""));
  return out.good ? "" : "client.py failed: " + out.text;
}

Child BackendHost::serve(const std::vector<std::string>& vips) const {
  std::vector<std::string> arguments = {"/usr/bin/python3", script("servers.py")};
  arguments.insert(arguments.end(), vips.begin(), vips.end());
  std::filesystem::remove(folder_ + "/servers");
  Child child(backend(), arguments, folder_ + "/servers");
  for (int i = 0; i < 1500; ++i) {
    if (log("servers").find("ready") != std::string::npos) return child;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  throw std::runtime_error("servers.py: " + log("servers"));
}

}  // namespace penstock
