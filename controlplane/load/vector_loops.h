// Inner loops of the solver's dense blocks, four numbers at a time in the compiler's own vectors: the order
// of additions is written here, so that a machine with wider registers gives the same bits as one without,
// and nothing is contracted into fused operations. Any thread.
#pragma once

#include <cstddef>
#include <cstring>

// Compiled twice from the same source and chosen at start. Sanitizers run before what chooses could.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define PENSTOCK_WIDE __attribute__((target_clones("avx2", "default")))
#else
#define PENSTOCK_WIDE
#endif

namespace penstock::load {

using Four [[gnu::vector_size(32)]] = double;

[[gnu::always_inline]] inline double dot(const double* a, const double* b, std::size_t n) {
  Four sum{};
  std::size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    Four x, y;
    std::memcpy(&x, a + i, sizeof x);
    std::memcpy(&y, b + i, sizeof y);
    sum += x * y;
  }
  double rest = 0;
  for (; i < n; ++i) rest += a[i] * b[i];
  return (sum[0] + sum[1]) + (sum[2] + sum[3]) + rest;
}

/// a += by * b.
[[gnu::always_inline]] inline void add_scaled(double* a, double by, const double* b, std::size_t n) {
  std::size_t i = 0;
  const Four scale = {by, by, by, by};
  for (; i + 4 <= n; i += 4) {
    Four x, y;
    std::memcpy(&x, a + i, sizeof x);
    std::memcpy(&y, b + i, sizeof y);
    x += scale * y;
    std::memcpy(a + i, &x, sizeof x);
  }
  for (; i < n; ++i) a[i] += by * b[i];
}

/// out[j] = sum over rows k of u[k][i] * u[k][j], for j up to i and up to three more; out and u have room for
/// them.
[[gnu::always_inline]] inline void combine(double* out, const double* u, std::size_t width, std::size_t rows,
                                           std::size_t i) {
  for (std::size_t j = 0; j <= i; j += 4) {
    Four sum{};
    const double* row = u + j;
    const double* by = u + i;
    for (std::size_t k = 0; k < rows; ++k, row += width, by += width) {
      Four x;
      std::memcpy(&x, row, sizeof x);
      sum += *by * x;
    }
    std::memcpy(out + j, &sum, sizeof sum);
  }
}

}  // namespace penstock::load
