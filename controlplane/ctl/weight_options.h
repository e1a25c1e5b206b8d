// `policy` and `weights` on the command line (CLI11).
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "controlplane/ctl/commands.h"

namespace penstock {

/// What they hold once parsed.
struct WeightArguments {
  std::string id;
  PolicyFlags policy;
  HistoryFlags history;
};

/// Adds both to `app`. The chosen one hands what it does to `choose`; `arguments` outlives that.
void add_weight_commands(CLI::App& app, WeightArguments& arguments,
                         const std::function<void(std::function<Status(Commands&)>)>& choose);

}  // namespace penstock
