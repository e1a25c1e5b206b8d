// Which slots of a bucket hold a tag: bit i of the answer stands for slot i. Free slots may match too; the
// caller looks at their words anyway. Two twins, held equal by tests/unit/dataplane/flow/tag_match_test.cc.
#pragma once

#include <cstddef>
#include <cstdint>

#include "dataplane/flow/flow_bucket.h"

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace penstock {

struct PortableTags {
  static std::uint32_t match(const FlowBucket& b, std::uint32_t tag) noexcept {
    std::uint32_t hits = 0;
    for (std::size_t i = 0; i < kSlotsPerBucket; ++i) hits |= std::uint32_t{b.tags[i] == tag} << i;
    return hits;
  }
};

// The instruction set is part of the name, so that objects compiled for different ones can be linked together
// without the linker choosing one body for both.
#if defined(__AVX2__)
inline namespace avx2 {
struct SimdTags {
  static std::uint32_t match(const FlowBucket& b, std::uint32_t tag) noexcept {
    static_assert(offsetof(FlowBucket, tags) == 4 && kSlotsPerBucket <= 7,
                  "tags are lanes 1-5 of the first half");
    const __m256i half = _mm256_load_si256(reinterpret_cast<const __m256i*>(&b));
    const __m256i equal = _mm256_cmpeq_epi32(half, _mm256_set1_epi32(static_cast<int>(tag)));
    const auto lanes = static_cast<std::uint32_t>(_mm256_movemask_ps(_mm256_castsi256_ps(equal)));
    return lanes >> 1 & ((1U << kSlotsPerBucket) - 1);
  }
};
}  // namespace avx2
#elif defined(__SSE2__)
inline namespace sse2 {
struct SimdTags {
  static std::uint32_t match(const FlowBucket& b, std::uint32_t tag) noexcept {
    const __m128i wanted = _mm_set1_epi32(static_cast<int>(tag));
    const auto* halves = reinterpret_cast<const __m128i*>(&b);
    const __m128i low = _mm_cmpeq_epi32(_mm_load_si128(halves), wanted);
    const __m128i high = _mm_cmpeq_epi32(_mm_load_si128(halves + 1), wanted);
    const auto lanes = static_cast<std::uint32_t>(_mm_movemask_ps(_mm_castsi128_ps(low)) |
                                                  _mm_movemask_ps(_mm_castsi128_ps(high)) << 4);
    return lanes >> 1 & ((1U << kSlotsPerBucket) - 1);
  }
};
}  // namespace sse2
#else
using SimdTags = PortableTags;
#endif

}  // namespace penstock
