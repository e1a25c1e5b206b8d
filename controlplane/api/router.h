// Method and path → handler. Paths are split at '/' first and percent-decoded after, so that an encoded slash
// is part of a name and never a separator; there are no dot segments and no trailing slashes.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/api/http.h"

namespace penstock {

class Router {
 public:
  /// The decoded segments that the pattern's `{…}` stood for, in order.
  using Captures = std::span<const std::string>;
  using Handler = std::function<HttpResponse(const HttpRequest&, Captures)>;

  /// `pattern` is like "/api/v1/services/{id}". A handler of kGet also answers HEAD; the server leaves the
  /// body out.
  void add(Method method, std::string_view pattern, Handler handler);

  /// The handler's answer, or a problem: 404, 405 with Allow, 400 for a malformed path or any query.
  [[nodiscard]] HttpResponse route(const HttpRequest& request) const;

 private:
  struct Route {
    Method method;
    std::vector<std::string> pattern;
    Handler handler;
  };

  std::vector<Route> routes_;
};

}  // namespace penstock
