// Runs a target on inputs that were found before: fuzz_TARGET FILE|FOLDER...     (without libFuzzer)
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "tests/fuzz/input.h"

namespace {

void collect(const std::filesystem::path& path, std::vector<std::filesystem::path>& out) {
  if (!std::filesystem::is_directory(path)) {
    out.push_back(path);
    return;
  }
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) out.push_back(entry.path());
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i) collect(argv[i], files);
  std::ranges::sort(files);
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
    if (in.bad() || !in.is_open()) {
      std::fprintf(stderr, "replay: cannot read %s\n", file.c_str());
      return 66;
    }
    std::printf("%s\n", file.c_str());  // the last line names the culprit
    std::fflush(stdout);
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  }
  std::printf("replay: %zu inputs\n", files.size());
  if (files.empty()) {
    std::fprintf(stderr, "replay: there is nothing to replay\n");
    return 66;
  }
  return 0;
}
