// The few per-interface sysctls without which direct server return goes wrong. Only what is needed is raised,
// on the given interfaces only, and put back at the end.
//
//   arp_ignore 1     a VIP on `lo` is not answered for on the wire, where the gateways or the router own it
//   arp_announce 2   a VIP is not put into ARP requests, whose receivers would learn it as ours
//   rp_filter 2      only where strict filtering (1) is in force: clients' packets come from the gateways'
//   side, which
//                    need not be the way back to the client
// The kernel applies the maximum of `all` and the interface's own value (net/ipv4, ip-sysctl), hence never
// lowered.
//
// What was found is written to `journal` before it is changed, so that a successor of a killed process can
// put it back. One thread.
#pragma once

#include <string>
#include <vector>

namespace penstock {

class InterfaceSysctls {
 public:
  /// `journal`: a file that only this process writes.
  explicit InterfaceSysctls(std::string journal);

  /// Raises what is too low. Cheap when nothing is. Returns one sentence per value that could not be set.
  std::vector<std::string> apply(const std::vector<std::string>& interfaces);

  /// Puts back every value that still is what we set, and forgets it.
  std::vector<std::string> restore();

 private:
  struct Change {
    std::string path;  // below /proc/sys/net/ipv4/conf/
    int before = 0;
    int after = 0;
  };
  void load();
  bool save() const;

  std::string journal_;
  std::vector<Change> changes_;
};

}  // namespace penstock
