#include "controlplane/announce/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <utility>

extern char** environ;

namespace penstock {
namespace {

constexpr std::size_t kMaxOutput = 8 << 20;

/// What a child starts with, whatever this process did with its own signals and descriptors.
struct SpawnPlan {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;

  explicit SpawnPlan(int output) {
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, 1);
    posix_spawn_file_actions_adddup2(&actions, output, 2);
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setpgroup(&attributes, 0);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
};

}  // namespace

Result<ChildProcess> ChildProcess::start(const std::vector<std::string>& words) {
  if (words.empty()) return invalid("", "an empty command");
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    return unavailable(std::string("no pipe: ") + std::strerror(errno));
  }
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  pid_t pid = -1;
  const SpawnPlan plan(ends[1]);
  const int rc = posix_spawnp(&pid, argv[0], &plan.actions, &plan.attributes, argv.data(), environ);
  close(ends[1]);
  if (rc != 0) {
    close(ends[0]);
    return Error{ErrorCode::kNotFound, "cannot start " + words[0] + ": " + std::strerror(rc)};
  }
  return ChildProcess(pid, ends[0]);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      output_fd_(std::exchange(other.output_fd_, -1)),
      output_(std::move(other.output_)) {}

ChildProcess::~ChildProcess() {
  if (pid_ > 0) {
    kill();
    waitpid(pid_, nullptr, 0);
  }
  if (output_fd_ >= 0) close(output_fd_);
}

void ChildProcess::kill() {
  if (pid_ > 0) ::kill(-pid_, SIGKILL);
}

void ChildProcess::read_output() {
  char chunk[1 << 14];
  for (;;) {
    const ssize_t n = read(output_fd_, chunk, sizeof chunk);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return;
    if (output_.size() < kMaxOutput) output_.append(chunk, static_cast<std::size_t>(n));
  }
}

std::optional<ChildProcess::Exit> ChildProcess::wait(std::chrono::milliseconds longest) {
  const auto end = std::chrono::steady_clock::now() + longest;
  for (;;) {
    read_output();
    int status = 0;
    const pid_t ended = waitpid(pid_, &status, WNOHANG);
    if (ended == pid_ || (ended < 0 && errno == ECHILD)) {
      pid_ = -1;
      read_output();
      return Exit{WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status), std::move(output_)};
    }
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return std::nullopt;
    // The pipe wakes us for output; its end says nothing while a grandchild holds it, hence the short steps.
    pollfd output{output_fd_, POLLIN, 0};
    const int step = static_cast<int>(std::min<long>(left.count(), 10));
    if (poll(&output, 1, step) > 0 && (output.revents & POLLHUP) != 0) usleep(1000);
  }
}

std::string failure_text(const std::string& command, const ChildProcess::Exit& exit) {
  std::string said = exit.output.substr(0, exit.output.find('\n'));
  for (std::size_t at = 0; at < exit.output.size();) {  // vtysh and birdc complain behind a greeting
    const std::size_t end = std::min(exit.output.find('\n', at), exit.output.size());
    const std::string line = exit.output.substr(at, end - at);
    if (line.find('%') != std::string::npos || line.find("rror") != std::string::npos) {
      said = line;
      break;
    }
    at = end + 1;
  }
  return command + " failed with status " + std::to_string(exit.status) + (said.empty() ? "" : ": " + said);
}

Result<std::string> run_command(const std::vector<std::string>& words, std::chrono::milliseconds timeout) {
  auto child = ChildProcess::start(words);
  if (!child) return child.error();
  auto exit = child->wait(timeout);
  if (!exit) return unavailable(words[0] + " did not end within " + std::to_string(timeout.count()) + " ms");
  if (exit->status != 0) return unavailable(failure_text(words[0], *exit));
  return std::move(exit->output);
}

}  // namespace penstock
