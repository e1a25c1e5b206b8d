// The control plane's REST interface as JSON values. A refusal becomes an Error whose message is ready to be
// printed: the problem document's sentence (RFC 9457), then one line per field.
//
// Error codes: Unavailable = no answer; InvalidArgument = the caller's command line; NotFound and
// FailedPrecondition = the server refused.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "controlplane/ctl/http_client.h"
#include "penstock/base/result.h"

namespace penstock {

using Json = nlohmann::ordered_json;

class RestClient {
 public:
  explicit RestClient(HttpClient http) : http_(std::move(http)) {}

  /// path below /api/v1, one element per segment; encoded here.
  using Path = std::vector<std::string>;

  /// names and values behind "?"; encoded here.
  using Query = std::vector<std::pair<std::string, std::string>>;

  Result<Json> get(const Path& path, const Query& query = {}) const {
    return call("GET", path, nullptr, query);
  }
  Result<Json> put(const Path& path, const Json& body) const { return call("PUT", path, &body); }
  Result<Json> post(const Path& path) const { return call("POST", path, nullptr); }
  Result<Json> post(const Path& path, const Json& body) const { return call("POST", path, &body); }
  /// A JSON merge patch (RFC 7396).
  Result<Json> patch(const Path& path, const Json& body) const { return call("PATCH", path, &body); }
  /// Null when the server has nothing to say.
  Result<Json> remove(const Path& path) const { return call("DELETE", path, nullptr); }

 private:
  Result<Json> call(const std::string& method, const Path& path, const Json* body,
                    const Query& query = {}) const;

  HttpClient http_;
};

/// JSON text as a value; duplicate keys, which the parser would silently merge, are refused with their name.
Result<Json> parse_json(std::string_view text);

}  // namespace penstock
