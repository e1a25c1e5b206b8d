#include "controlplane/api/problem.h"

#include <nlohmann/json.hpp>

namespace penstock {
namespace {

using nlohmann::json;

const char* title(unsigned status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Content";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

}  // namespace

HttpResponse problem(unsigned status, const std::string& detail, const Problems& errors) {
  json list = json::array();
  for (const Problem& error : errors) list.push_back({{"field", error.field}, {"detail", error.detail}});
  const json body = {{"type", "about:blank"},
                     {"title", title(status)},
                     {"status", status},
                     {"detail", detail},
                     {"errors", std::move(list)}};
  // The request's own bytes may be quoted in `detail`, and need not be UTF-8.
  return {status, "application/problem+json", body.dump(-1, ' ', false, json::error_handler_t::replace), {}};
}

HttpResponse refused(const Problems& errors) {
  const std::size_t count = errors.size();
  return problem(
      422,
      "the document has " + (count == 1 ? std::string("a problem") : std::to_string(count) + " problems"),
      errors);
}

HttpResponse conflict(const Problems& errors) {
  return problem(409, "the document contradicts what is already configured", errors);
}

}  // namespace penstock
