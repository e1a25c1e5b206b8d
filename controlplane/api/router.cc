#include "controlplane/api/router.h"

#include <optional>
#include <utility>

#include "controlplane/api/problem.h"

namespace penstock {
namespace {

std::vector<std::string> split(std::string_view path) {
  std::vector<std::string> out;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const std::size_t end = std::min(path.find('/'), path.size());
    out.emplace_back(path.substr(0, end));
    path.remove_prefix(end);
  }
  return out;
}

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The path of an origin-form or absolute-form target (RFC 9112, 3.2), with its query if there is one.
std::string_view origin_form(std::string_view target) {
  const std::size_t scheme = target.find("://");
  if (target.starts_with('/') || scheme == std::string_view::npos) return target;
  const std::size_t path = target.find('/', scheme + 3);
  return path == std::string_view::npos ? "/" : target.substr(path);
}

const char* name(Method method) {
  switch (method) {
    case Method::kGet:
      return "GET, HEAD";
    case Method::kPost:
      return "POST";
    case Method::kPut:
      return "PUT";
    case Method::kPatch:
      return "PATCH";
    case Method::kDelete:
      return "DELETE";
    default:
      return "";
  }
}

bool match(const std::vector<std::string>& pattern, const std::vector<std::string>& path,
           std::vector<std::string>& captures) {
  if (pattern.size() != path.size()) return false;
  captures.clear();
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (pattern[i].starts_with('{') && !path[i].empty()) {
      captures.push_back(path[i]);
    } else if (pattern[i] != path[i]) {
      return false;
    }
  }
  return true;
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex(text[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

void Router::add_route(Method method, std::string_view pattern, Handler handler, bool takes_query) {
  routes_.push_back({method, split(pattern), std::move(handler), takes_query});
}

HttpResponse Router::route(const HttpRequest& request) const {
  std::string_view target = origin_form(request.target);
  if (!target.starts_with('/'))
    return problem(400, "the request's target must be a path that starts with '/'");
  if (target.find('#') != std::string_view::npos) return problem(400, "a target has no fragment");
  const std::size_t query = target.find('?');
  const bool has_query = query != std::string_view::npos;
  target = target.substr(0, query);
  std::vector<std::string> path = split(target);
  for (std::string& segment : path) {
    auto decoded = percent_decode(segment);
    if (!decoded) return problem(400, "the path has a '%' that two hexadecimal digits do not follow");
    segment = std::move(*decoded);
  }
  const Method method = request.method == Method::kHead ? Method::kGet : request.method;
  std::string allow;
  std::vector<std::string> captures;
  for (const Route& route : routes_) {
    if (!match(route.pattern, path, captures)) continue;
    if (route.method == method && has_query && !route.takes_query) {
      return problem(400, "this resource takes no query");
    }
    if (route.method == method) return route.handler(request, captures);
    allow += (allow.empty() ? "" : ", ") + std::string(name(route.method));
  }
  if (allow.empty()) return problem(404, "there is nothing at " + std::string(target));
  HttpResponse response = problem(405, "this resource takes " + allow);
  response.headers.emplace_back("Allow", allow);
  return response;
}

}  // namespace penstock
