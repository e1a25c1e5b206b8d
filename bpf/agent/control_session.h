// The node's stream to the control plane: reports go out, directives come in. It dials again for ever, with a
// growing, jittered pause between attempts (0.1 s to 3 s), and changes nothing on the host by itself: while
// there is no control plane, everything stays as the last directive said.
//
// Threads: the owner calls from one thread; the stream lives on threads of its own. Both sides meet in
// one-place mailboxes where the latest wins, so neither ever waits for the other.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/process/tls.h"
#include "penstock/proto/node.pb.h"

namespace penstock {

struct ControlSessionSettings {
  std::string node;
  std::string version;
  std::string target;  // HOST:PORT or unix:PATH
  TlsFiles tls;
};

class ControlSession {
 public:
  /// `wake` is called from another thread whenever take_directive() has something.
  static Result<std::unique_ptr<ControlSession>> start(ControlSessionSettings settings,
                                                       std::function<void()> wake);
  ~ControlSession();  // ends the stream

  /// Sent in the hello. A change makes the session start anew, for the hello is said once.
  void set_addresses(std::vector<std::string> addresses);
  void publish(proto::NodeStatus status);
  [[nodiscard]] std::optional<proto::NodeDirective> take_directive();

 private:
  class Worker;
  explicit ControlSession(std::unique_ptr<Worker> worker);
  std::unique_ptr<Worker> worker_;
};

}  // namespace penstock
