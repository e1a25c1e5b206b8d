// Two agents on one interface would undo each other's work. A claim is held by a descriptor, so the kernel
// releases it however the process ends.
#pragma once

#include <string>

#include "bpf/agent/file_descriptor.h"
#include "penstock/base/result.h"

namespace penstock {

/// For an interface of this network namespace (an abstract unix socket, which is per namespace as interfaces
/// are).
Result<FileDescriptor> claim_interface(const std::string& name);

/// For the files of one node id: flock on `path`, which is created.
Result<FileDescriptor> claim_file(const std::string& path);

}  // namespace penstock
