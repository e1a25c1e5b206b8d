#include "dataplane/sync/groups.h"

#include <algorithm>

namespace penstock {

void GroupSender::send(std::span<const ParityCoder::Shard> payloads, const Emit& emit) {
  if (payloads.empty()) return;
  const std::size_t most = shape_.data, m = shape_.parity;
  const std::size_t groups = (payloads.size() + most - 1) / most;
  // Payload i is number i / groups of group i mod groups.
  const auto size_of = [&](std::size_t group) { return (payloads.size() - group + groups - 1) / groups; };
  const auto header_of = [&](DatagramKind kind, std::size_t group, std::size_t index) {
    DatagramHeader header;
    header.kind = kind;
    header.k = static_cast<std::uint8_t>(size_of(group));
    header.m = shape_.parity;
    header.group = next_group_ + static_cast<std::uint32_t>(group);
    header.index = static_cast<std::uint8_t>(index);
    return header;
  };
  for (std::size_t i = 0; i < payloads.size(); ++i) {
    emit(header_of(DatagramKind::kData, i % groups, i / groups), payloads[i]);
  }
  std::vector<std::vector<ParityCoder::Shard>> parity;
  for (std::size_t group = 0; group < groups; ++group) {
    std::vector<ParityCoder::Shard> members;
    for (std::size_t i = group; i < payloads.size(); i += groups) members.push_back(payloads[i]);
    parity.push_back(coder_.encode(members, m));
  }
  for (std::size_t j = 0; j < m; ++j) {
    for (std::size_t group = 0; group < groups; ++group) {
      emit(header_of(DatagramKind::kParity, group, size_of(group) + j), parity[group][j]);
    }
  }
  next_group_ += static_cast<std::uint32_t>(groups);
}

GroupReceiver::Group* GroupReceiver::group_of(std::uint32_t number) {
  Group& group = groups_[number % kGroups];
  if (group.used && group.number == number) return &group;
  // One that comes so late that its place is taken; what it held has been passed on where it arrived.
  if (group.used && static_cast<std::int32_t>(number - group.number) < 0) return nullptr;
  if (group.used && group.k != 0 && !group.done) ++counts_.beyond;
  group = Group{};
  group.used = true;
  group.number = number;
  return &group;
}

void GroupReceiver::take(const DatagramHeader& header, std::span<const std::byte> payload,
                         const Deliver& deliver) {
  Group* group = group_of(header.group);
  if (header.kind == DatagramKind::kData) {
    // One that comes late may have been restored already.
    if (group != nullptr && !group->data[header.index].empty()) return;
    deliver(payload);
  }
  if (group == nullptr || group->done) return;
  if (header.kind == DatagramKind::kData) {
    group->data[header.index].assign(payload.begin(), payload.end());
  } else {
    if (group->k != 0 && (group->k != header.k || group->m != header.m)) return;  // not of this group
    if (group->k == 0) ++counts_.groups;
    group->k = header.k;
    group->m = header.m;
    group->parity[header.index - header.k].assign(payload.begin(), payload.end());
  }
  ++group->here;
  if (group->k != 0 && group->here >= group->k) restore(*group, deliver);
}

void GroupReceiver::restore(Group& group, const Deliver& deliver) {
  const std::span<ParityCoder::Shard> data(group.data.data(), group.k);
  std::vector<std::size_t> missing;
  for (std::size_t i = 0; i < data.size(); ++i) {
    if (data[i].empty()) missing.push_back(i);
  }
  if (!coder_.recover(data, {group.parity.data(), group.m})) return;
  group.done = true;
  for (const std::size_t i : missing) {
    ++counts_.recovered;
    deliver(data[i]);
  }
}

}  // namespace penstock
