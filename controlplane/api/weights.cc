#include "controlplane/api/weights.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>

#include "controlplane/api/problem.h"
#include "controlplane/api/query.h"
#include "controlplane/api/resource.h"
#include "controlplane/api/services.h"
#include "controlplane/api/weight_document.h"

namespace penstock {
namespace {

using nlohmann::json;

constexpr std::size_t kDefaultInstants = 600;
constexpr std::size_t kMostInstants = 10'000;
// Backends times instants in one answer, some 150 bytes each.
constexpr std::size_t kMostPoints = 200'000;

double unix_seconds() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

std::optional<double> number_from(const std::string& text) {
  double value = 0;
  const char* const last = text.data() + text.size();
  const auto [end, failed] = std::from_chars(text.data(), last, value, std::chars_format::fixed);
  if (failed != std::errc() || end != last || !std::isfinite(value)) return std::nullopt;
  return value;
}

struct Span {
  double from = 0;
  double to = 0;
  std::size_t limit = kDefaultInstants;
};

Span read_span(const HttpRequest& request, double now, Problems& problems) {
  const auto query = read_query(request.target, {"from", "to", "limit"}, problems);
  const auto time = [&](const char* name, double otherwise) {
    const auto given = query.find(name);
    if (given == query.end()) return otherwise;
    const auto value = number_from(given->second);
    if (!value) problems.push_back({name, "must be Unix seconds, or negative: seconds before now"});
    return value.value_or(otherwise) < 0 ? now + value.value_or(0) : value.value_or(otherwise);
  };
  Span out{time("from", now - load::WeightHistory::kCoarseSpan), time("to", now), kDefaultInstants};
  if (const auto given = query.find("limit"); given != query.end()) {
    const auto value = number_from(given->second);
    if (!value || *value < 1 || *value > kMostInstants || *value != std::floor(*value)) {
      problems.push_back({"limit", "must be a whole number, 1–" + std::to_string(kMostInstants)});
    } else {
      out.limit = static_cast<std::size_t>(*value);
    }
  }
  if (problems.empty() && out.from > out.to) problems.push_back({"from", "must not be after to"});
  return out;
}

HttpResponse history(const HttpRequest& request, const Service& service, const WeightBoard& board) {
  Problems problems;
  const Span span = read_span(request, unix_seconds(), problems);
  if (!problems.empty()) return problem(400, "the query is not acceptable", problems);
  const std::size_t fits =
      std::max<std::size_t>(1, kMostPoints / std::max<std::size_t>(1, service.backends.size()));
  json items = json::array();
  for (const auto& instant :
       board.history().find(service.id, span.from, span.to, std::min(span.limit, fits))) {
    items.push_back(to_json(instant));
  }
  return json_response(
      200, {{"service", service.id}, {"from", span.from}, {"to", span.to}, {"items", std::move(items)}});
}

}  // namespace

void add_weight_routes(Router& router, Desired& desired, const WeightBoard& board) {
  const auto service_of = [&desired](const std::string& id) -> std::shared_ptr<const Service> {
    const auto found = desired.now()->services.find(id);
    return found == desired.now()->services.end() ? nullptr : found->second;
  };
  router.add(Method::kGet, "/api/v1/services/{id}/weights:explain",
             [&desired, &board, service_of](const HttpRequest&, Router::Captures c) {
               const auto service = service_of(c[0]);
               if (service == nullptr) return no_service(c[0]);
               const WeightPolicy* policy = find_policy(*desired.now(), service->policy);
               return json_response(200, explain_weights(*service, *policy, *board.now()));
             });
  router.add_with_query(Method::kGet, "/api/v1/services/{id}/weights/history",
                        [&board, service_of](const HttpRequest& request, Router::Captures c) {
                          const auto service = service_of(c[0]);
                          return service == nullptr ? no_service(c[0]) : history(request, *service, board);
                        });
}

}  // namespace penstock
