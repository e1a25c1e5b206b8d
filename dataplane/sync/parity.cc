#include "dataplane/sync/parity.h"

#include <isa-l/erasure_code.h>

#include <algorithm>
#include <charconv>

#include "dataplane/sync/wire_bytes.h"

namespace penstock {
namespace {

using Bytes = std::vector<unsigned char>;

std::vector<unsigned char> matrix_of(std::size_t k, std::size_t m) {
  Bytes matrix((k + m) * k);
  gf_gen_cauchy1_matrix(matrix.data(), static_cast<int>(k + m), static_cast<int>(k));
  return matrix;
}

Bytes tables_of(std::size_t k, std::size_t rows, unsigned char* coefficients) {
  Bytes tables(32 * k * rows);
  ec_init_tables(static_cast<int>(k), static_cast<int>(rows), coefficients, tables.data());
  return tables;
}

Bytes shard_of(std::span<const std::byte> payload, std::size_t size) {
  Bytes shard(size);
  auto* to = reinterpret_cast<std::byte*>(shard.data());
  store_be(to, static_cast<std::uint16_t>(payload.size()));
  std::copy(payload.begin(), payload.end(), to + kShardSizeBytes);
  return shard;
}

std::vector<unsigned char*> pointers(std::vector<Bytes>& shards) {
  std::vector<unsigned char*> out;
  for (auto& shard : shards) out.push_back(shard.data());
  return out;
}

/// The rows of the inverse that yield the missing payloads from the `used` shards. Empty: not invertible.
Bytes decode_rows(std::size_t k, std::size_t m, std::span<const std::size_t> used,
                  std::span<const std::size_t> missing) {
  const Bytes matrix = matrix_of(k, m);
  Bytes square(k * k), inverse(k * k), rows;
  for (std::size_t i = 0; i < k; ++i) std::copy_n(matrix.data() + used[i] * k, k, square.data() + i * k);
  if (gf_invert_matrix(square.data(), inverse.data(), static_cast<int>(k)) != 0) return {};
  for (const std::size_t i : missing)
    rows.insert(rows.end(), inverse.data() + i * k, inverse.data() + (i + 1) * k);
  return rows;
}

/// Multiplies the rows with the shards and puts the results in their places.
bool restore(std::vector<Bytes>& shards, std::size_t size, std::span<const std::size_t> missing, Bytes& rows,
             std::span<ParityCoder::Shard> payloads) {
  const std::size_t k = payloads.size();
  Bytes tables = tables_of(k, missing.size(), rows.data());
  std::vector<Bytes> restored(missing.size(), Bytes(size));
  auto in = pointers(shards), out = pointers(restored);
  ec_encode_data(static_cast<int>(size), static_cast<int>(k), static_cast<int>(missing.size()), tables.data(),
                 in.data(), out.data());
  for (std::size_t i = 0; i < missing.size(); ++i) {
    const auto* bytes = reinterpret_cast<const std::byte*>(restored[i].data());
    const std::size_t length = load_be<std::uint16_t>(bytes);
    if (length == 0 || length > size - kShardSizeBytes) return false;
    payloads[missing[i]].assign(bytes + kShardSizeBytes, bytes + kShardSizeBytes + length);
  }
  return true;
}

}  // namespace

Result<GroupShape> GroupShape::parse(const std::string& text) {
  const auto wrong = [&] {
    return invalid("sync_group", "'" + text + "' is not DATA+PARITY with 1-32 and 0-16, such as 10+4");
  };
  unsigned data = 0, parity = 0;
  const char* end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, data);
  if (first.ec != std::errc{} || first.ptr == end || *first.ptr != '+') return wrong();
  const auto second = std::from_chars(first.ptr + 1, end, parity);
  if (second.ec != std::errc{} || second.ptr != end) return wrong();
  if (data < 1 || data > kMaxDataShards || parity > kMaxParityShards) return wrong();
  return GroupShape{static_cast<std::uint8_t>(data), static_cast<std::uint8_t>(parity)};
}

const ParityCoder::Tables& ParityCoder::encode_tables(std::size_t k, std::size_t m) {
  Tables& tables = tables_[{k, m}];
  if (tables.empty()) {
    Bytes matrix = matrix_of(k, m);
    tables = tables_of(k, m, matrix.data() + k * k);
  }
  return tables;
}

std::vector<ParityCoder::Shard> ParityCoder::encode(std::span<const Shard> payloads, std::size_t m) {
  if (m == 0 || payloads.empty()) return {};
  std::size_t size = 0;
  for (const auto& payload : payloads) size = std::max(size, payload.size() + kShardSizeBytes);
  std::vector<Bytes> data;
  for (const auto& payload : payloads) data.push_back(shard_of(payload, size));
  std::vector<Shard> parity(m, Shard(size));
  std::vector<unsigned char*> out;
  for (auto& shard : parity) out.push_back(reinterpret_cast<unsigned char*>(shard.data()));
  auto in = pointers(data);
  const Tables& tables = encode_tables(payloads.size(), m);
  ec_encode_data(static_cast<int>(size), static_cast<int>(payloads.size()), static_cast<int>(m),
                 const_cast<unsigned char*>(tables.data()), in.data(), out.data());
  return parity;
}

bool ParityCoder::recover(std::span<Shard> payloads, std::span<const Shard> parity) {
  const std::size_t k = payloads.size();
  std::size_t size = 0;
  for (const auto& shard : parity) size = std::max(size, shard.size());
  bool misfit = false;
  std::vector<std::size_t> used, missing;
  std::vector<Bytes> shards;
  for (std::size_t i = 0; i < k; ++i) {
    if (payloads[i].empty()) {
      missing.push_back(i);
      continue;
    }
    if (payloads[i].size() + kShardSizeBytes > size) misfit = true;
    used.push_back(i);
    if (!misfit) shards.push_back(shard_of(payloads[i], size));
  }
  if (missing.empty()) return true;
  if (misfit) return false;
  for (std::size_t i = 0; i < parity.size() && used.size() < k; ++i) {
    if (parity[i].empty()) continue;
    if (parity[i].size() != size) return false;
    used.push_back(k + i);
    const auto* bytes = reinterpret_cast<const unsigned char*>(parity[i].data());
    shards.emplace_back(bytes, bytes + size);
  }
  if (used.size() < k) return false;
  Bytes rows = decode_rows(k, parity.size(), used, missing);
  return !rows.empty() && restore(shards, size, missing, rows, payloads);
}

}  // namespace penstock
