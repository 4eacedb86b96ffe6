/* Principal components of preprocessed counts: the linear autoencoder's exact solution.
 *
 * The matrix A [cells, genes] of scaled inputs (quell/preprocess.h), centred, is never formed: A P
 * = V P + 1 (shift P) with V sparse. Its leading right singular vectors are found in a Krylov space
 * that starts from random vectors (Halko et al. 2011, Musco and Musco 2015), on the side of the
 * genes, so that memory does not grow with the cells and one pass over the rows serves a product
 * with A'A. The same bytes for any number of threads and on every processor. */
#ifndef QUELL_PCA_H
#define QUELL_PCA_H

#include "quell/preprocess.h"
#include "quell/rows.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { QL_PCA_MOST = 1000 }; /* components */

typedef struct {
    int64_t components;
    double tolerance; /* of |A' u - s v| / s, for each component */
    int max_passes;   /* over the rows; 0: QL_PCA_PASSES */
    uint64_t seed;    /* of the starting vectors */
    int threads;
} ql_pca_options;

enum { QL_PCA_PASSES = 500 };

typedef struct {
    int64_t n;        /* components found: fewer than asked for where the rank is lower */
    int64_t n_genes;  /* kept genes */
    double *variance; /* [n] along each component, descending (divided by cells - 1); owned */
    double *loading;  /* [n, n_genes] unit vectors; the entry of largest size is positive; owned */
    double total_variance; /* of all inputs */
    double residual;       /* largest of |A' u - s v| / s that is left */
    int passes;            /* over the rows */
    bool converged;        /* residual is within the tolerance */
} ql_pca;

/* counts as ql_prep_counts left them; prep must centre. QL_EUSAGE: more components than cells - 1
 * or genes. Release *out with ql_pca_free; it is empty after a failure. */
QL_MUST_USE ql_status ql_pca_fit(const ql_rows *counts, const ql_prep *prep,
                                 const ql_pca_options *opt, const ql_kern *kern, ql_pca *out,
                                 ql_err *err);
void ql_pca_free(ql_pca *p);

/* out [rows of counts, p->n]: the cells' coordinates; of cells without counts NaN. */
QL_MUST_USE ql_status ql_pca_scores(const ql_pca *p, const ql_rows *counts, const ql_prep *prep,
                                    int threads, const ql_kern *kern, float *out, ql_err *err);

/* Bytes that both take beside counts and out. */
int64_t ql_pca_bytes(const ql_rows *counts, const ql_pca_options *opt);

#ifdef __cplusplus
}
#endif
#endif
