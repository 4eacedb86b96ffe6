/* Corruption of the network's input while it trains (denoising autoencoders, Vincent et al. 2008):
 * the network sees a damaged cell and is judged by the whole one. A registry.
 *
 * Most kinds act on the scaled input, on all genes alike, counts or none; they need the dense input
 * path (quell/input_dense.h). Thinning acts on the counts, before they are scaled, and keeps the
 * input sparse. What befalls an entry depends on seed, epoch, row of the cell and gene alone. */
#ifndef QUELL_CORRUPT_H
#define QUELL_CORRUPT_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/real.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ql_corrupt ql_corrupt;

typedef struct {
    const char *name;    /* identity: --corrupt, stored in files */
    const char *summary; /* one line for help and docs */
    double usual;        /* strength where none is given */
    double limit;        /* strengths are from 0 to below this */
    /* Four entries of a cell: scaled inputs x, what they would be without counts (empty), a random
     * word each. NULL: the kind does not act on scaled inputs. */
    void (*apply)(const ql_corrupt *c, const uint32_t word[4], const ql_real empty[4],
                  ql_real x[4]);
} ql_corruption;

/* A kind with its strength; kind NULL: none. */
struct ql_corrupt {
    const ql_corruption *kind;
    double strength;
};

extern const ql_corruption *const ql_corruptions[];        /* NULL-terminated, "none" not in it */
const ql_corruption *ql_corruption_find(const char *name); /* NULL: unknown, or "none" */

/* Is the dense input path needed? */
bool ql_corrupt_is_dense(const ql_corrupt *c);

/* Share of the molecules that thinning takes from the input; 0: another kind. */
double ql_corrupt_lost(const ql_corrupt *c);

/* Where a block of entries is. */
typedef struct {
    uint64_t seed, epoch;
    const int64_t *row; /* [cells] */
    int64_t gene0;      /* number of the first gene, a multiple of 4 */
} ql_corrupt_place;

/* x [genes, ld]: scaled inputs of n cells, corrupted in place. empty [genes] or NULL (all 0). */
void ql_corrupt_block(const ql_corrupt *c, const ql_corrupt_place *at, int64_t genes, int64_t n,
                      const ql_real *empty, ql_real *x, int64_t ld);

#ifdef __cplusplus
}
#endif
#endif
