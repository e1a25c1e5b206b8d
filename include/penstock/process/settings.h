// Command line and YAML file of a process, in one description: every long flag `--route-table` is also the
// key `route_table` of the file given by --config. Flags win over the file. Unknown and duplicate keys,
// nested maps and values of the wrong type are refused with file, line and key; nothing is silently replaced
// by a default.
//
//   CLI::App app{"..."};
//   Settings settings(app);            // adds --config, --version, --log-level
//   app.add_option("--rest", rest);    // strings, numbers, vectors
//   if (auto code = settings.parse(argc, argv)) return *code;
//
// Main thread, before anything else starts.
#pragma once

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <yaml-cpp/yaml.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <istream>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "penstock/base/exit_code.h"

namespace penstock {

/// Feeds a flat YAML map to CLI11. `app` is asked which keys exist, so that an unknown one is named with its
/// line.
class YamlConfig final : public CLI::Config {
 public:
  explicit YamlConfig(const CLI::App& app) : app_(app) {}

  std::string to_config(const CLI::App*, bool, bool, std::string) const override { return {}; }

  std::vector<CLI::ConfigItem> from_config(std::istream& input) const override {
    YAML::Node root;
    try {
      root = YAML::Load(input);
    } catch (const YAML::Exception& e) {
      throw CLI::ConfigError("line " + std::to_string(e.mark.line + 1) + ": not valid YAML: " + e.msg);
    }
    if (root.IsNull()) return {};
    if (!root.IsMap()) throw CLI::ConfigError("line 1: expected `key: value` lines");
    std::vector<CLI::ConfigItem> parsed;
    std::set<std::string> seen;
    for (const auto& entry : root) parsed.push_back(item(entry.first, entry.second, seen));
    return parsed;
  }

  /// "line N: key: " when the parse error in `message` is about a flag that only the file gave, else empty.
  [[nodiscard]] std::string blame(const std::string& message, int argc, char** argv) const {
    for (const auto& [flag, line] : lines_) {
      const std::string option = "--" + flag;
      if (message.find(option + ":") == std::string::npos && message.find(option + " ") == std::string::npos)
        continue;
      const bool on_command_line = std::any_of(argv, argv + argc, [&](const char* argument) {
        return argument == option || std::string_view(argument).starts_with(option + "=");
      });
      if (!on_command_line) return "line " + std::to_string(line) + ": ";
    }
    return {};
  }

 private:
  static std::string at(const YAML::Node& node) {
    return "line " + std::to_string(node.Mark().line + 1) + ": ";
  }

  static std::string scalar(const YAML::Node& node, const std::string& key) {
    if (!node.IsScalar()) throw CLI::ConfigError(at(node) + key + ": expected a single value");
    return node.Scalar();
  }

  CLI::ConfigItem item(const YAML::Node& name, const YAML::Node& value, std::set<std::string>& seen) const {
    const std::string key = scalar(name, "key");
    std::string flag = key;
    for (char& c : flag) c = c == '_' ? '-' : c;
    if (!seen.insert(key).second) throw CLI::ConfigError(at(name) + key + ": given twice");
    const auto* option = key.find('-') == std::string::npos ? app_.get_option_no_throw("--" + flag) : nullptr;
    if (option == nullptr || key == "config" || key == "help" || key == "version") {
      throw CLI::ConfigError(at(name) + key +
                             ": unknown key (see --help; keys are the long flags with '_' for '-')");
    }
    lines_[flag] = name.Mark().line + 1;
    CLI::ConfigItem out;
    out.name = flag;
    if (value.IsSequence()) {
      for (const auto& element : value) out.inputs.push_back(scalar(element, key));
    } else {
      out.inputs.push_back(scalar(value, key));
    }
    return out;
  }

  const CLI::App& app_;
  mutable std::map<std::string, int> lines_;  // flag -> line that set it
};

class Settings {
 public:
  explicit Settings(CLI::App& app) : app_(app) {
    app_.set_config("--config", "",
                    "Read settings from a YAML file (keys are the long flags with '_' for '-')");
    app_.config_formatter(yaml_);
    app_.allow_config_extras(CLI::config_extras_mode::error);
    app_.add_option("--log-level", log_level_, "trace, debug, info, warning, error")
        ->check(CLI::IsMember({"trace", "debug", "info", "warning", "error"}))
        ->capture_default_str();
#ifdef PENSTOCK_VERSION
    app_.set_version_flag("--version", PENSTOCK_VERSION);
#endif
  }

  /// The exit code with which the process should end at once, or nothing when it should run.
  /// Prints the reason to stderr. Sets up logging to stderr.
  std::optional<int> parse(int argc, char** argv) {
    try {
      app_.parse(argc, argv);
    } catch (const CLI::Success& e) {
      return app_.exit(e);
    } catch (const CLI::ParseError& e) {
      const bool unreadable = dynamic_cast<const CLI::ConfigError*>(&e) != nullptr ||
                              dynamic_cast<const CLI::FileError*>(&e) != nullptr;
      const std::string line = yaml_->blame(e.what(), argc, argv);
      const bool from_file = unreadable || !line.empty();
      const std::string file = from_file ? app_.get_config_ptr()->results().back() + ": " : "";
      std::fprintf(stderr, "%s: %s%s%s\n", app_.get_name().c_str(), file.c_str(), line.c_str(), e.what());
      return from_file ? kExitBadConfig : kExitUsage;
    }
    auto logger = spdlog::stderr_logger_mt(app_.get_name());
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %n %l %v");
    logger->set_level(spdlog::level::from_str(log_level_));
    logger->flush_on(spdlog::level::trace);
    spdlog::set_default_logger(std::move(logger));
    return std::nullopt;
  }

 private:
  CLI::App& app_;
  std::shared_ptr<YamlConfig> yaml_ = std::make_shared<YamlConfig>(app_);
  std::string log_level_ = "info";
};

}  // namespace penstock
