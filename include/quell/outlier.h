/* From the scores of cells to how unusual each is among its peers: cells that were not trained on
 * among those held out, training cells among training cells. (A model says more of cells it was
 * trained on, and puts them farther apart in the latent space, so the two cannot be compared.)
 *
 * Three of the scores (error, pearson, distance) depend on a cell's depth. Of each the logarithm is
 * taken, a trend in the logarithm of the depth is fitted on the peers, and the departure from it is
 * divided by its standard deviation among them. A cell's statistic is the largest of its three.
 * docs/output.md has the formulas, docs/quality.md why these. */
#ifndef QUELL_OUTLIER_H
#define QUELL_OUTLIER_H

#include "quell/cell_scores.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The scores that are used. */
#define QL_OUTLIER_SCORES                                                                          \
    (QL_SCORE_BIT(QL_SCORE_ERROR) | QL_SCORE_BIT(QL_SCORE_PEARSON) |                               \
     QL_SCORE_BIT(QL_SCORE_DISTANCE))

/* peers[0..n): cells of the scores. total [cells]: molecules. Degree of the trend: 2 from 50 peers
 * on, 1 from 10, else 0. */
QL_MUST_USE ql_status ql_outlier_fit(ql_outlier *o, const ql_cell_scores *s, const double *total,
                                     const int64_t *peers, int64_t n, ql_err *err);

/* Largest of the three depth-adjusted scores of a cell; NaN if it has no scores. */
double ql_outlier_statistic(const ql_outlier *o, const ql_cell_scores *s, const double *total,
                            int64_t cell);

/* Share of the peers that fit better than a cell with this statistic, out of those and the cell
 * itself: (how many have a smaller statistic) / (n + 1), or / n for a cell that is one of them. NaN
 * for NaN. */
double ql_outlier_share(const ql_outlier *o, double statistic, bool is_peer);

#ifdef __cplusplus
}
#endif
#endif
