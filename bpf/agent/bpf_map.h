// Keys of a BPF hash map as a set. The kernel iterates by "the key after this one", which restarts when that
// key is deleted meanwhile; so keys are listed first and deleted after.
#pragma once

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "penstock/base/result.h"

namespace penstock {

/// A key record ordered by its bytes, as the kernel compares it.
template <class Key>
struct AbiKey {
  Key key;
  bool operator<(const AbiKey& other) const { return std::memcmp(&key, &other.key, sizeof key) < 0; }
};

/// Values of a per-CPU map are read and written as this many consecutive records.
inline std::size_t possible_cpus() {
  static const int count = libbpf_num_possible_cpus();
  return count > 0 ? static_cast<std::size_t>(count) : 1;
}

template <class Key>
std::vector<Key> map_keys(int map) {
  std::vector<Key> keys;
  Key key{};
  const void* previous = nullptr;
  while (bpf_map_get_next_key(map, previous, &key) == 0) {
    keys.push_back(key);
    previous = &keys.back();
  }
  return keys;
}

/// Adds what is missing with `value` and deletes what is not wanted; what stays is not touched.
/// `what` names the entries in the error's sentence.
template <class Key>
Status replace_keys(int map, const std::set<AbiKey<Key>>& wanted, const void* value,
                    const std::string& what) {
  Status result = Ok{};
  std::set<AbiKey<Key>> present;
  for (const Key& key : map_keys<Key>(map)) {
    if (wanted.contains({key})) {
      present.insert({key});
    } else {
      bpf_map_delete_elem(map, &key);
    }
  }
  for (const AbiKey<Key>& entry : wanted) {
    if (present.contains(entry) || bpf_map_update_elem(map, &entry.key, value, BPF_NOEXIST) == 0) continue;
    const bool full = errno == E2BIG;
    result = unavailable(
        "the kernel does not take all " + what + ": " +
        (full ? std::to_string(wanted.size()) + " are more than its map holds" : std::strerror(errno)));
  }
  return result;
}

/// As replace_keys, for records that change while they stay: each is put in one step.
template <class Key, class Value>
Status replace_values(int map, const std::map<AbiKey<Key>, Value>& wanted, const std::string& what) {
  Status result = Ok{};
  for (const Key& key : map_keys<Key>(map)) {
    if (!wanted.contains({key})) bpf_map_delete_elem(map, &key);
  }
  for (const auto& [entry, value] : wanted) {
    if (bpf_map_update_elem(map, &entry.key, &value, BPF_ANY) == 0) continue;
    result = unavailable("the kernel does not take all " + what + ": " + std::strerror(errno));
  }
  return result;
}

}  // namespace penstock
