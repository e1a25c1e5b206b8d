// A library that is NVML as far as the sensor knows: two cards, of which the second does not tell how busy it
// is.
#include <cstdlib>

extern "C" {

struct Utilization {
  unsigned gpu, memory;
};
struct Memory {
  unsigned long long total, free, used;
};

/// PENSTOCK_FAKE_NVML=broken: the driver is not loaded.
int nvmlInit_v2() { return std::getenv("PENSTOCK_FAKE_NVML") != nullptr ? 9 : 0; }
int nvmlShutdown() { return 0; }
int nvmlDeviceGetCount_v2(unsigned* count) {
  *count = 2;
  return 0;
}
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void** device) {
  static char cards[2];
  *device = &cards[index];
  cards[index] = static_cast<char>(index);
  return 0;
}
int nvmlDeviceGetUtilizationRates(void* device, Utilization* out) {
  if (*static_cast<char*>(device) == 1) return 3;  // not supported
  *out = {37, 80};
  return 0;
}
int nvmlDeviceGetMemoryInfo(void* device, Memory* out) {
  const unsigned long long used = *static_cast<char*>(device) == 1 ? 30 : 20;
  *out = {40, 40 - used, used};
  return 0;
}
}
