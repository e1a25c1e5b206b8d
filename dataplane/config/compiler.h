// Document + next hops -> Snapshot.
//
// The compiler remembers what it compiled last, so that a change costs what changed: unchanged services keep
// their Maglev tables, unchanged backends their records, and all keep their indexes.
//
// Backend indexes live in flow tables, so they are handed out carefully:
// - the same (service id, backend id, address) keeps its index, also when it is removed and comes back;
// - the index of a removed backend goes to another one only after every flow entry that may name it has
// expired:
//   the longest idle timeout that the service ever had, plus the flow table's slack;
// - until then, and after, a flow entry that names it counts as a miss.
//
// Every snapshot that compile() returns must be published before the next call, in order.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "dataplane/config/document.h"
#include "dataplane/config/index_pool.h"
#include "dataplane/config/next_hops.h"
#include "dataplane/config/record_buffers.h"
#include "dataplane/config/snapshot.h"
#include "dataplane/config/table_pool.h"
#include "penstock/base/result.h"
#include "penstock/base/units.h"

namespace penstock {

/// LcoreCounters need room for these many.
inline constexpr std::uint32_t kMaxServiceIndexes =
    2 * kMaxServices;                                          // a removed one's waits for a generation
inline constexpr std::uint32_t kMaxBackendIndexes = 1U << 18;  // living and quarantined
static_assert(kMaxBackendIndexes <= kNoBackend, "the flow table stores 24 bits");

/// Owned and called by the control thread.
class Compiler {
 public:
  /// nat_addresses: the gateway's own, which the classifier tells from others.
  /// inherited: the backend indexes that a process before left in flow tables, each name and index once; they
  /// stay reserved from `now` (monotonic) until every entry that may name them has expired.
  explicit Compiler(std::vector<IpAddr> nat_addresses = {}, std::span<const NamedIndex> inherited = {},
                    Nanoseconds now = {});

  /// document: validated. now: monotonic; paces the quarantine.
  /// InvalidArgument, naming the field, when the backends do not fit kMaxBackendIndexes. Nothing that runs
  /// changes then, and the next call may succeed.
  /// touched: ids of the services that may differ from the last successful call's, which saves comparing the
  /// others; without it any may. So for the next hops.
  struct Touched {
    std::set<std::string, std::less<>> services;
    bool next_hops = false;
  };
  [[nodiscard]] Result<std::unique_ptr<const Snapshot>> compile(const Document& document,
                                                                const NextHops& next_hops, Nanoseconds now,
                                                                const Touched* touched = nullptr);

  /// What the indexes in flow entries mean, those of the last snapshot included.
  [[nodiscard]] const IndexPool& backend_indexes() const { return backend_indexes_; }

 private:
  using CompiledPtr = std::shared_ptr<const CompiledService>;
  using Services = std::map<std::string, CompiledPtr>;  // by id
  struct Change {
    CompiledPtr before;  // null: new
    CompiledPtr after;   // null: removed
  };

  /// The services of the document, those that did not change shared with services_.
  Result<Services> compile_services(const Document& document, const Touched* touched);
  Result<CompiledPtr> compile_service(const ServiceDocument& document, const CompiledService* before,
                                      const std::string& field);
  Status assign_indexes(CompiledService& service, const std::string& field);
  [[nodiscard]] static std::vector<Change> changes(const Services& before, const Services& after);

  static void remember_owners(const std::vector<Change>& changes) noexcept;
  void retire(const std::vector<Change>& changes, Nanoseconds now);
  void update_records(const Services& after, const std::vector<Change>& changes, const NextHops& next_hops);
  void update_classifier(const Services& after, const std::vector<Change>& changes);

  std::vector<IpAddr> nat_addresses_;

  // As of the last successful call.
  Services services_;
  NextHops next_hops_;
  RecordBuffers records_;
  TablePool tables_;
  std::shared_ptr<const VipClassifier> classifier_;
  IndexPool service_indexes_;
  IndexPool backend_indexes_;
};

}  // namespace penstock
