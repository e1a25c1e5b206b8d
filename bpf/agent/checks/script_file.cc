#include "bpf/agent/checks/script_file.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace penstock {
namespace {

Error cannot(const std::string& what, const std::string& why) { return unavailable(what + " " + why); }

/// Looked at before every run: what was right at the start may have been changed since.
Status may_run(const std::string& folder, const std::string& name) {
  if (folder.empty()) return unavailable("this node runs no scripts (--check-scripts)");
  const FileDescriptor directory(open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat status {};
  if (!directory.valid() || fstat(directory.get(), &status) != 0) {
    return cannot(folder, std::string("cannot be opened: ") + std::strerror(errno));
  }
  if ((status.st_mode & S_IWOTH) != 0) return cannot(folder, "may be written to by anybody");
  if (fstatat(directory.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    return cannot("script " + name + ":", std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) return cannot("script " + name, "is not a file");
  if ((status.st_mode & S_IWOTH) != 0) return cannot("script " + name, "may be written to by anybody");
  if ((status.st_mode & S_IXUSR) == 0) return cannot("script " + name, "is not executable");
  return Ok{};
}

/// Of posix_spawn; frees itself.
struct SpawnPlan {
  SpawnPlan() {
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

/// The agent blocks signals that it waits for; a script must not inherit that, nor any descriptor.
void plan(SpawnPlan& out, int output) {
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&out.attributes, &none);
  posix_spawnattr_setsigdefault(&out.attributes, &all);
  posix_spawnattr_setpgroup(&out.attributes, 0);
  posix_spawnattr_setflags(&out.attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  posix_spawn_file_actions_addopen(&out.actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&out.actions, output, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&out.actions, output, STDERR_FILENO);
  posix_spawn_file_actions_addclosefrom_np(&out.actions, STDERR_FILENO + 1);
  posix_spawn_file_actions_addchdir_np(&out.actions, "/");
}

}  // namespace

Result<ScriptProcess> start_script(const std::string& folder, const CheckSpec& spec) {
  if (auto good = may_run(folder, spec.script); !good) return good.error();
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return cannot("no pipe:", std::strerror(errno));
  ScriptProcess out;
  out.output = FileDescriptor(ends[0]);
  const FileDescriptor input(ends[1]);
  fcntl(out.output.get(), F_SETFL, O_NONBLOCK);
  SpawnPlan steps;
  plan(steps, input.get());
  std::string environment[] = {"PENSTOCK_SERVICE=" + spec.service, "PENSTOCK_VIP=" + spec.address.text(),
                               "PENSTOCK_PORT=" + std::to_string(spec.port),
                               "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"};
  char* variables[] = {environment[0].data(), environment[1].data(), environment[2].data(),
                       environment[3].data(), nullptr};
  std::string path = folder + "/" + spec.script;
  char* arguments[] = {path.data(), nullptr};
  const int failed =
      posix_spawn(&out.pid, path.c_str(), &steps.actions, &steps.attributes, arguments, variables);
  if (failed != 0) return cannot("script " + spec.script + " cannot be run:", std::strerror(failed));
  out.ended = FileDescriptor(static_cast<int>(syscall(SYS_pidfd_open, out.pid, 0)));
  if (!out.ended.valid()) {
    const int why = errno;
    kill(-out.pid, SIGKILL);
    waitpid(out.pid, nullptr, 0);
    return cannot("script " + spec.script + " cannot be watched:", std::strerror(why));
  }
  return out;
}

}  // namespace penstock
