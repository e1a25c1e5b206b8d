// One run of one check, of whatever kind. Made by its start function, told to end by cancel() at the latest.
//
// Contract: `done` is called exactly once, from the loop's thread, never from within the start function or
// cancel(); also after cancel(), and soon. After it the run holds no descriptor and no process. A run keeps
// itself alive until then.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "bpf/agent/checks/check_spec.h"

namespace penstock {

struct CheckOutcome {
  bool passed = false;
  std::string detail;  // why not, in words of ours or of the peer
};

using CheckDone = std::function<void(CheckOutcome)>;

class CheckRun {
 public:
  virtual ~CheckRun() = default;
  virtual void cancel() = 0;
};

std::shared_ptr<CheckRun> start_tcp_check(boost::asio::io_context& io, const CheckSpec& spec, CheckDone done);
/// What runs of HTTPS share: the authorities that the host trusts.
class CheckTls;
std::shared_ptr<CheckTls> make_check_tls();
/// `tls` may be missing for HTTP.
std::shared_ptr<CheckRun> start_http_check(boost::asio::io_context& io, const CheckSpec& spec,
                                           const std::shared_ptr<CheckTls>& tls, CheckDone done);
/// The loop is shared: gRPC's threads hold it until their calls into it have returned.
std::shared_ptr<CheckRun> start_grpc_check(const std::shared_ptr<boost::asio::io_context>& io,
                                           const CheckSpec& spec, CheckDone done);
std::shared_ptr<CheckRun> start_udp_check(boost::asio::io_context& io, const CheckSpec& spec, CheckDone done);
/// `folder`: of the scripts; empty: none may run.
std::shared_ptr<CheckRun> start_script_check(boost::asio::io_context& io, const CheckSpec& spec,
                                             const std::string& folder, CheckDone done);

}  // namespace penstock
