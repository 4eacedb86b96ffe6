/* Philox4x32-10 and what is drawn with it. Integers throughout: a draw is the same everywhere. */
#include "quell/rng.h"

enum { N_ROUNDS = 10 };

static const uint32_t MULTIPLIER[2] = {0xd2511f53u, 0xcd9e8d57u};
static const uint32_t KEY_STEP[2] = {0x9e3779b9u, 0xbb67ae85u}; /* golden ratio, sqrt(3) - 1 */

ql_rng_block ql_philox(const uint32_t ctr[4], const uint32_t key[2])
{
    ql_rng_block x = {{ctr[0], ctr[1], ctr[2], ctr[3]}};
    uint32_t k0 = key[0], k1 = key[1];

    for (int round = 0; round < N_ROUNDS; round++) {
        uint64_t p0 = (uint64_t)MULTIPLIER[0] * x.word[0];
        uint64_t p1 = (uint64_t)MULTIPLIER[1] * x.word[2];
        x = (ql_rng_block){{(uint32_t)(p1 >> 32) ^ x.word[1] ^ k0, (uint32_t)p1,
                            (uint32_t)(p0 >> 32) ^ x.word[3] ^ k1, (uint32_t)p0}};
        k0 += KEY_STEP[0];
        k1 += KEY_STEP[1];
    }
    return x;
}

/* The counter is c, the low words of a and b, and one word of 12 high bits of a, 12 of b and the
 * stream in 8 bits: injective for a, b < 2^44. */
ql_rng_block ql_rng_at(uint64_t seed, ql_rng_stream stream, uint64_t a, uint64_t b, uint32_t c)
{
    uint32_t high_a = (uint32_t)(a >> 32) & 0xfffu, high_b = (uint32_t)(b >> 32) & 0xfffu;
    const uint32_t ctr[4] = {c, (uint32_t)b, (uint32_t)a,
                             (uint32_t)stream | high_a << 8 | high_b << 20};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    return ql_philox(ctr, key);
}

float ql_rng_unit(uint32_t word)
{
    return (float)(word >> 8) * 0x1p-24f;
}

ql_rng ql_rng_start(uint64_t seed, ql_rng_stream stream, uint64_t a, uint64_t b)
{
    return (ql_rng){.seed = seed, .a = a, .b = b, .stream = stream};
}

uint32_t ql_rng_word(ql_rng *rng)
{
    uint32_t i = rng->next++;
    if (i % 4 == 0) rng->block = ql_rng_at(rng->seed, rng->stream, rng->a, rng->b, i / 4);
    return rng->block.word[i % 4];
}

/* The high word of word * n is uniform once the few low words that fall short of a whole number of
 * rounds are rejected (Lemire 2019, "Fast random integer generation in an interval"). */
uint32_t ql_rng_below(ql_rng *rng, uint32_t n)
{
    uint64_t product = (uint64_t)ql_rng_word(rng) * n;
    if ((uint32_t)product < n) {
        uint32_t short_of = (0u - n) % n;
        while ((uint32_t)product < short_of) product = (uint64_t)ql_rng_word(rng) * n;
    }
    return (uint32_t)(product >> 32);
}

void ql_rng_shuffle(ql_rng *rng, int64_t *items, int64_t n)
{
    for (int64_t i = n - 1; i > 0; i--) {
        uint32_t j = ql_rng_below(rng, (uint32_t)i + 1);
        int64_t swap = items[i];
        items[i] = items[j];
        items[j] = swap;
    }
}

/* Random bits, handed out a few at a time. */
typedef struct {
    ql_rng *rng;
    uint32_t bits, left;
} bit_pool;

/* How many of n fair bits are one. */
static uint32_t count_ones(bit_pool *pool, uint32_t n)
{
    uint32_t ones = 0;
    while (n > 0) {
        if (pool->left == 0) *pool = (bit_pool){pool->rng, ql_rng_word(pool->rng), 32};
        uint32_t take = n < pool->left ? n : pool->left;
        uint32_t mask = take == 32 ? UINT32_MAX : (1u << take) - 1;
        ones += (uint32_t)__builtin_popcount(pool->bits & mask);
        pool->bits = take == 32 ? 0 : pool->bits >> take;
        pool->left -= take;
        n -= take;
    }
    return ones;
}

/* Each trial compares a uniform binary fraction with p, bit by bit from the first: the first bit in
 * which they differ decides. All undecided trials draw that bit at once, so only the number of ones
 * matters; half of them are decided by each bit. */
static uint32_t compare_bits(bit_pool *pool, uint32_t n, uint64_t p_bits)
{
    uint32_t successes = 0;
    for (; n > 0 && p_bits != 0; p_bits <<= 1) {
        uint32_t ones = count_ones(pool, n);
        if (p_bits >> 63) {
            successes += n - ones;
            n = ones;
        } else {
            n -= ones;
        }
    }
    return successes;
}

uint32_t ql_rng_binomial(ql_rng *rng, uint32_t n, double p)
{
    if (!(p > 0)) return 0;
    if (p >= 1) return n;
    /* Exact: a double below 1 has 53 bits, and scaling by a power of two rounds nothing. */
    uint64_t p_bits = (uint64_t)(p * 0x1p64);
    return compare_bits(&(bit_pool){.rng = rng}, n, p_bits);
}
