/* Counter-based random numbers: Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as
 * easy as 1, 2, 3"). A draw is a pure function of (seed, stream, a, b, c): no state to share, save
 * or order, so the mask of a cell in an epoch is the same wherever and whenever it is drawn. */
#ifndef QUELL_RNG_H
#define QUELL_RNG_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Streams: one per purpose, so that no two purposes share numbers. The values are part of what a
 * seed means; never renumber them. */
typedef enum {
    QL_RNG_SPLIT = 1,   /* which cells are validation cells */
    QL_RNG_SHUFFLE = 2, /* order of the training cells in an epoch */
    QL_RNG_INIT = 3,    /* initial weights */
    QL_RNG_DROPOUT = 4, /* hidden dropout masks */
    QL_RNG_INPUT = 5,   /* input dropout masks */
    QL_RNG_THIN = 6,    /* binomial thinning of molecules */
    QL_RNG_MCV = 7,     /* thinning of a whole run's counts (--mcv) */
    QL_RNG_TRIALS = 8,  /* thinning for, and choice of, trials */
    QL_RNG_SEARCH = 9,  /* settings drawn by a search */
    /* corruption of the input while training, start of a principal component analysis */
    QL_RNG_CORRUPT = 20,
    QL_RNG_PCA = 21,
    QL_RNG_PROBE = 30, /* directions in which the contractive penalty looks */
    QL_RNG_CODE = 45,  /* codes of variational models */
    /* uses of a generative model: codes of a posterior and of the prior, counts, cells and pairs of
     * them, folds */
    QL_RNG_POSTERIOR = 50,
    QL_RNG_PRIOR = 51,
    QL_RNG_COUNTS = 52,
    QL_RNG_CELLS = 53,
    QL_RNG_FOLDS = 54,
    QL_RNG_DRAWS = 60, /* draws of a posterior */
    QL_RNG_NULL = 61,  /* genes permuted across cells */
    /* after an embedding: what igraph draws, moves of a layout, starts of k-means and of a spectral
     * decomposition, cells taken as a sample, rows of a consensus */
    QL_RNG_GRAPH = 70,
    QL_RNG_LAYOUT = 71,
    QL_RNG_KMEANS = 72,
    QL_RNG_SPECTRAL = 73,
    QL_RNG_SAMPLE = 74,
    QL_RNG_CONSENSUS = 75,
    /* scDHA: which cells a network is trained on, draws from its latent space */
    QL_RNG_SCDHA_CELLS = 80,
    QL_RNG_SCDHA_LATENT = 81,
    QL_RNG_FACTORS = 90,       /* cells that factors begin with */
    QL_RNG_LANDMARKS = 91,     /* cells that landmarks begin at */
    QL_RNG_SCDHA_WEIGHED = 92, /* which cells, where they have weights */
    QL_RNG_LIBRARY = 100,      /* variational models: library sizes */
    QL_RNG_SCANVI = 101,       /* second codes by label */
    QL_RNG_LADDER = 102,       /* second codes of ladders */
    QL_RNG_PROPOSAL = 110      /* codes near a cell's mode */
} ql_rng_stream;

typedef struct {
    uint32_t word[4];
} ql_rng_block;

/* The raw generator: 10 rounds of Philox4x32 on counter ctr with the key. */
ql_rng_block ql_philox(const uint32_t ctr[4], const uint32_t key[2]);

/* Four 32-bit words for (seed, stream) at position (a, b, c). No two positions share a counter as
 * long as a and b are below 2^44. */
ql_rng_block ql_rng_at(uint64_t seed, ql_rng_stream stream, uint64_t a, uint64_t b, uint32_t c);

/* Uniform in [0, 1) with 24 bits, exact in float. */
float ql_rng_unit(uint32_t word);

/* Standard normal number of a word: the same bits everywhere; within 1e-6, between -6.4 and 6.4. */
double ql_rng_normal(uint32_t word);

/* A sequence of up to 2^32 words at (seed, stream, a, b), for loops that draw a varying number.
 * Word i is word i % 4 of ql_rng_at(seed, stream, a, b, i / 4). */
typedef struct {
    uint64_t seed, a, b;
    ql_rng_stream stream;
    uint32_t next; /* number of words handed out */
    ql_rng_block block;
} ql_rng;

ql_rng ql_rng_start(uint64_t seed, ql_rng_stream stream, uint64_t a, uint64_t b);
uint32_t ql_rng_word(ql_rng *rng);

/* Uniform integer in [0, n), unbiased (rejection). n >= 1. */
uint32_t ql_rng_below(ql_rng *rng, uint32_t n);

/* Fisher-Yates permutation of items[0..n), n < 2^31. */
void ql_rng_shuffle(ql_rng *rng, int64_t *items, int64_t n);

/* Number of successes in n trials that succeed with probability p (p outside [0, 1] is clamped, NaN
 * is 0). Exact, integers only: the same on every processor. Draws about n / 16 words, at least one
 * unless n or p decides alone. */
uint32_t ql_rng_binomial(ql_rng *rng, uint32_t n, double p);

#ifdef __cplusplus
}
#endif
#endif
