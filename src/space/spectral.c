/* Ng, Jordan, Weiss 2002: the smallest eigenvectors of the Laplacian, rows to unit length, k-means.
 */
#include "quell/spectral.h"

#include "distinct.h"
#include "quell/alloc.h"
#include "quell/kmeans.h"
#include "spectral_embedding.h"

/* Of n distinct points, more than k. */
static ql_status cluster_distinct(const double *x, int64_t n, int64_t d,
                                  const ql_spectral_options *opt, ql_kmeans *out, double *residual,
                                  ql_err *err)
{
    ql_knn l = {0};
    double *vector = NULL;
    int64_t neighbours;
    ql_status st;
    const ql_kmeans_options kmeans = {.rule = QL_KMEANS_WONG,
                                      .k = opt->k,
                                      .starts = QL_SPECTRAL_STARTS,
                                      .max_steps = QL_SPECTRAL_STEPS,
                                      .seed = opt->seed,
                                      .purpose = opt->purpose,
                                      .threads = opt->threads};
    QL_GO(ql_near_lists_make(x, n, d, QL_SPECTRAL_KEPT, opt->threads, &l, err));
    QL_GO(ql_connected_at(&l, QL_SPECTRAL_NEIGHBOURS, opt->k, &neighbours, err));
    QL_GO(QL_NEW(vector, n * opt->k, "eigenvectors", err));
    QL_GO(ql_graph_vectors(&l, neighbours, opt->k, opt, vector, residual, err));
    ql_unit_rows(vector, n, opt->k, opt->k, vector);
    QL_GO(ql_kmeans_run(vector, n, opt->k, &kmeans, out, err));
out:
    ql_knn_free(&l);
    ql_free(vector);
    return st;
}

static void gather_rows(const double *x, int64_t d, const int64_t *which, int64_t n, double *out)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < d; c++) out[i * d + c] = x[which[i] * d + c];
}

ql_status ql_spectral(const double *x, int64_t n, int64_t d, const ql_spectral_options *opt,
                      int32_t *label, int64_t *found, double *residual, ql_err *err)
{
    int64_t *first = NULL, *kind = NULL, n_distinct;
    double *points = NULL;
    ql_kmeans groups = {0};
    ql_status st;
    if (residual) *residual = 0;
    if (opt->k < 1) return ql_fail(err, QL_EUSAGE, "spectral clustering into no clusters");
    QL_GO(QL_NEW(first, n, "spectral clustering", err));
    QL_GO(QL_NEW(kind, n, "spectral clustering", err));
    QL_GO(ql_distinct_rows(x, n, d, first, &n_distinct, kind, err));
    if (opt->k == 1 || n_distinct <= opt->k) {
        *found = opt->k == 1 ? 1 : n_distinct;
        for (int64_t i = 0; i < n; i++) label[i] = opt->k == 1 ? 0 : (int32_t)kind[i];
        goto out;
    }
    QL_GO(QL_NEW(points, n_distinct * d, "spectral clustering", err));
    gather_rows(x, d, first, n_distinct, points);
    QL_GO(cluster_distinct(points, n_distinct, d, opt, &groups, residual, err));
    for (int64_t i = 0; i < n; i++) label[i] = groups.label[kind[i]];
    *found = groups.k;
out:
    ql_free(first);
    ql_free(kind);
    ql_free(points);
    ql_kmeans_free(&groups);
    return st;
}
