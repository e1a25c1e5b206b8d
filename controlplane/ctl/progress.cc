#include "controlplane/ctl/progress.h"

#include <thread>

namespace penstock {

Status wait_until_done(const std::function<Result<Standing>()>& look, const Patience& patience,
                       std::ostream& out) {
  using Clock = std::chrono::steady_clock;
  const auto end = Clock::now() + patience.limit;
  std::string last;
  for (;;) {
    auto standing = look();
    if (!standing && standing.error().code != ErrorCode::kUnavailable) return standing.error();
    const std::string line = standing ? standing->line : "the control plane does not answer";
    if (line != last) out << line << std::endl;  // at once, also into a pipe
    last = line;
    if (standing && standing->failed) return *standing->failed;
    if (standing && standing->done) return Ok{};
    if (patience.limit.count() != 0 && Clock::now() >= end) {
      return Error{ErrorCode::kFailedPrecondition, "not done in time: " + last};
    }
    std::this_thread::sleep_for(patience.pause);
  }
}

}  // namespace penstock
