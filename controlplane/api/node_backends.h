// The backends that live on a node: those at one of the addresses that its agent named.
#pragma once

#include <functional>
#include <string>

#include "controlplane/api/http.h"
#include "controlplane/model/desired_state.h"
#include "controlplane/store/desired.h"
#include "controlplane/stream/streams.h"

namespace penstock {

/// Changes every backend of the node in one generation, or in none when nothing differs, and answers which
/// they are: {"node":…,"generation":…,"backends":[{…,"service":…}]}. 404 for a node that has not connected
/// since this control plane began, as nobody knows its addresses.
HttpResponse change_backends_of_node(Desired& desired, const Streams& streams, const std::string& node,
                                     const std::function<void(Backend&)>& change_backend);

}  // namespace penstock
