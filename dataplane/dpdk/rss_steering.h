// Makes the answers to translated packets arrive at the worker that owns their session, when several workers
// share a port: every port gets the same RSS key, and a flow's source port is chosen so that the Toeplitz
// hash of its answers picks that worker's queue (rte_thash).
//
// The key is random but for the bits that the hash's low end sees of the port: through them each of the
// indirection table's entries can be reached from any tuple by changing the port alone. Entry i of every
// table points at queue i mod queues.
//
// Start-up only, but for ReturnSteering::adjust. Private to dpdk/.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "dataplane/nat/return_steering.h"
#include "penstock/base/result.h"

struct rte_thash_ctx;
struct rte_thash_subtuple_helper;

namespace penstock {

/// What a port's hardware can do about RSS.
struct RssShape {
  std::string port;                 // its name, for complaints
  bool by_ports = false;            // hashes TCP's and UDP's ports, of both families
  std::uint16_t table_entries = 0;  // of the indirection table
  std::uint8_t key_bytes = 0;
};

class RssSteering {
 public:
  /// InvalidArgument, naming the setting, when a port cannot be steered by hash.
  static Result<std::unique_ptr<RssSteering>> make(std::span<const RssShape> ports, std::uint16_t queues);
  ~RssSteering();
  RssSteering(const RssSteering&) = delete;
  RssSteering& operator=(const RssSteering&) = delete;

  /// For a port that takes keys of that many bytes.
  [[nodiscard]] std::span<const std::uint8_t> key(std::size_t bytes) const;
  [[nodiscard]] const ReturnSteering& of_worker(std::size_t worker) const { return *workers_[worker]; }

 private:
  class OfWorker;
  RssSteering() = default;

  rte_thash_ctx* context_ = nullptr;
  std::size_t key_bytes_ = 0;
  std::vector<std::unique_ptr<const ReturnSteering>> workers_;
};

}  // namespace penstock
