#include "controlplane/ctl/documents.h"

#include "controlplane/ctl/lenient.h"
#include "controlplane/ctl/table.h"

namespace penstock {
namespace {

/// A member as text: strings bare, numbers and booleans as such, lists joined by commas, all else empty.
std::string cell(const Json& object, const char* key) {
  if (!object.is_object()) return {};
  const auto it = object.find(key);
  if (it == object.end()) return {};
  if (it->is_string()) return it->get<std::string>();
  if (it->is_boolean()) return it->get<bool>() ? "yes" : "no";
  if (it->is_number()) return it->dump();
  std::string list;
  if (it->is_array()) {
    for (const Json& element : *it) {
      if (element.is_string()) list += (list.empty() ? "" : ",") + element.get<std::string>();
    }
  }
  return list;
}

/// Where a drain or an upgrade stands; empty when neither is under way.
std::string phase_of(const Json& gateway) {
  const auto phase = [&](const char* key) {
    const auto found = gateway.is_object() ? gateway.find(key) : gateway.end();
    return found == gateway.end() ? std::string() : cell(*found, "phase");
  };
  const std::string upgrade = phase("upgrade");
  if (!upgrade.empty() && upgrade != "none" && upgrade != "done") return "upgrade " + upgrade;
  const std::string drain = phase("drain");
  return drain == "none" ? "" : drain;
}

/// "2026-11-28T10:00:00Z reset"
std::string deadline_of(const Json& backend) {
  const std::string deadline = cell(backend, "drain_deadline");
  return deadline.empty() ? deadline : deadline + " " + cell(backend, "drain_policy");
}

std::string count(const Json& array) { return std::to_string(array.size()); }

}  // namespace

std::string services_table(const Json& services) {
  Table table({{"SERVICE"},
               {"VIP"},
               {"PROTOCOL"},
               {"PORT", true},
               {"ENCAP"},
               {"BACKENDS", true},
               {"DRAINED", true},
               {"POLICY"}});
  for (const Json& service : services) {
    const std::string policy = cell(service, "policy");
    std::size_t drained = 0;
    for (const Json& backend : list(service, "backends")) drained += cell(backend, "drain") == "yes" ? 1 : 0;
    table.add({cell(service, "id"), cell(service, "vip"), cell(service, "protocol"), cell(service, "port"),
               cell(service, "encap"), count(list(service, "backends")), std::to_string(drained),
               policy.empty() ? "static" : policy});
  }
  return table.text();
}

std::string backends_table(const Json& services) {
  Table table({{"SERVICE"},
               {"BACKEND"},
               {"ADDRESS"},
               {"PORT", true},
               {"WEIGHT", true},
               {"OVERRIDE", true},
               {"DRAIN"},
               {"MAINTENANCE"},
               {"DEADLINE"}});
  for (const Json& service : services) {
    for (const Json& backend : list(service, "backends")) {
      table.add({cell(service, "id"), cell(backend, "id"), cell(backend, "address"), cell(backend, "port"),
                 cell(backend, "weight"), cell(backend, "weight_override"), cell(backend, "drain"),
                 cell(backend, "maintenance"), deadline_of(backend)});
    }
  }
  return table.text();
}

std::string gateways_table(const Json& gateways) {
  Table table({{"GATEWAY"},
               {"ANNOUNCE"},
               {"MED", true},
               {"PHASE"},
               {"CONNECTED"},
               {"DATAPLANE"},
               {"GENERATION", true},
               {"ANNOUNCED VIPS"},
               {"SEEN", true},
               {"VERSION"}});
  for (const Json& gateway : gateways) {
    const std::string alive = cell(gateway, "dataplane_alive");
    const std::string seen = cell(gateway, "last_seen_seconds_ago");
    table.add({cell(gateway, "id"), cell(gateway, "announce"), cell(gateway, "med"), phase_of(gateway),
               cell(gateway, "connected"),
               alive == "yes"  ? "alive"
               : alive == "no" ? "dead"
                               : "",
               cell(gateway, "generation"), cell(gateway, "announced_vips"), seen.empty() ? "" : seen + " s",
               cell(gateway, "version")});
  }
  return table.text();
}

std::string nodes_table(const Json& nodes) {
  Table table(
      {{"NODE"}, {"STATE"}, {"CONNECTED"}, {"ADDRESSES"}, {"INTERFACES"}, {"SERVICES", true}, {"ERRORS"}});
  for (const Json& node : nodes) {
    std::string interfaces;
    for (const Json& interface : list(node, "interfaces")) {
      interfaces +=
          (interfaces.empty() ? "" : ",") + cell(interface, "name") + ":" + cell(interface, "xdp_mode");
    }
    table.add({cell(node, "id"), cell(node, "state"), cell(node, "connected"), cell(node, "addresses"),
               interfaces, count(list(node, "services")), cell(node, "errors")});
  }
  return table.text();
}

std::string status_table(const Json& status) {
  Table table({{"VERSION"}, {"GENERATION", true}, {"GATEWAYS", true}, {"NODES", true}});
  table.add({cell(status, "version"), cell(status, "generation"), cell(status, "gateways_connected"),
             cell(status, "nodes_connected")});
  return table.text();
}

Result<std::pair<std::string, std::string>> service_and_backend(const std::string& text) {
  const auto slash = text.find('/');
  if (slash == std::string::npos || slash == 0 || slash + 1 == text.size() ||
      text.find('/', slash + 1) != std::string::npos) {
    return invalid("", "'" + text + "' is not SERVICE/BACKEND");
  }
  return std::pair(text.substr(0, slash), text.substr(slash + 1));
}

}  // namespace penstock
