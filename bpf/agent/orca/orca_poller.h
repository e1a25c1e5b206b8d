// Asks an application for its ORCA report once a second: a URL on loopback whose answer has it in the header
// `endpoint-load-metrics`, or else as JSON in its body. One thread for each, which may block up to the
// timeout.
#pragma once

#include <memory>
#include <string>
#include <thread>

#include "bpf/agent/file_descriptor.h"
#include "bpf/agent/load_settings.h"
#include "bpf/agent/orca/orca_store.h"
#include "penstock/base/result.h"

namespace penstock {

class OrcaPoller {
 public:
  static Result<std::unique_ptr<OrcaPoller>> start(const OrcaEndpoint& endpoint, OrcaStore& store,
                                                   Nanoseconds interval = Nanoseconds::from_seconds(1));
  ~OrcaPoller();
  OrcaPoller(const OrcaPoller&) = delete;
  OrcaPoller& operator=(const OrcaPoller&) = delete;

 private:
  OrcaPoller(OrcaEndpoint endpoint, OrcaStore& store, Nanoseconds interval, FileDescriptor stop);
  void run();
  Status ask();

  const OrcaEndpoint endpoint_;
  const std::string name_;
  const Nanoseconds interval_;
  OrcaStore& store_;
  FileDescriptor stop_;
  std::thread thread_;
};

}  // namespace penstock
