/* How often held-out counts lie inside their predictive intervals.
 *
 * A cell's count x of a gene leaves a gamma distribution of its rate, of shape x + theta and mean
 * mu (x + theta) / (mu + theta); the molecules held out are a Poisson draw of it at their share of
 * the depth, so negative binomial. Counts are whole, and an interval that takes in whole counts
 * covers more than it says. So coverage is that of the probability integral transform made uniform
 * by randomisation, which is exact where the prediction is: the count t falls evenly on
 * [P(T < t), P(T <= t)], and the part of that inside [(1 - c) / 2, (1 + c) / 2] is covered (Czado,
 * Gneiting & Held 2009, Biometrics 65; the mean over the randomisation, so nothing is drawn). */
#ifndef QUELL_COVERAGE_H
#define QUELL_COVERAGE_H

#include "quell/fitted.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Make f's coverage of the parts that are held out. Nothing is done where the model has no
 * distribution of counts. */
QL_MUST_USE ql_status ql_coverage_make(struct ql_fitted *f, const ql_held_out *parts, ql_err *err);

/* Share of a group's counts that are covered; NaN without any. */
double ql_covered(const ql_cover *c);

/* Lower end of a level: expected counts in the cell, half a decade each; the first begins at 0. */
double ql_coverage_edge(int level);

#ifdef __cplusplus
}
#endif
#endif
