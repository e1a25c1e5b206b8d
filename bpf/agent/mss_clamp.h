// The MSS clamp (bpf/mss.bpf.c) in the kernel: attached to the egress of this host's interfaces by tc
// (clsact), where it stays when the agent crashes; a successor replaces it in one step.
//
// One thread. All errors are sentences for a person.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "penstock/base/result.h"
#include "penstock/config/vip_prefix.h"

struct mss_bpf;

namespace penstock {

class MssClamp {
 public:
  /// Loads the program; nothing is attached yet.
  static Result<std::unique_ptr<MssClamp>> load(std::vector<std::string> interfaces);
  ~MssClamp();  // leaves what is attached attached
  MssClamp(const MssClamp&) = delete;
  MssClamp& operator=(const MssClamp&) = delete;

  /// VIPs with the bytes that encapsulation adds to their packets. path_mtu: of the way from the gateways, 0
  /// = that of the interfaces. Attaches while there is a VIP, detaches when there is none. Returns one
  /// sentence per interface that could not be served.
  [[nodiscard]] std::vector<std::string> set(const std::map<VipPrefix, std::uint32_t>& overheads,
                                             std::uint32_t path_mtu);

  /// Detaches our own filter and no other.
  [[nodiscard]] std::vector<std::string> detach();

 private:
  struct Destroy {
    void operator()(mss_bpf* program) const;
  };
  struct Port {
    std::string name;
    int attached_to = 0;    // interface index; 0 = not attached
    bool own_hook = false;  // the clsact qdisc is ours
  };

  explicit MssClamp(std::vector<std::string> interfaces);
  Status attach(Port& port);

  std::unique_ptr<mss_bpf, Destroy> program_;
  std::vector<Port> ports_;
};

}  // namespace penstock
