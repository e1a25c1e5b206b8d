// All of REST: the table of resources over the desired state and the streams.
#pragma once

#include <string>

#include "controlplane/api/router.h"
#include "controlplane/store/desired.h"
#include "controlplane/stream/streams.h"

namespace penstock {

class Api {
 public:
  /// Both outlive the Api. `version` is the program's.
  Api(Desired& desired, Streams& streams, std::string version);

  /// On the thread that owns `desired`; a write blocks it until the store has it on disk.
  [[nodiscard]] HttpResponse handle(const HttpRequest& request) const { return router_.route(request); }

 private:
  Router router_;
};

}  // namespace penstock
