// The cgroup sensor beside the kernel: a process that wants a whole CPU and gets a quarter.
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "bpf/agent/sensors/cgroups.h"
#include "penstock/base/clock.h"

namespace penstock {
namespace {

/// A cgroup with a quota, of whichever version this machine has. Removed with the object.
class QuotaCgroup {
 public:
  explicit QuotaCgroup(int quota_us) : path_("/penstock-test-" + std::to_string(getpid())) {
    const bool version_1 = std::filesystem::exists("/sys/fs/cgroup/cpu/cgroup.procs");
    for (const char* hierarchy : {"/cpu", "/cpuacct"}) {
      if (version_1) folders_.push_back("/sys/fs/cgroup" + std::string(hierarchy) + path_);
    }
    if (!version_1) folders_.push_back("/sys/fs/cgroup" + path_);
    std::error_code error;
    for (const std::string& folder : folders_) std::filesystem::create_directory(folder, error);
    ready_ = version_1 ? write(folders_[0] + "/cpu.cfs_quota_us", std::to_string(quota_us))
                       : write(folders_[0] + "/cpu.max", std::to_string(quota_us) + " 100000");
  }
  ~QuotaCgroup() {
    for (const std::string& folder : folders_) rmdir(folder.c_str());
  }
  QuotaCgroup(const QuotaCgroup&) = delete;
  QuotaCgroup& operator=(const QuotaCgroup&) = delete;

  [[nodiscard]] bool ready() const { return ready_; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool add(pid_t pid) const {
    bool added = true;
    for (const std::string& folder : folders_)
      added = write(folder + "/cgroup.procs", std::to_string(pid)) && added;
    return added;
  }

 private:
  static bool write(const std::string& path, const std::string& text) {
    std::ofstream file(path);
    file << text << std::flush;
    return file.good();
  }
  std::string path_;
  std::vector<std::string> folders_;
  bool ready_ = false;
};

TEST(RealCgroup, OfAProcessThatIsHeldBackIsFullAndThrottled) {
  const QuotaCgroup cgroup(25'000);
  if (!cgroup.ready()) GTEST_SKIP() << "no cgroup with a quota can be made here";
  const pid_t busy = fork();
  if (busy == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) asm volatile("");
  }
  EXPECT_TRUE(cgroup.add(busy));
  ServiceCgroups cgroups({}, {{"web", cgroup.path()}}, 2);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  bool met = false;
  double cpu = 0, throttled = 0;
  while (!met && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    cgroups.sample(monotonic_now());
    const CgroupLoad& load = *cgroups.of("web");
    if (load.cpu) cpu = load.cpu->value;
    if (load.throttled) throttled = load.throttled->value;
    met = cpu > 0.8 && cpu < 1.3 && throttled > 0.5;
  }
  EXPECT_TRUE(met) << "cpu " << cpu << ", throttled " << throttled;
  kill(busy, SIGKILL);
  waitpid(busy, nullptr, 0);
}

}  // namespace
}  // namespace penstock
