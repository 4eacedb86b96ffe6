/* Subspace iteration with a Chebyshev filter (Zhou, Saad, Tiago, Chelikowsky 2006,
 * "Self-consistent- field calculations using Chebyshev-filtered subspace iteration"): a polynomial
 * of the matrix that stays within 1 where the unwanted eigenvalues are and grows fastest beyond. A
 * block of vectors finds eigenvalues that repeat, as those of a graph in several pieces do. */
#include "sparse_eigen.h"

#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/eigen.h"
#include "quell/interrupt.h"
#include "quell/rng.h"

enum {
    DEGREE = 24,  /* of the filter */
    ROUNDS = 300, /* at most */
    SPARE = 8     /* vectors beyond those wanted: what they hold decides how fast it goes */
};

typedef struct {
    const ql_sparse *s;
    int64_t n, p;         /* p vectors */
    double *x, *y, *z;    /* [n, p] */
    double *small, *turn; /* [p, p] */
    double *value, *work; /* [p], [2 p] */
    double *dot;          /* [p] */
} block;

void ql_sparse_free(ql_sparse *m)
{
    ql_free(m->indptr);
    ql_free(m->index);
    ql_free(m->value);
    *m = (ql_sparse){0};
}

/* out = alpha (S - shift) x - beta out */
static void filter_step(const block *b, const double *x, double alpha, double shift, double beta,
                        double *out)
{
    const int64_t p = b->p;
    double *sum = b->dot;
    for (int64_t i = 0; i < b->n; i++) {
        for (int64_t c = 0; c < p; c++) sum[c] = -shift * x[i * p + c];
        for (int64_t e = b->s->indptr[i]; e < b->s->indptr[i + 1]; e++) {
            const double w = b->s->value[e], *other = x + b->s->index[e] * p;
            for (int64_t c = 0; c < p; c++) sum[c] += w * other[c];
        }
        for (int64_t c = 0; c < p; c++) out[i * p + c] = alpha * sum[c] - beta * out[i * p + c];
    }
}

static void swap(double **a, double **b)
{
    double *t = *a;
    *a = *b;
    *b = t;
}

/* x <- T(S) x, T of degree DEGREE small on [-1, cut], scaled to 1 at 1. */
static void filter(block *b, double cut)
{
    const double half = (cut + 1) / 2, centre = (cut - 1) / 2;
    double sigma = half / (1 - centre);
    const double tau = 2 / sigma;
    memset(b->y, 0, (size_t)(b->n * b->p) * sizeof *b->y);
    filter_step(b, b->x, sigma / half, centre, 0, b->y);
    for (int i = 2; i <= DEGREE; i++) {
        double next = 1 / (tau - sigma);
        filter_step(b, b->y, 2 * next / half, centre, sigma * next, b->x);
        swap(&b->x, &b->y);
        sigma = next;
    }
    swap(&b->x, &b->y);
}

/* Take the first c columns out of column c, twice, so that rounding leaves nothing of them. Returns
 * its length afterwards. */
static double clear_column(block *b, int64_t c)
{
    const int64_t p = b->p;
    double square = 0;
    for (int pass = 0; pass < 2; pass++) {
        memset(b->dot, 0, (size_t)p * sizeof *b->dot);
        for (int64_t i = 0; i < b->n; i++)
            for (int64_t j = 0; j < c; j++) b->dot[j] += b->x[i * p + c] * b->x[i * p + j];
        for (int64_t i = 0; i < b->n; i++)
            for (int64_t j = 0; j < c; j++) b->x[i * p + c] -= b->dot[j] * b->x[i * p + j];
    }
    for (int64_t i = 0; i < b->n; i++) square += b->x[i * p + c] * b->x[i * p + c];
    return sqrt(square);
}

static double column_length(const block *b, int64_t c)
{
    double square = 0;
    for (int64_t i = 0; i < b->n; i++) square += b->x[i * b->p + c] * b->x[i * b->p + c];
    return sqrt(square);
}

static void draw_column(block *b, int64_t c, uint64_t *drawn, const ql_sparse_eigen *task)
{
    ql_rng rng = ql_rng_start(task->seed, QL_RNG_SPECTRAL, task->purpose, (*drawn)++);
    for (int64_t i = 0; i < b->n; i++) b->x[i * b->p + c] = ql_rng_normal(ql_rng_word(&rng));
}

/* A column that the others span already is drawn anew. */
static void orthonormalise(block *b, uint64_t *drawn, const ql_sparse_eigen *task)
{
    for (int64_t c = 0; c < b->p; c++) {
        double before = column_length(b, c), length = clear_column(b, c);
        while (!(length > 1e-12 * before) || length == 0) {
            draw_column(b, c, drawn, task);
            before = column_length(b, c);
            length = clear_column(b, c);
        }
        for (int64_t i = 0; i < b->n; i++) b->x[i * b->p + c] /= length;
    }
}

/* out = in turn', row by row: column c of out goes along row c of turn. */
static void turn_block(const block *b, const double *in, double *out)
{
    const int64_t p = b->p;
    for (int64_t i = 0; i < b->n; i++)
        for (int64_t c = 0; c < p; c++) {
            double sum = 0;
            for (int64_t j = 0; j < p; j++) sum += b->turn[c * p + j] * in[i * p + j];
            out[i * p + c] = sum;
        }
}

/* Rayleigh and Ritz: the best eigenvectors that the columns of x hold, into x; S x into y. */
static ql_status rotate(block *b, ql_err *err)
{
    const int64_t p = b->p;
    memset(b->z, 0, (size_t)(b->n * p) * sizeof *b->z);
    filter_step(b, b->x, 1, 0, 0, b->z);
    memset(b->small, 0, (size_t)(p * p) * sizeof *b->small);
    for (int64_t i = 0; i < b->n; i++)
        for (int64_t r = 0; r < p; r++)
            for (int64_t c = 0; c < p; c++)
                b->small[r * p + c] += b->x[i * p + r] * b->z[i * p + c];
    for (int64_t r = 0; r < p; r++)
        for (int64_t c = 0; c < r; c++)
            b->small[r * p + c] = b->small[c * p + r] =
                0.5 * (b->small[r * p + c] + b->small[c * p + r]);
    QL_TRY(ql_eigen_symmetric(p, b->small, b->turn, b->value, b->work, err));
    turn_block(b, b->z, b->y);
    turn_block(b, b->x, b->z);
    swap(&b->x, &b->z);
    return QL_OK;
}

static double largest_residual(const block *b, int64_t k)
{
    double most = 0;
    for (int64_t c = 0; c < k; c++) {
        double square = 0;
        for (int64_t i = 0; i < b->n; i++) {
            double r = b->y[i * b->p + c] - b->value[c] * b->x[i * b->p + c];
            square += r * r;
        }
        most = fmax(most, sqrt(square));
    }
    return most;
}

static ql_status iterate(block *b, ql_sparse_eigen *task, ql_err *err)
{
    uint64_t drawn = 0;
    for (int64_t c = 0; c < b->p; c++) draw_column(b, c, &drawn, task);
    for (int round = 0; round < ROUNDS && !task->converged; round++) {
        QL_TRY(ql_interrupt_check(err));
        if (round > 0) filter(b, fmin(fmax(b->value[b->p - 1], -0.9), 1 - 1e-10));
        orthonormalise(b, &drawn, task);
        QL_TRY(rotate(b, err));
        task->residual = largest_residual(b, task->k);
        task->converged = task->residual <= task->tolerance;
    }
    for (int64_t c = 0; c < task->k; c++) {
        task->value[c] = b->value[c];
        for (int64_t i = 0; i < b->n; i++) task->vector[i * task->k + c] = b->x[i * b->p + c];
    }
    return QL_OK;
}

static ql_status new_block(block *b, ql_err *err)
{
    const int64_t n = b->n, p = b->p;
    QL_TRY(QL_NEW(b->x, n * p, "eigenvectors", err));
    QL_TRY(QL_NEW(b->y, n * p, "eigenvectors", err));
    QL_TRY(QL_NEW(b->z, n * p, "eigenvectors", err));
    QL_TRY(QL_NEW(b->small, p * p, "eigenvectors", err));
    QL_TRY(QL_NEW(b->turn, p * p, "eigenvectors", err));
    QL_TRY(QL_NEW(b->value, p, "eigenvectors", err));
    QL_TRY(QL_NEW(b->dot, p, "eigenvectors", err));
    return QL_NEW(b->work, 2 * p, "eigenvectors", err);
}

ql_status ql_sparse_eigen_run(const ql_sparse *s, ql_sparse_eigen *task, ql_err *err)
{
    int64_t p = 2 * task->k > task->k + SPARE ? 2 * task->k : task->k + SPARE;
    block b = {.s = s, .n = s->n, .p = p < s->n ? p : s->n};
    ql_status st;
    task->converged = false;
    QL_GO(new_block(&b, err));
    QL_GO(iterate(&b, task, err));
out:
    ql_free(b.x);
    ql_free(b.y);
    ql_free(b.z);
    ql_free(b.small);
    ql_free(b.turn);
    ql_free(b.value);
    ql_free(b.dot);
    ql_free(b.work);
    return st;
}
