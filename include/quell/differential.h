/* Bayesian differential expression between two groups of cells (Lopez et al. 2018, Boyeau et al.
 * 2019): shares of the genes are drawn from the posteriors of cells of either group, pair by pair.
 *
 * change: LFC = log2(share1 + c) - log2(share2 + c); a gene has changed where |LFC| is at least
 * delta; the probability is that of the likelier direction (or of both, two_sided). vanilla: the
 * probability that share1 is the larger one. */
#ifndef QUELL_DIFFERENTIAL_H
#define QUELL_DIFFERENTIAL_H

#include "quell/generative.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    bool vanilla;       /* else change */
    bool two_sided;     /* change: the probability of either direction, added up */
    bool batch_correct; /* shares of every batch in turn, the same for both of a pair */
    double delta;       /* NaN: from the spread of the genes' mean LFC */
    double pseudocount; /* NaN: from the genes that are hardly seen */
    double interval;    /* share of the draws that a credible interval holds */
    double fdr;
    int64_t n_pairs;
    int64_t memory; /* bytes for shares of the pairs: genes are taken in as many turns as need be */
    uint64_t seed;
} ql_de_options;

/* X(name of the column, what it is). Order is that of the table. */
#define QL_DE_MAP(X)                                                                               \
    X(PROBA_DE, "proba_de")                                                                        \
    X(PROBA_NOT_DE, "proba_not_de")                                                                \
    X(BAYES_FACTOR, "bayes_factor")                                                                \
    X(SCALE1, "scale1")                                                                            \
    X(SCALE2, "scale2")                                                                            \
    X(LFC_MEAN, "lfc_mean")                                                                        \
    X(LFC_MEDIAN, "lfc_median")                                                                    \
    X(LFC_STD, "lfc_std")                                                                          \
    X(LFC_MIN, "lfc_min")                                                                          \
    X(LFC_MAX, "lfc_max")                                                                          \
    X(LFC_LOW, "lfc_low")                                                                          \
    X(LFC_HIGH, "lfc_high")                                                                        \
    X(RAW_MEAN1, "raw_mean1")                                                                      \
    X(RAW_MEAN2, "raw_mean2")                                                                      \
    X(NON_ZEROS1, "non_zeros_proportion1")                                                         \
    X(NON_ZEROS2, "non_zeros_proportion2")                                                         \
    X(RAW_NORM1, "raw_normalized_mean1")                                                           \
    X(RAW_NORM2, "raw_normalized_mean2")                                                           \
    X(IS_DE, "is_de_fdr")

enum {
#define X(name, text) QL_DE_##name,
    QL_DE_MAP(X)
#undef X
        QL_N_DE
};

extern const char *const ql_de_names[]; /* [QL_N_DE] */

typedef struct {
    int64_t n_genes;
    double *of[QL_N_DE]; /* [n_genes]; owned */
    double delta, pseudocount;
    int64_t n_de;     /* genes that is_de_fdr tags */
    int64_t *by_rank; /* [n_genes] most certain first; owned */
} ql_de_result;

void ql_de_free(ql_de_result *r);

/* Two groups of cells of the same counts; total [rows of the counts]: molecules in the model's
 * genes. Both have cells. */
typedef struct {
    const ql_rows *counts;
    const int64_t *cell; /* as ql_gen_cells has it */
    const double *total;
    const int64_t *row[2];
    int64_t n[2];
} ql_de_groups;

QL_MUST_USE ql_status ql_differential(const ql_generative *g, const ql_de_groups *groups,
                                      const ql_de_options *opt, ql_de_result *out, ql_err *err);

/* ---- the parts, for tests ---- */

/* How many genes to tag: the longest prefix of p, descending, over which the mean of 1 - p is at
 * most fdr. */
int64_t ql_de_prefix(const double *p, int64_t n, double fdr);

/* ln(p + 1e-8) - ln(1 - p + 1e-8) */
double ql_de_bayes_factor(double p);

/* 0.6 times the mean absolute mean of the outer ones of three normal components fitted to the
 * genes' mean LFC by expectation and maximisation, at least 0.1. */
QL_MUST_USE ql_status ql_de_delta(const double *lfc, int64_t n, double *out, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
