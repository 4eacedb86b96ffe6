#include "spectral_embedding.h"

#include <math.h>

#include "quell/alloc.h"

#define TOLERANCE 1e-8

ql_status ql_graph_vectors(const ql_knn *l, int64_t neighbours, int64_t width,
                           const ql_spectral_options *opt, double *vector, double *residual,
                           ql_err *err)
{
    ql_sparse s = {0};
    ql_sparse_eigen task = {.k = width,
                            .vector = vector,
                            .tolerance = TOLERANCE,
                            .seed = opt->seed,
                            .purpose = opt->purpose};
    QL_TRY(QL_NEW(task.value, width, "eigenvalues", err));
    ql_status st = ql_graph_matrix(l, neighbours, &s, err);
    if (st == QL_OK) st = ql_sparse_eigen_run(&s, &task, err);
    if (residual) *residual = task.residual;
    ql_sparse_free(&s);
    ql_free(task.value);
    return st;
}

void ql_unit_rows(const double *vector, int64_t n, int64_t width, int64_t k, double *out)
{
    for (int64_t i = 0; i < n; i++) {
        double square = 0;
        for (int64_t c = 0; c < k; c++) square += vector[i * width + c] * vector[i * width + c];
        double scale = square > 0 ? 1 / sqrt(square) : 0;
        for (int64_t c = 0; c < k; c++) out[i * k + c] = vector[i * width + c] * scale;
    }
}
