// Runs a script; passed when it ends with exit code 0. Its first line becomes the detail.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <utility>

#include "bpf/agent/checks/check_run.h"
#include "bpf/agent/checks/script_file.h"

namespace penstock {
namespace {

using boost::system::error_code;
using Descriptor = boost::asio::posix::stream_descriptor;

constexpr std::size_t kMaxOutput = 64 << 10;
constexpr std::size_t kMaxLine = 200;

class ScriptCheck : public CheckRun, public std::enable_shared_from_this<ScriptCheck> {
 public:
  ScriptCheck(boost::asio::io_context& io, const CheckSpec& spec, CheckDone done)
      : ended_(io), output_(io), spec_(spec), done_(std::move(done)) {}

  void start(const std::string& folder) {
    auto process = start_script(folder, spec_);
    if (!process) {
      boost::asio::post(ended_.get_executor(), [self = shared_from_this(), why = process.error().text()] {
        self->done_({false, why});
      });
      return;
    }
    pid_ = process->pid;
    ended_.assign(process->ended.release());
    output_.assign(process->output.release());
    ended_.async_wait(Descriptor::wait_read, [self = shared_from_this()](error_code) { self->finish(); });
    read();
  }

  void cancel() override { kill_group(); }

 private:
  /// Nobody else can have the group's number as long as its leader has not been waited for.
  void kill_group() const {
    if (pid_ > 0) kill(-pid_, SIGKILL);
  }

  void read() {
    output_.async_read_some(boost::asio::buffer(chunk_),
                            [self = shared_from_this()](error_code error, std::size_t bytes) {
                              if (error || self->pid_ < 0) return;
                              self->take(bytes);
                              if (self->seen_ <= kMaxOutput) return self->read();
                              self->kill_group();
                            });
  }

  void take(std::size_t bytes) {
    seen_ += bytes;
    const std::size_t more = std::min(bytes, kMaxLine - line_.size());
    if (line_.find('\n') == std::string::npos) line_.append(chunk_.data(), more);
  }

  /// What it left behind in its group is ended with it: checks must not pile up.
  void finish() {
    while (seen_ <= kMaxOutput) {  // what came between the last look and the end
      const ssize_t bytes = ::read(output_.native_handle(), chunk_.data(), chunk_.size());
      if (bytes <= 0) break;
      take(static_cast<std::size_t>(bytes));
    }
    kill_group();
    int status = 0;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    error_code ignored;
    ended_.close(ignored);
    output_.close(ignored);
    done_(outcome(status));
  }

  [[nodiscard]] CheckOutcome outcome(int status) const {
    const std::string line = line_.substr(0, line_.find('\n'));
    if (seen_ > kMaxOutput) return {false, "wrote more than 64 KiB: " + line};
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {true, line};
    const std::string how = WIFEXITED(status) ? "exit code " + std::to_string(WEXITSTATUS(status))
                                              : "signal " + std::to_string(WTERMSIG(status));
    return {false, line.empty() ? how : how + ": " + line};
  }

  Descriptor ended_;
  Descriptor output_;
  const CheckSpec spec_;
  const CheckDone done_;
  pid_t pid_ = -1;
  std::array<char, 4096> chunk_{};
  std::string line_;
  std::size_t seen_ = 0;
};

}  // namespace

std::shared_ptr<CheckRun> start_script_check(boost::asio::io_context& io, const CheckSpec& spec,
                                             const std::string& folder, CheckDone done) {
  auto run = std::make_shared<ScriptCheck>(io, spec, std::move(done));
  run->start(folder);
  return run;
}

}  // namespace penstock
