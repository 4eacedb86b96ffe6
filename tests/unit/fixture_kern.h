/* The likelihood kernels of a table as a list, and work space to call them on. */
#ifndef FIXTURE_KERN_H
#define FIXTURE_KERN_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quell/likelihood.h"

#include "fixture_random.h"

/* Every array a likelihood kernel touches, with guards around each. */
enum { LIK_GUARD = 32, LIK_ROOM = 4096 };
enum {
    LIK_MEAN,
    LIK_DISP,
    LIK_PI,
    LIK_DISP_GENE,
    LIK_COUNT,
    LIK_SIZE,
    LIK_WEIGHT,
    LIK_LOSS,
    LIK_PRODUCT,
    LIK_ARRAYS
};

typedef struct {
    ql_real memory[LIK_ARRAYS][LIK_GUARD + LIK_ROOM + LIK_GUARD];
    ql_lik_args args;
} lik_space;

/* Arrays begin `offset` elements behind the guard, so at any alignment. */
static inline void lik_point(lik_space *s, int64_t n, int64_t ld, int offset)
{
    ql_real *at[LIK_ARRAYS];
    for (int k = 0; k < LIK_ARRAYS; k++) at[k] = s->memory[k] + LIK_GUARD + offset;
    s->args = (ql_lik_args){.n = n,
                            .ld = ld,
                            .mean = at[LIK_MEAN],
                            .disp = at[LIK_DISP],
                            .pi = at[LIK_PI],
                            .disp_gene = at[LIK_DISP_GENE],
                            .count = at[LIK_COUNT],
                            .size = at[LIK_SIZE],
                            .weight = at[LIK_WEIGHT],
                            .loss = at[LIK_LOSS],
                            .product = at[LIK_PRODUCT]};
}

/* A pre-activation: mostly where models live, now and then far outside or exactly at a clip. */
static inline ql_real lik_activation(ql_rng *r)
{
    static const double special[] = {
        0,   -0.0, 13.815510557964274, -11.512925464970229, 40,  -40, 88, -87,
        100, -100, 9.210340371976184,  -6.907755278982137,  1e4, -1e4};
    uint32_t kind = ql_rng_below(r, 10);
    if (kind == 0) return (ql_real)special[ql_rng_below(r, sizeof special / sizeof *special)];
    if (kind == 1) return (ql_real)random_in(r, -40, 40);
    return (ql_real)(2 * random_normal(r));
}

static inline ql_real lik_count(ql_rng *r)
{
    uint32_t kind = ql_rng_below(r, 4);
    return (ql_real)(1 + ql_rng_below(r, kind == 0 ? 5000 : kind == 1 ? 50 : 9));
}

/* Every likelihood that kernels exist for: those of plain means, of inputs, of shares. NULL past
 * the end. */
static inline const ql_likelihood *lik_number(int i)
{
    int plain = 0;
    while (ql_likelihoods[plain]) plain++;
    if (i < plain) return ql_likelihoods[i];
    return i == plain ? &ql_gaussian : ql_vae_likelihoods[i - plain - 1];
}

/* What comes for the mean of a share is a number above 0 and up to 1. */
static inline void lik_make_shares(lik_space *s, const ql_likelihood *lik)
{
    for (int i = 0; lik->heads.share && i < LIK_GUARD + LIK_ROOM + LIK_GUARD; i++) {
        const double x = (double)s->memory[LIK_MEAN][i];
        s->memory[LIK_MEAN][i] = (ql_real)exp(x < -87 || x > 87 ? -87 : -fabs(x));
    }
}

/* Fill all arrays, guards included, so that whatever moves shows. */
static inline void lik_draw(lik_space *s, ql_rng *r)
{
    for (int k = 0; k < LIK_ARRAYS; k++) {
        for (int i = 0; i < LIK_GUARD + LIK_ROOM + LIK_GUARD; i++) {
            ql_real x = k == LIK_PRODUCT ? 3 : lik_activation(r);
            if (k == LIK_COUNT) x = lik_count(r);
            if (k == LIK_SIZE) x = (ql_real)exp(random_normal(r));
            if (k == LIK_WEIGHT) x = ql_rng_below(r, 8) ? (ql_real)random_in(r, 0, 1) : 0;
            if (k == LIK_LOSS) x = (ql_real)random_in(r, 0, 10);
            s->memory[k][i] = x;
        }
    }
    s->args.ridge = ql_rng_below(r, 2) ? (ql_real)random_in(r, 0, 0.5) : 0;
}

#endif
