/* What is known of a cell beside its counts: batches and other categories, numbers such as a score,
 * and a label. A model that is given them can leave them out of its code (Lopez et al. 2018).
 *
 * A categorical covariate is a column of 0 and 1 for each of its levels, a number one column of
 * standardised values: the columns that layers of the network see beside their input. */
#ifndef QUELL_COVARIATES_H
#define QUELL_COVARIATES_H

#include "quell/frame.h"
#include "quell/kern.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { QL_MAX_COVARIATES = 16 };

/* How many there are of what: part of a model's configuration. */
typedef struct {
    int n;                               /* covariates */
    int64_t n_levels[QL_MAX_COVARIATES]; /* of a categorical one; 0: it is a number */
    int64_t n_labels;                    /* 0: cells have no labels */
} ql_cov_shape;

/* Columns that layers see: a covariate with one level has none. */
int64_t ql_cov_columns(const ql_cov_shape *s);

/* Numbers a cell has in ql_cov_values: a row of them. */
static inline int64_t ql_cov_width(const ql_cov_shape *s)
{
    return s->n + (s->n_labels > 0 ? 1 : 0);
}

/* Values of cells, a row each: of a categorical covariate the number of the level (-1: none, whose
 * columns are all 0), of a number the standardised one; then the label's number (-1: unlabelled).
 */
typedef struct {
    const float *value; /* [cells, ql_cov_width]; borrowed */
    bool same;          /* there is one row, for all cells */
    const float *fixed; /* [ql_cov_width] said of all cells, whatever value says; NaN: not said;
                           NULL: nothing is */
} ql_cov_values;

/* A cell's row into out [QL_COV_MOST]. */
enum { QL_COV_MOST = QL_MAX_COVARIATES + 1 };
void ql_cov_row(const ql_cov_values *v, int64_t width, int64_t cell, float *out);

/* The columns of one cell into x[0], x[stride], ... */
void ql_cov_fill(const ql_cov_shape *s, const float *row, int64_t stride, ql_real *x);

/* One covariate by name. */
typedef struct {
    char *name;      /* column of obs; owned */
    bool number;     /* else: */
    ql_names levels; /* in the order of their numbers */
    double mean, sd; /* of a number: value = (x - mean) / sd */
} ql_covariate;

/* Those of a model, and of the cells it is used on. Zero-initialise. */
typedef struct {
    int n;
    ql_covariate item[QL_MAX_COVARIATES];
    char *label;     /* column of obs; NULL: none; owned */
    ql_names labels; /* known ones */
    int64_t n_cells;
    float *value; /* [n_cells, ql_cov_width]; owned */
} ql_covariates;

/* How many covariates and levels there are, and the values of the cells, borrowed from c. */
ql_cov_shape ql_covariates_shape(const ql_covariates *c);
ql_cov_values ql_covariates_values(const ql_covariates *c);
void ql_covariates_free(ql_covariates *c);

/* Number of a level by its name, -1: none. */
int64_t ql_covariate_level(const ql_covariate *c, const char *name);

#ifdef __cplusplus
}
#endif
#endif
