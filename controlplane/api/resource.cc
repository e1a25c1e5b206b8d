#include "controlplane/api/resource.h"

#include <xxhash.h>

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <utility>

#include "controlplane/api/problem.h"
#include "controlplane/model/strict_json.h"

namespace penstock {
namespace {

using nlohmann::json;

std::string dump(const json& document) {
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// Whether an If-Match or If-None-Match list names `tag`; "*" names every tag.
bool names(std::string_view list, const std::string& tag) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find(','), list.size());
    std::string_view one = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    while (!one.empty() && (one.front() == ' ' || one.front() == '\t')) one.remove_prefix(1);
    while (!one.empty() && (one.back() == ' ' || one.back() == '\t')) one.remove_suffix(1);
    if (one == "*" || one == tag) return true;
  }
  return false;
}

/// The media type without parameters, in lower case.
std::string media_type(const std::string& content_type) {
  std::string type = content_type.substr(0, content_type.find(';'));
  while (!type.empty() && std::isspace(static_cast<unsigned char>(type.back())) != 0) type.pop_back();
  std::transform(type.begin(), type.end(), type.begin(), [](unsigned char c) { return std::tolower(c); });
  return type;
}

}  // namespace

std::string entity_tag(const json& document) {
  const std::string text = dump(document);
  char tag[24];
  std::snprintf(tag, sizeof tag, "\"%016llx\"",
                static_cast<unsigned long long>(XXH3_64bits(text.data(), text.size())));
  return tag;
}

HttpResponse json_response(unsigned status, const json& body) {
  return {status, "application/json", dump(body) + "\n", {}};
}

HttpResponse document_response(const HttpRequest& request, const json& body) {
  const std::string tag = entity_tag(body);
  HttpResponse response =
      names(request.if_none_match, tag) ? HttpResponse{304, "", "", {}} : json_response(200, body);
  response.headers.emplace_back("ETag", tag);
  return response;
}

HttpResponse written(unsigned status, const json& body, const json& tagged, std::uint64_t generation) {
  HttpResponse response = json_response(status, body);
  response.headers.emplace_back("ETag", entity_tag(tagged));
  response.headers.emplace_back("Penstock-Generation", std::to_string(generation));
  return response;
}

HttpResponse deleted(std::uint64_t generation) {
  return {204, "", "", {{"Penstock-Generation", std::to_string(generation)}}};
}

std::optional<HttpResponse> failed_precondition(const HttpRequest& request, const json* current) {
  const std::string tag = current == nullptr ? "" : entity_tag(*current);
  if (!request.if_match.empty() && (current == nullptr || !names(request.if_match, tag))) {
    return problem(412, current == nullptr
                            ? "If-Match was given, but there is no such resource"
                            : "the resource has changed since: it is now " + tag + "; read it again");
  }
  if (!request.if_none_match.empty() && current != nullptr && names(request.if_none_match, tag)) {
    return problem(412, "If-None-Match was given, but the resource exists: it is " + tag);
  }
  return std::nullopt;
}

Body json_body(const HttpRequest& request) {
  const bool patch = request.method == Method::kPatch;
  const std::string type = media_type(request.content_type);
  if (type != "application/json" && !(patch && type == "application/merge-patch+json")) {
    HttpResponse error = problem(415, std::string("send the body with Content-Type: application/json") +
                                          (patch ? " or application/merge-patch+json" : ""));
    error.headers.emplace_back(patch ? "Accept-Patch" : "Accept",
                               patch ? "application/merge-patch+json, application/json" : "application/json");
    return {std::nullopt, std::move(error)};
  }
  Problems problems;
  auto parsed = parse_json(request.body, problems);
  if (!parsed) return {std::nullopt, problem(400, "the body is not acceptable JSON", problems)};
  return {std::move(parsed), {}};
}

void settle_id(json& document, const std::string& id, Problems& problems) {
  if (!document.is_object()) return;
  const auto given = document.find("id");
  if (given == document.end()) {
    document["id"] = id;
  } else if (given->is_string() && given->get_ref<const std::string&>() != id) {
    problems.push_back({"id", "must be '" + id + "' as in the address, or left out"});
  }
}

Body merged_body(const HttpRequest& request, const json& current) {
  Body patch = json_body(request);
  if (!patch.json) return patch;
  if (!patch.json->is_object()) {
    return {std::nullopt,
            refused({{"", std::string("must be a JSON object, not ") + patch.json->type_name()}})};
  }
  json merged = current;
  merged.merge_patch(*patch.json);
  return {std::move(merged), {}};
}

std::optional<HttpResponse> unexpected_body(const HttpRequest& request) {
  if (request.body.empty()) return std::nullopt;
  return problem(400, "this request takes no body");
}

HttpResponse not_stored(const Error& error) {
  return problem(503, "nothing was changed, because the write could not be stored: " + error.text());
}

}  // namespace penstock
