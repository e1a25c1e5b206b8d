// The backend records of consecutive snapshots, in two arrays in turn: one is published, the other is brought
// up to date and changed. So a change costs what changed, not a copy of all records, and the packet path
// still reads one plain array. Control thread only.
#pragma once

#include <memory>
#include <vector>

#include "dataplane/config/snapshot.h"

namespace penstock {

class RecordBuffers {
 public:
  /// Writes into the next generation; nothing happens when the record is there already. `bound`: one more
  /// than the greatest index in use.
  void put(BackendIndex index, const BackendRecord& record, std::size_t bound);
  /// The next generation becomes the current one. Without a put() since the last time, it stays.
  void commit();
  [[nodiscard]] const std::shared_ptr<const BackendRecords>& current() const { return published_; }

 private:
  void begin();

  std::shared_ptr<BackendRecords> current_ = std::make_shared<BackendRecords>();
  std::shared_ptr<const BackendRecords> published_ = current_;  // the same array
  std::shared_ptr<BackendRecords> next_;                        // the generation before, until begin()
  std::vector<BackendIndex> behind_;  // where next_ differs from current_ until then
  std::vector<BackendIndex> written_;
  bool begun_ = false;
};

}  // namespace penstock
