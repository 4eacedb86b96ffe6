/* What is found among genes: tests between groups of cells, and correlations. Private to src/cmd.
 */
#ifndef QL_CHECK_TESTS_H
#define QL_CHECK_TESTS_H

#include "null_genes.h"
#include "quell/labels.h"

/* Genes [0, n_null) are null genes, [n_null, 2 n_null) those they were made of. */
typedef struct {
    int64_t n_null;
    const depth_strata *strata;
    const int32_t *group; /* [cells] or -1 */
    int64_t n_groups;
    int threads;
} check_design;

/* Tests of every gene and group against all other cells, summed over draws. */
typedef struct {
    int n_draws;
    double *sum, *square, *variance; /* [2 n_null, groups] of the statistic; owned */
} check_tests;

QL_MUST_USE ql_status check_tests_new(const check_design *d, check_tests *t, ql_err *err);
void check_tests_free(check_tests *t);

/* Add the tests of one matrix, values [cells of the file, 2 n_null]. */
QL_MUST_USE ql_status check_tests_add(const check_design *d, const float *values, check_tests *t,
                                      ql_err *err);

/* Shares of the tests with p < level, of one matrix, or of draws pooled by Rubin's rules (Rubin
 * 1987, Multiple Imputation for Nonresponse in Surveys): the mean statistic, its variance the mean
 * of theirs and (1 + 1 / draws) that between them. */
typedef struct {
    double null_called, real_called;
} check_called;
check_called check_tests_called(const check_design *d, const check_tests *t, double level);

/* Correlation of ln(1 + value), its mean of each stratum taken out, over all pairs of null genes:
 * mean of its size, and share of the pairs in which it is significant at 5 %. */
typedef struct {
    double mean, called;
} check_pairs;
QL_MUST_USE ql_status check_correlations(const check_design *d, const float *values,
                                         check_pairs *out, ql_err *err);

#endif
