#include "dataplane/config/record_buffers.h"

#include <cstring>
#include <utility>

namespace penstock {

void RecordBuffers::put(BackendIndex index, const BackendRecord& record, std::size_t bound) {
  const BackendRecords& latest = begun_ ? *next_ : *current_;
  if (index < latest.size() && std::memcmp(&latest[index], &record, sizeof record) == 0) return;
  if (!begun_) begin();
  if (next_->size() < bound) next_->resize(bound);
  (*next_)[index] = record;
  written_.push_back(index);
}

void RecordBuffers::begin() {
  begun_ = true;
  // Somebody who still holds the snapshot before keeps its array to himself.
  if (next_ == nullptr || next_.use_count() != 1 || next_->size() != current_->size()) {
    next_ = std::make_shared<BackendRecords>(*current_);
    return;
  }
  for (const BackendIndex index : behind_) (*next_)[index] = (*current_)[index];
}

void RecordBuffers::commit() {
  if (!begun_) return;
  begun_ = false;
  std::swap(current_, next_);
  published_ = current_;
  behind_ = std::exchange(written_, {});
}

}  // namespace penstock
