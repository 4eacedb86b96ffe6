/* Hashes that tell things apart: counts, options, the bytes of a checkpoint. No defence against
 * somebody who wants two things to look alike. */
#ifndef QUELL_HASH_H
#define QUELL_HASH_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* FNV-1a by words. */
#define QL_HASH_START UINT64_C(1469598103934665603)

static inline uint64_t ql_hash_word(uint64_t h, uint64_t word)
{
    return (h ^ word) * UINT64_C(1099511628211);
}

/* Of h and n bytes; every bit of them moves bits all over the result. */
uint64_t ql_hash_bytes(uint64_t h, const void *bytes, int64_t n);

#ifdef __cplusplus
}
#endif
#endif
