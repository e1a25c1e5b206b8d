// Waiting for a drain or an upgrade to be done, with a line for each step on the way.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <ostream>
#include <string>

#include "penstock/base/result.h"

namespace penstock {

/// How things stand at one look.
struct Standing {
  std::string line;             // "34 flows left"; printed when it differs from the line before
  bool done = false;            // nothing more to wait for
  std::optional<Error> failed;  // it will never be done
};

struct Patience {
  std::chrono::milliseconds limit{0};    // 0 = for ever
  std::chrono::milliseconds pause{500};  // between two looks
};

/// Looks until it is done (Ok), has failed (that error), or the limit is over (FailedPrecondition with the
/// last line). A server that does not answer for a while is waited for, too: it may be restarting.
Status wait_until_done(const std::function<Result<Standing>()>& look, const Patience& patience,
                       std::ostream& out);

}  // namespace penstock
