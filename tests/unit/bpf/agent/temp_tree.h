// A folder of text files that stands for /proc or /sys in a test. Removed with the object.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include "bpf/agent/sensors/sensor.h"

namespace penstock {

class TempTree {
 public:
  TempTree() {
    char folder[] = "/tmp/penstock-sensors-XXXXXX";
    if (mkdtemp(folder) == nullptr) throw std::runtime_error("mkdtemp");
    root_ = folder;
  }
  ~TempTree() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  TempTree(const TempTree&) = delete;
  TempTree& operator=(const TempTree&) = delete;

  /// Overwrites in place, as the kernel does: who has it open reads the new text.
  void write(const std::string& path, const std::string& text) const {
    const std::filesystem::path file = root_ + "/" + path;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::trunc) << text;
  }
  void remove(const std::string& path) const { std::filesystem::remove_all(root_ + "/" + path); }

  [[nodiscard]] const std::string& root() const { return root_; }
  [[nodiscard]] SensorRoots roots() const { return {root_ + "/proc", root_ + "/sys"}; }

 private:
  std::string root_;
};

}  // namespace penstock
