#include "controlplane/ctl/rest_client.h"

#include <algorithm>
#include <set>

namespace penstock {
namespace {

std::string text_of(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : std::string();
}

/// "The document is not valid (HTTP 422)" and, indented, each field's line.
Error refusal(const HttpResponse& response) {
  const ErrorCode code = response.status == 404 ? ErrorCode::kNotFound : ErrorCode::kFailedPrecondition;
  const std::string http = " (HTTP " + std::to_string(response.status) + ")";
  const Json problem = Json::parse(response.body, nullptr, false);
  if (!problem.is_object()) return Error{code, "the server refused without saying why" + http};
  std::string message = text_of(problem, "detail");
  if (message.empty()) message = text_of(problem, "title");
  if (message.empty()) message = "refused";
  message += http;
  if (const auto errors = problem.find("errors"); errors != problem.end() && errors->is_array()) {
    for (const Json& error : *errors) {
      if (!error.is_object()) continue;
      const std::string field = text_of(error, "field");
      message += "\n  " + (field.empty() ? "" : field + ": ") + text_of(error, "detail");
    }
  }
  return Error{code, std::move(message)};
}

}  // namespace

Result<Json> RestClient::call(const std::string& method, const Path& path, const Json* body,
                              const Query& query) const {
  HttpRequest request;
  request.method = method;
  request.target = "/api/v1";
  for (const std::string& segment : path) request.target += "/" + percent_encode(segment);
  char joint = '?';
  for (const auto& [name, value] : query) {
    request.target += joint + percent_encode(name) + "=" + percent_encode(value);
    joint = '&';
  }
  if (body != nullptr) {
    request.body = body->dump();
    request.content_type = method == "PATCH" ? "application/merge-patch+json" : "application/json";
  }
  auto response = http_.send(request);
  if (!response) return response.error();
  if (response->status < 200 || response->status > 299) return refusal(*response);
  if (response->body.empty()) return Json();
  Json value = Json::parse(response->body, nullptr, false);
  if (value.is_discarded())
    return unavailable("the server's answer is not JSON; is --server a Penstock control plane?");
  return value;
}

Result<Json> parse_json(std::string_view text) {
  std::vector<std::set<std::string>> keys;
  std::string duplicate;
  const auto watch = [&](int, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::object_start) keys.emplace_back();
    if (event == Json::parse_event_t::object_end) keys.pop_back();
    if (event == Json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second) {
      if (duplicate.empty()) duplicate = parsed.get<std::string>();
    }
    return true;
  };
  try {
    Json value = Json::parse(text, watch);
    if (!duplicate.empty()) return invalid(duplicate, "the key is given twice in one object");
    return value;
  } catch (const Json::parse_error& e) {
    const auto end = std::min<std::size_t>(e.byte, text.size());
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end), '\n');
    return invalid("", "line " + std::to_string(line) + ": not valid JSON");
  }
}

}  // namespace penstock
