// A private folder of named memory for one test.
#pragma once

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace penstock {

class KeptFolder {
 public:
  KeptFolder() {
    char name[] = "/dev/shm/penstock-test-XXXXXX";
    path_ = mkdtemp(name);
  }
  ~KeptFolder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  KeptFolder(const KeptFolder&) = delete;
  KeptFolder& operator=(const KeptFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// Changes one byte of a file.
inline void flip_byte(const std::string& path, std::streamoff at) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekg(at);
  const char byte = static_cast<char>(file.get() ^ 0x40);
  file.seekp(at);
  file.put(byte);
}

}  // namespace penstock
