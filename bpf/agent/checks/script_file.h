// Whether a script may run, and how it is started.
#pragma once

#include <sys/types.h>

#include <string>

#include "bpf/agent/checks/check_spec.h"
#include "bpf/agent/file_descriptor.h"
#include "penstock/base/result.h"

namespace penstock {

struct ScriptProcess {
  pid_t pid = -1;         // leader of a group of its own
  FileDescriptor ended;   // pidfd, readable when the leader has ended
  FileDescriptor output;  // of the script, non-blocking
};

/// Starts `folder`/`spec.script` without a shell, with PENSTOCK_SERVICE, PENSTOCK_VIP, PENSTOCK_PORT and PATH
/// in its environment, nothing to read, and one pipe for all that it says. An error: it does not exist, is no
/// executable file, or it or its folder could be changed by anybody. Never blocks for longer than an exec.
Result<ScriptProcess> start_script(const std::string& folder, const CheckSpec& spec);

}  // namespace penstock
