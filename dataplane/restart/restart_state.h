// What a process leaves to the next one of the same instance: the flow tables, and what their entries mean.
//
// Theory of operation
// - FOLDER/INSTANCE.backends maps names of backends to the indexes that entries hold. It carries a random id;
//   a table carries the same one as fingerprint, or else its entries belong to another register.
// - FOLDER/INSTANCE.flows.N is the table of worker N.
// - A name is in the register before the first entry that holds its index can be written: keep() is called
//   between compiling a snapshot and publishing it. So whenever the process is killed, every entry is
//   covered.
// - At start the tables are taken over if register and tables fit; whatever does not fit is replaced by an
//   empty one, and the reason said. A register that cannot be written is removed: better no flows than wrong
//   ones.
//
// Main thread, but for keep(): whoever compiles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/config/index_pool.h"
#include "dataplane/flow/flow_table.h"
#include "dataplane/restart/mapped_file.h"
#include "dataplane/restart/memory_folder.h"
#include "penstock/base/result.h"

namespace penstock {

struct RestartSettings {
  std::string folder = {};
  std::string instance = {};
  std::uint32_t workers = 1;
  bool forget = false;  // start with empty tables whatever is there
};

/// A flow table in its file.
struct KeptTable {
  MappedFile file;
  FlowTable flows;
  std::string origin;  // "new", "taken over", or why not: LcoreStats.flow_table
};

class RestartState {
 public:
  /// Errors as MemoryFolder::open; Unavailable when there is no room for the register.
  static Result<std::unique_ptr<RestartState>> open(const RestartSettings& settings);

  /// The table of one worker, taken over or new. Any number of threads, each for another worker.
  /// Unavailable, with what to do, when there is no memory for it.
  Result<KeptTable> table(std::uint32_t worker, std::size_t bytes, int numa_node, Tick now);

  /// What the indexes in the tables mean; for Compiler's constructor.
  [[nodiscard]] const std::vector<NamedIndex>& names() const { return names_; }

  /// Writes the register if the pool has names or claims that it has not seen. Never fails: without a
  /// register everything goes on, and the next process starts with empty tables.
  void keep(const IndexPool& pool) noexcept;

 private:
  RestartState(MemoryFolder folder, std::uint32_t workers) : folder_(std::move(folder)), workers_(workers) {}
  Status begin_anew();

  MemoryFolder folder_;
  const std::uint32_t workers_;
  std::uint64_t id_ = 0;
  std::string refusal_;  // why no table is taken over; empty: each is tried
  std::vector<NamedIndex> names_;
  std::uint64_t kept_version_ = 0;  // of the pool
};

}  // namespace penstock
