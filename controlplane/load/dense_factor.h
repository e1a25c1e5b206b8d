// L D L^T of a small dense symmetric matrix, without pivoting: right for quasi-definite ones (Vanderbei, SIAM
// J. Optim. 5, 1995), which a permutation of rows cannot break. Row-major squares of which only the lower
// triangle is read. Any thread.
#pragma once

#include <cstddef>
#include <vector>

namespace penstock::load {

/// In place: L below the diagonal, D on it. False, and the matrix spoilt, where a pivot is zero or no number.
[[nodiscard]] bool factorise(std::vector<double>& a, std::size_t n);

/// Solves with what factorise() left; b becomes the solution.
void solve_factorised(const std::vector<double>& a, std::size_t n, std::vector<double>& b);

}  // namespace penstock::load
