#include "controlplane/ctl/commands.h"

#include <chrono>
#include <thread>

#include "controlplane/ctl/documents.h"
#include "controlplane/ctl/health_tables.h"
#include "controlplane/ctl/live_health.h"
#include "controlplane/ctl/top.h"

namespace penstock {
namespace {

double now_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

Json items(const Json& document) {
  if (document.is_object() && document.contains("items")) return document["items"];
  return Json::array({document});
}

/// A merge patch as the document that it makes of nothing.
Json without_nulls(const Json& patch) {
  if (!patch.is_object()) return patch;
  Json out = Json::object();
  for (const auto& [key, value] : patch.items()) {
    if (!value.is_null()) out[key] = without_nulls(value);
  }
  return out;
}

}  // namespace

Status Commands::print(const Json& document, const std::string& sentence) {
  if (json_) {
    out_ << document.dump(2) << "\n";
  } else {
    out_ << sentence << "\n";
  }
  return Ok{};
}

Status Commands::get(const std::string& collection, const std::string& id, TableOf table) {
  auto document = id.empty() ? rest_.get({collection}) : rest_.get({collection, id});
  if (!document) return document.error();
  if (json_) {
    out_ << document->dump(2) << "\n";
  } else {
    out_ << table(items(*document));
  }
  return Ok{};
}

Status Commands::get_services(const std::string& id) {
  if (id.empty() || json_) return get("services", id, &services_table);
  auto service = rest_.get({"services", id});
  if (!service) return service.error();
  const std::string checks = checks_table(*service);
  out_ << services_table(Json::array({*service})) << "\n"
       << checks << (checks.empty() ? "" : "\n") << health_table(*service);
  return Ok{};
}
Status Commands::get_gateways(const std::string& id) { return get("gateways", id, &gateways_table); }
Status Commands::get_nodes(const std::string& id) { return get("nodes", id, &nodes_table); }

Status Commands::get_status() {
  auto status = rest_.get({"status"});
  if (!status) return status.error();
  out_ << (json_ ? status->dump(2) + "\n" : status_table(*status));
  return Ok{};
}

Status Commands::get_backends(const std::string& id) {
  if (id.find('/') == std::string::npos) {
    if (!json_ || id.empty()) return get("services", id, &backends_table);
    auto backends = rest_.get({"services", id, "backends"});
    return backends ? print(*backends, {}) : Status(backends.error());
  }
  auto names = service_and_backend(id);
  if (!names) return names.error();
  auto backend = rest_.get({"services", names->first, "backends", names->second});
  if (!backend) return backend.error();
  if (json_) return print(*backend, {});
  out_ << backends_table(Json::array({{{"id", names->first}, {"backends", Json::array({*backend})}}}));
  return Ok{};
}

Status Commands::apply(const std::string& text) {
  auto document = parse_json(text);
  if (!document) return document.error();
  if (!document->is_object()) return invalid("", "expected one service document or {\"services\": [...]}");
  Json services = Json::array({*document});
  if (const auto list = document->find("services"); list != document->end()) {
    if (document->size() != 1 || !list->is_array())
      return invalid("services", "must be a list, and the only key");
    services = *list;
  }
  for (std::size_t i = 0; i < services.size(); ++i) {
    const Json& service = services[i];
    if (!service.is_object() || !service.contains("id") || !service["id"].is_string()) {
      return invalid("services[" + std::to_string(i) + "].id", "is missing or not a string");
    }
  }
  std::string refused;
  for (const Json& service : services) {
    const auto id = service["id"].get<std::string>();
    auto written = rest_.put({"services", id}, service);
    if (!written && written.error().code == ErrorCode::kUnavailable) return written.error();
    if (!written) {
      refused += (refused.empty() ? "" : "\n") + ("service " + id + ": " + written.error().text());
    } else {
      (void)print(*written, "service " + id + " applied");
    }
  }
  if (!refused.empty()) return Error{ErrorCode::kFailedPrecondition, refused};
  return Ok{};
}

Status Commands::create_service(const std::string& id, const ServiceFlags& flags) {
  auto service = to_json(flags);
  if (!service) return service.error();
  (*service)["id"] = id;
  auto written = rest_.post({"services"}, without_nulls(*service));
  return written ? print(*written, "service " + id + " created") : Status(written.error());
}

Status Commands::set_service(const std::string& id, const ServiceFlags& flags) {
  auto given = to_json(flags);
  if (!given) return given.error();
  const Json& change = *given;
  if (change.empty()) return invalid("", "nothing to set; see penstockctl set service --help");
  auto written = rest_.patch({"services", id}, change);
  if (!written && written.error().code == ErrorCode::kNotFound) {
    Json service = {{"id", id}};
    service.update(change);
    written = rest_.put({"services", id}, without_nulls(service));
  }
  if (!written) return written.error();
  return print(*written, "service " + id + " set");
}

Status Commands::set_backend(const std::string& text, const BackendFlags& flags) {
  auto names = service_and_backend(text);
  if (!names) return names.error();
  auto given = to_json(flags);
  if (!given) return given.error();
  const Json& change = *given;
  if (change.empty()) return invalid("", "nothing to set; see penstockctl set backend --help");
  const RestClient::Path path{"services", names->first, "backends", names->second};
  auto written = rest_.patch(path, change);
  // A new backend needs an address; without one, "not found" is the better answer.
  if (!written && written.error().code == ErrorCode::kNotFound && flags.address) {
    Json backend = {{"id", names->second}};
    backend.update(change);
    written = rest_.put(path, without_nulls(backend));
  }
  if (!written) return written.error();
  return print(*written, "backend " + text + " set");
}

Status Commands::set_gateway(const std::string& id, const GatewayFlags& flags) {
  auto change = to_json(flags);
  if (!change) return change.error();
  if (change->empty()) return invalid("", "nothing to set; see penstockctl set gateway --help");
  auto written = rest_.patch({"gateways", id}, *change);
  if (!written && written.error().code == ErrorCode::kNotFound) {
    written = rest_.put({"gateways", id}, without_nulls(*change));
  }
  if (!written) return written.error();
  return print(*written, "gateway " + id + " set");
}

Result<RestClient::Path> Commands::path_of(const std::string& kind, const std::string& id) const {
  if (kind == "policy") return RestClient::Path{"policies", id};
  if (kind != "backend") return RestClient::Path{kind + "s", id};
  auto names = service_and_backend(id);
  if (!names) return names.error();
  return RestClient::Path{"services", names->first, "backends", names->second};
}

Status Commands::remove(const std::string& kind, const std::string& id) {
  auto path = path_of(kind, id);
  if (!path) return path.error();
  auto removed = rest_.remove(*path);
  if (!removed) return removed.error();
  return print(*removed, kind + " " + id + " deleted");
}

Status Commands::health(const std::string& service, double interval_seconds, unsigned count, bool clear) {
  for (unsigned n = 0; count == 0 || n < count; ++n) {
    if (n > 0) std::this_thread::sleep_for(std::chrono::duration<double>(interval_seconds));
    auto document = service.empty() ? rest_.get({"health"}) : rest_.get({"services", service, "health"});
    if (!document) return document.error();
    if (json_) {
      out_ << (count == 1 ? document->dump(2) : document->dump()) << "\n";
    } else {
      out_ << (clear   ? "\x1b[H\x1b[J"
               : n > 0 ? "\n"
                       : "")
           << (service.empty() ? health_overview(*document) : service_health_table(*document));
    }
    out_.flush();
  }
  return Ok{};
}

Status Commands::top(double interval_seconds, unsigned count, bool clear) {
  auto before = sample_traffic(rest_, now_seconds());
  if (!before) return before.error();
  for (unsigned n = 0; count == 0 || n < count; ++n) {
    std::this_thread::sleep_for(std::chrono::duration<double>(interval_seconds));
    auto after = sample_traffic(rest_, now_seconds());
    if (!after) return after.error();
    const TrafficRates rates = rates_between(*before, *after);
    if (json_) {
      out_ << rates_json(rates).dump() << "\n";
    } else {
      // ECMA-48: cursor home, erase display.
      out_ << (clear ? "\x1b[H\x1b[J" : n > 0 ? "\n" : "") << rates_table(rates);
    }
    out_.flush();
    before = std::move(after);
  }
  return Ok{};
}

}  // namespace penstock
