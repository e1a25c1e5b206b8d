#include "controlplane/announce/routing_daemon.h"

#include "controlplane/announce/bird_daemon.h"
#include "controlplane/announce/frr_daemon.h"
#include "controlplane/announce/gobgp_daemon.h"

namespace penstock {

Result<std::unique_ptr<RoutingDaemon>> make_routing_daemon(const RoutingOptions& options) {
  if (options.daemon == "frr") return make_frr_daemon(options);
  if (options.daemon == "bird") return make_bird_daemon(options);
  if (options.daemon == "gobgp") return make_gobgp_daemon(options);
  return invalid("--routing", "'" + options.daemon + "' is not frr, bird or gobgp");
}

}  // namespace penstock
