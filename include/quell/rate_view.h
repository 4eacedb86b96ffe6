/* Ways to look at a rate: its posterior's mean, quantiles, standard deviation and draws, on the
 * scales that methods downstream ask for (docs/uncertainty.md, docs/scales.md).
 *
 * After x molecules of a gene were seen in a cell, the rate is gamma-distributed with shape x +
 * theta and mean mu (x + theta) / (mu + theta), at the cell's own depth. Without a theta it is mu.
 */
#ifndef QUELL_RATE_VIEW_H
#define QUELL_RATE_VIEW_H

#include <stdint.h>

#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    QL_VALUE_MEAN,            /* mu: what cells like this one express */
    QL_VALUE_POSTERIOR,       /* mean of the posterior: what this cell expresses */
    QL_VALUE_THETA,           /* the model's dispersion per cell and gene */
    QL_VALUE_PI,              /* dropout probability */
    QL_VALUE_QUANTILE,        /* of the posterior, at `level` */
    QL_VALUE_SD,              /* its standard deviation; not on log scales */
    QL_VALUE_MEAN_LOG_RATE,   /* its mean of ln(1 + 10^4 rate / molecules of the cell); has its own
                               * scale */
    QL_VALUE_MEAN_LOG_COUNTS, /* the mean of ln(1 + 10^4 t / molecules), t what another look at the
                               * cell, of the same depth, would count; likewise */
    QL_VALUE_DRAW,            /* a draw of the rate */
    QL_VALUE_DRAW_COUNTS      /* a Poisson draw of a drawn rate: what another look at the cell would
                                 count */
} ql_value;

typedef enum {
    QL_SCALE_COUNTS, /* at the cell's own depth */
    QL_SCALE_CP10K,  /* per 10,000 molecules of the cell */
    QL_SCALE_LOG1P,  /* ln(1 + that) */
    QL_SCALE_PEARSON /* (value - b) / sqrt(b + b^2 / 100), b the gene's share x the cell's
                      * molecules; clipped at the root of the number of cells. QL_VALUE_SD: divided
                      * only */
} ql_scale;

typedef struct {
    ql_value value;
    ql_scale scale;
    double level;        /* of a quantile, in (0, 1) */
    uint64_t seed, draw; /* of draws: below 4096 */
} ql_view;

/* One cell and gene. */
typedef struct {
    double mu, theta, x; /* theta 0: none */
    double molecules;    /* of the cell, above 0 */
    double share;        /* of all molecules, that are the gene's */
    double most;         /* largest Pearson residual */
    int64_t cell, gene;  /* of the file: which draw it is */
} ql_rate;

/* known >= 0: the quantile of a gamma distribution of shape x + theta, scale 1, looked up before;
 * below 0: not known. Values without a rate's distribution (theta, pi) are not made here. */
double ql_view_of(const ql_view *v, const ql_rate *r, double known);

#ifdef __cplusplus
}
#endif
#endif
