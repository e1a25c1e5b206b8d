// What all resources have in common: documents with an entity tag, preconditions, bodies that must be JSON.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "controlplane/api/http.h"
#include "controlplane/model/problems.h"
#include "controlplane/store/desired.h"

namespace penstock {

/// A strong entity tag (RFC 9110, 8.8.3): a hash of the configured document, so it changes exactly when that
/// does.
[[nodiscard]] std::string entity_tag(const nlohmann::json& document);

[[nodiscard]] HttpResponse json_response(unsigned status, const nlohmann::json& body);

/// GET of a configured document: with ETag, or 304 when If-None-Match names it.
[[nodiscard]] HttpResponse document_response(const HttpRequest& request, const nlohmann::json& body);

/// The answer to an accepted write: the new document, its ETag and `Penstock-Generation`. `tagged` is the
/// configured part of the document, which the tag is made of.
[[nodiscard]] HttpResponse written(unsigned status, const nlohmann::json& body, const nlohmann::json& tagged,
                                   std::uint64_t generation);
/// 204 with `Penstock-Generation`, after a DELETE.
[[nodiscard]] HttpResponse deleted(std::uint64_t generation);

/// 412 when If-Match or If-None-Match of a write does not hold for `current` (null: the resource does not
/// exist).
[[nodiscard]] std::optional<HttpResponse> failed_precondition(const HttpRequest& request,
                                                              const nlohmann::json* current);

/// The request's JSON body, or what to answer instead: 415, 400.
struct Body {
  std::optional<nlohmann::json> json;
  HttpResponse error;
};
[[nodiscard]] Body json_body(const HttpRequest& request);

/// Adds the id of the address to a document without one, and complains about another id.
void settle_id(nlohmann::json& document, const std::string& id, Problems& problems);

/// `current` after a JSON merge patch (RFC 7396), or the answer to give instead.
[[nodiscard]] Body merged_body(const HttpRequest& request, const nlohmann::json& current);

/// 400 when a request that takes no body has one.
[[nodiscard]] std::optional<HttpResponse> unexpected_body(const HttpRequest& request);

/// A write that the store did not take.
[[nodiscard]] HttpResponse not_stored(const Error& error);

}  // namespace penstock
