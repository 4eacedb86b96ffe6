#include "quell/corrupt.h"

#include <stddef.h>
#include <string.h>

#include "quell/rng.h"

/* Salt, in standard deviations above the gene's mean: higher than most cells ever are, while the
 * highest value of a rare gene would drown all others. */
#define SALT (ql_real)3

/* Whether a thing of this probability happens. */
static bool happens(uint32_t word, double p)
{
    return (double)word < p * 0x1p32;
}

static void mask(const ql_corrupt *c, const uint32_t word[4], const ql_real empty[4], ql_real x[4])
{
    (void)empty;
    for (int k = 0; k < 4; k++)
        if (happens(word[k], c->strength)) x[k] = 0;
}

/* As Keras has it: what stays is scaled up, so that sums keep their mean. */
static void dropout(const ql_corrupt *c, const uint32_t word[4], const ql_real empty[4],
                    ql_real x[4])
{
    const ql_real up = (ql_real)(1 / (1 - c->strength));
    (void)empty;
    for (int k = 0; k < 4; k++) x[k] = happens(word[k], c->strength) ? 0 : x[k] * up;
}

static void gaussian(const ql_corrupt *c, const uint32_t word[4], const ql_real empty[4],
                     ql_real x[4])
{
    (void)empty;
    for (int k = 0; k < 4; k++)
        x[k] = (ql_real)((double)x[k] + c->strength * ql_rng_normal(word[k]));
}

static void salt_pepper(const ql_corrupt *c, const uint32_t word[4], const ql_real empty[4],
                        ql_real x[4])
{
    for (int k = 0; k < 4; k++) {
        if (happens(word[k], c->strength / 2))
            x[k] = empty[k];
        else if (happens(word[k], c->strength))
            x[k] = SALT;
    }
}

#define THIN "thin"

static const ql_corruption all[] = {
    {"mask", "each scaled input becomes 0 with this probability", 0.2, 1, mask},
    {"dropout", "the same, the others scaled up by 1 / (1 - p)", 0.2, 1, dropout},
    {"gaussian", "normal noise of this standard deviation on each scaled input", 0.5, 100,
     gaussian},
    {"salt-pepper", "with this probability no count, or 3 sd above the mean", 0.1, 1, salt_pepper},
    {THIN, "each molecule is lost from the input with this probability", 0.2, 1, NULL},
};

const ql_corruption *const ql_corruptions[] = {&all[0], &all[1], &all[2], &all[3], &all[4], NULL};

const ql_corruption *ql_corruption_find(const char *name)
{
    for (int i = 0; ql_corruptions[i]; i++)
        if (!strcmp(ql_corruptions[i]->name, name)) return ql_corruptions[i];
    return NULL;
}

bool ql_corrupt_is_dense(const ql_corrupt *c)
{
    return c->kind && c->kind->apply && c->strength > 0;
}

double ql_corrupt_lost(const ql_corrupt *c)
{
    return c->kind && !strcmp(c->kind->name, THIN) ? c->strength : 0;
}

void ql_corrupt_block(const ql_corrupt *c, const ql_corrupt_place *at, int64_t genes, int64_t n,
                      const ql_real *empty, ql_real *x, int64_t ld)
{
    for (int64_t g = 0; g < genes; g += 4) {
        const int64_t rows = genes - g < 4 ? genes - g : 4;
        ql_real zero[4] = {0}, four[4] = {0};
        for (int64_t k = 0; k < rows && empty; k++) zero[k] = empty[g + k];
        for (int64_t i = 0; i < n; i++) {
            ql_rng_block r = ql_rng_at(at->seed, QL_RNG_CORRUPT, at->epoch, (uint64_t)at->row[i],
                                       (uint32_t)((at->gene0 + g) / 4));
            for (int64_t k = 0; k < rows; k++) four[k] = x[(g + k) * ld + i];
            c->kind->apply(c, r.word, zero, four);
            for (int64_t k = 0; k < rows; k++) x[(g + k) * ld + i] = four[k];
        }
    }
}
