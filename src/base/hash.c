#include "quell/hash.h"

#include <string.h>

enum { WORD = (int)sizeof(uint64_t) };

/* A product carries upwards only; the shift brings the upper bits down again. */
static uint64_t mix(uint64_t h, uint64_t word)
{
    h = ql_hash_word(h, word);
    return h ^ (h >> 32);
}

uint64_t ql_hash_bytes(uint64_t h, const void *bytes, int64_t n)
{
    const unsigned char *at = bytes;
    uint64_t word;
    h = mix(h, (uint64_t)n);
    for (; n >= WORD; n -= WORD, at += WORD) {
        memcpy(&word, at, WORD);
        h = mix(h, word);
    }
    word = 0;
    if (n > 0) memcpy(&word, at, (size_t)n);
    return mix(mix(h, word), 0);
}
