// Policies and weights: the part of Commands that is about them.
#include "controlplane/ctl/commands.h"
#include "controlplane/ctl/durations.h"
#include "controlplane/ctl/weight_tables.h"

namespace penstock {

Status Commands::policies(const std::string& id) { return get("policies", id, &policies_table); }

Status Commands::set_policy(const std::string& id, const PolicyFlags& flags) {
  const Json change = to_json(flags);
  if (change.empty()) return invalid("", "nothing to set; see penstockctl policy set --help");
  auto written = rest_.patch({"policies", id}, change);
  if (!written && written.error().code == ErrorCode::kNotFound) {
    Json policy = change;
    if (policy.contains("coefficients") && policy["coefficients"].is_null()) policy.erase("coefficients");
    written = rest_.put({"policies", id}, policy);
  }
  if (!written) return written.error();
  return print(*written, "policy " + id + " set");
}

Status Commands::explain_weights(const std::string& service) {
  auto document = rest_.get({"services", service, "weights:explain"});
  if (!document) return document.error();
  out_ << (json_ ? document->dump(2) + "\n" : explain_table(*document));
  return Ok{};
}

Status Commands::weight_history(const std::string& service, const HistoryFlags& flags) {
  auto since = seconds_from_text("--since", flags.since);
  if (!since) return since.error();
  // Negative: seconds before the server's now, so that no two clocks are compared.
  auto document = rest_.get({"services", service, "weights", "history"},
                            {{"from", "-" + std::to_string(*since)}, {"limit", std::to_string(flags.limit)}});
  if (!document) return document.error();
  out_ << (json_ ? document->dump(2) + "\n" : history_table(*document));
  return Ok{};
}

}  // namespace penstock
