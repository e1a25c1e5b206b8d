#include "controlplane/ctl/weight_options.h"

#include <utility>

namespace penstock {
namespace {

using Choose = std::function<void(std::function<Status(Commands&)>)>;

CLI::App& add(CLI::App& to, const char* name, const char* sentence, const Choose& choose,
              std::function<Status(Commands&)> what) {
  CLI::App* command = to.add_subcommand(name, sentence);
  command->callback([choose, what = std::move(what)] { choose(what); });
  return *command;
}

void add_policy_options(CLI::App& to, PolicyFlags& flags) {
  to.add_option("--kind", flags.kind, "static, least-load, latency, cost, energy or custom");
  to.add_option("--balance", flags.balance, "custom: coefficient of the worst utilization");
  to.add_option("--latency", flags.latency, "custom: coefficient of latency above its objective");
  to.add_option("--money", flags.money, "custom: coefficient of money");
  to.add_option("--energy", flags.energy, "custom: coefficient of power");
  to.add_option("--min-share", flags.min_share, "Each backend gets at least this fraction of new flows (0)");
  to.add_option("--max-share", flags.max_share, "Each backend gets at most this fraction (1)");
  to.add_option("--budget-per-hour", flags.budget_per_hour, "Money at most; 0 = no limit");
  to.add_option("--deadband", flags.deadband, "Relative deviation that is left alone (0.005)");
  to.add_option("--slew", flags.slew, "Most change of ln(weight) in a second (2)");
  to.add_option("--min-awake", flags.min_awake, "energy, custom: so many nodes are never parked (1)");
}

}  // namespace

void add_weight_commands(CLI::App& app, WeightArguments& arguments, const Choose& choose) {
  WeightArguments& a = arguments;
  auto* policy =
      app.add_subcommand("policy", "What weights are for: show and change policies")->require_subcommand(1);
  add(*policy, "list", "Show all policies", choose, [](Commands& c) { return c.policies(""); });
  auto& show = add(*policy, "show", "Show a policy", choose, [&a](Commands& c) { return c.policies(a.id); });
  auto& set = add(*policy, "set", "Create a policy, or change what is given", choose,
                  [&a](Commands& c) { return c.set_policy(a.id, a.policy); });
  add_policy_options(set, a.policy);
  auto& gone = add(*policy, "delete", "Delete a policy that no service uses", choose,
                   [&a](Commands& c) { return c.remove("policy", a.id); });
  for (CLI::App* command : {&show, &set, &gone}) command->add_option("id", a.id, "Policy")->required();

  auto* weights =
      app.add_subcommand("weights", "Why backends have their weights, and had")->require_subcommand(1);
  auto& explain = add(*weights, "explain", "What decides the weights of a service now", choose,
                      [&a](Commands& c) { return c.explain_weights(a.id); });
  auto& history = add(*weights, "history", "The weights and loads of a service over time", choose,
                      [&a](Commands& c) { return c.weight_history(a.id, a.history); });
  history.add_option("--since", a.history.since, "How far back (90s, 10m, 2h)")->capture_default_str();
  history.add_option("--limit", a.history.limit, "So many instants at most, evenly thinned")
      ->capture_default_str();
  for (CLI::App* command : {&explain, &history}) command->add_option("service", a.id, "Service")->required();
}

}  // namespace penstock
