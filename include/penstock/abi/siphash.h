/* SPDX-License-Identifier: (GPL-2.0 OR Apache-2.0)
 *
 * SipHash-2-4 (Aumasson and Bernstein, INDOCRYPT 2012): a MAC of 64 bits for short messages under a key of
 * 128.
 *
 * One implementation for the BPF programs and for user space. The stepwise form takes messages of whole
 * 64-bit words; siphash() takes any, and exists in user space only. C11 and C++.
 */
#ifndef PENSTOCK_ABI_SIPHASH_H
#define PENSTOCK_ABI_SIPHASH_H

#include "penstock/abi/service_key.h"

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define PENSTOCK_SIPHASH_WORD(word) (word)
#else
#define PENSTOCK_SIPHASH_WORD(word) __builtin_bswap64(word)
#endif
#define PENSTOCK_SIPHASH_INLINE static inline __attribute__((always_inline, unused))

struct siphash_key {
  abi_u64 words[2]; /* the 16 bytes of the key as they lie in memory */
};

struct siphash_state {
  abi_u64 v0, v1, v2, v3;
};

PENSTOCK_SIPHASH_INLINE abi_u64 siphash_rotated(abi_u64 x, int bits) { return x << bits | x >> (64 - bits); }

PENSTOCK_SIPHASH_INLINE void siphash_round(struct siphash_state* s) {
  s->v0 += s->v1;
  s->v2 += s->v3;
  s->v1 = siphash_rotated(s->v1, 13) ^ s->v0;
  s->v3 = siphash_rotated(s->v3, 16) ^ s->v2;
  s->v0 = siphash_rotated(s->v0, 32);
  s->v2 += s->v1;
  s->v0 += s->v3;
  s->v1 = siphash_rotated(s->v1, 17) ^ s->v2;
  s->v3 = siphash_rotated(s->v3, 21) ^ s->v0;
  s->v2 = siphash_rotated(s->v2, 32);
}

PENSTOCK_SIPHASH_INLINE void siphash_begin(struct siphash_state* s, const struct siphash_key* key) {
  const abi_u64 k0 = PENSTOCK_SIPHASH_WORD(key->words[0]);
  const abi_u64 k1 = PENSTOCK_SIPHASH_WORD(key->words[1]);
  s->v0 = k0 ^ 0x736f6d6570736575ull;
  s->v1 = k1 ^ 0x646f72616e646f6dull;
  s->v2 = k0 ^ 0x6c7967656e657261ull;
  s->v3 = k1 ^ 0x7465646279746573ull;
}

/* `word`: the next eight bytes of the message, as they lie in memory. */
PENSTOCK_SIPHASH_INLINE void siphash_add(struct siphash_state* s, abi_u64 word) {
  const abi_u64 m = PENSTOCK_SIPHASH_WORD(word);
  s->v3 ^= m;
  siphash_round(s);
  siphash_round(s);
  s->v0 ^= m;
}

/* `tail`: the bytes behind the last whole word, in the low bytes; zero for messages of whole words. `length`:
 * of the whole message in bytes. The result is a number; on the wire it is little-endian. */
PENSTOCK_SIPHASH_INLINE abi_u64 siphash_end(struct siphash_state* s, abi_u64 tail, abi_u64 length) {
  const abi_u64 last = tail | length << 56;
  s->v3 ^= last;
  siphash_round(s);
  siphash_round(s);
  s->v0 ^= last;
  s->v2 ^= 0xff;
  siphash_round(s);
  siphash_round(s);
  siphash_round(s);
  siphash_round(s);
  return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

#ifndef __BPF__
#include <stddef.h>
#include <string.h>

PENSTOCK_SIPHASH_INLINE abi_u64 siphash(const struct siphash_key* key, const void* message, size_t length) {
  const unsigned char* p = (const unsigned char*)message;
  struct siphash_state s;
  abi_u64 tail = 0;
  size_t i;
  siphash_begin(&s, key);
  for (i = 0; i + 8 <= length; i += 8) {
    abi_u64 word;
    memcpy(&word, p + i, 8);
    siphash_add(&s, word);
  }
  for (size_t j = i; j < length; ++j) tail |= (abi_u64)p[j] << (8 * (j - i));
  return siphash_end(&s, tail, length);
}
#endif

PENSTOCK_ABI_ASSERT(sizeof(struct siphash_key) == 16, "128 bits");

#endif
