// Method and path → handler. Paths are split at '/' first and percent-decoded after, so that an encoded slash
// is part of a name and never a separator; there are no dot segments and no trailing slashes.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controlplane/api/http.h"

namespace penstock {

/// Nothing when a '%' is not followed by two hexadecimal digits.
[[nodiscard]] std::optional<std::string> percent_decode(std::string_view text);

class Router {
 public:
  /// The decoded segments that the pattern's `{…}` stood for, in order.
  using Captures = std::span<const std::string>;
  using Handler = std::function<HttpResponse(const HttpRequest&, Captures)>;

  /// `pattern` is like "/api/v1/services/{id}". A handler of kGet also answers HEAD; the server leaves the
  /// body out.
  void add(Method method, std::string_view pattern, Handler handler) {
    add_route(method, pattern, std::move(handler), false);
  }
  /// The same for a resource that reads the target's query (query.h); others refuse one.
  void add_with_query(Method method, std::string_view pattern, Handler handler) {
    add_route(method, pattern, std::move(handler), true);
  }

  /// The handler's answer, or a problem: 404, 405 with Allow, 400 for a malformed path or a query that is not
  /// taken.
  [[nodiscard]] HttpResponse route(const HttpRequest& request) const;

 private:
  struct Route {
    Method method;
    std::vector<std::string> pattern;
    Handler handler;
    bool takes_query;
  };

  void add_route(Method method, std::string_view pattern, Handler handler, bool takes_query);

  std::vector<Route> routes_;
};

}  // namespace penstock
