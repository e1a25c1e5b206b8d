#include "controlplane/load/dense_factor.h"

#include <cmath>

namespace penstock::load {

bool factorise(std::vector<double>& a, std::size_t n) {
  for (std::size_t j = 0; j < n; ++j) {
    double* row = &a[j * n];
    for (std::size_t k = 0; k < j; ++k) {
      double sum = row[k];
      const double* other = &a[k * n];
      for (std::size_t i = 0; i < k; ++i) sum -= row[i] * other[i];
      row[k] = sum;  // L * D
    }
    for (std::size_t k = 0; k < j; ++k) {
      const double scaled = row[k] / a[k * n + k];
      row[j] -= scaled * row[k];
      row[k] = scaled;
    }
    if (!std::isfinite(row[j]) || row[j] == 0) return false;
  }
  return true;
}

void solve_factorised(const std::vector<double>& a, std::size_t n, std::vector<double>& b) {
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= a[i * n + k] * b[k];
  }
  for (std::size_t i = 0; i < n; ++i) b[i] /= a[i * n + i];
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = 0; k < i; ++k) b[k] -= a[i * n + k] * b[i];
  }
}

}  // namespace penstock::load
