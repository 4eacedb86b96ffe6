/* Householder reduction to tridiagonal form, then implicitly shifted QR steps (Golub and Van Loan,
 * Matrix Computations, sections 8.3.1 and 8.3.3). */
#include "quell/eigen.h"

#include <math.h>
#include <string.h>

enum { STEPS_EACH = 60 }; /* QR steps for an eigenvalue; two or three are usual */
#define EPS 0x1p-52

/* The matrix on its way to diag, off; z holds the rotations so far, a vector a row. */
typedef struct {
    int64_t n;
    double *a, *z, *diag, *off, *p; /* p [n]: scratch */
} problem;

/* v, in place of a's column k below the diagonal: a reflection that leaves only its first element.
 * Returns 2 / (v v), or 0 if there is nothing to do; *alpha: the element left. */
static double reflector(problem *q, int64_t k, double *v, double *alpha)
{
    double tail = 0;
    const int64_t n = q->n;
    for (int64_t i = k + 1; i < n; i++) v[i] = q->a[i * n + k];
    for (int64_t i = k + 2; i < n; i++) tail += v[i] * v[i];
    *alpha = v[k + 1];
    if (tail == 0) return 0;
    double norm = sqrt(tail + v[k + 1] * v[k + 1]);
    *alpha = v[k + 1] > 0 ? -norm : norm;
    v[k + 1] -= *alpha;
    return 2 / (tail + v[k + 1] * v[k + 1]);
}

/* a <- H a H for the rows and columns from k + 1 on, H = 1 - beta v v'. */
static void reflect_both_sides(problem *q, int64_t k, const double *v, double beta)
{
    const int64_t n = q->n;
    double *a = q->a, *p = q->p, half = 0;
    for (int64_t i = k + 1; i < n; i++) {
        p[i] = 0;
        for (int64_t j = k + 1; j < n; j++) p[i] += a[i * n + j] * v[j];
        p[i] *= beta;
        half += p[i] * v[i];
    }
    half *= beta / 2;
    for (int64_t i = k + 1; i < n; i++) p[i] -= half * v[i];
    for (int64_t i = k + 1; i < n; i++)
        for (int64_t j = k + 1; j < n; j++) a[i * n + j] -= v[i] * p[j] + p[i] * v[j];
}

/* z <- H z */
static void reflect_vectors(problem *q, int64_t k, const double *v, double beta)
{
    const int64_t n = q->n;
    double *p = q->p;
    memset(p, 0, (size_t)n * sizeof *p);
    for (int64_t i = k + 1; i < n; i++)
        for (int64_t j = 0; j < n; j++) p[j] += v[i] * q->z[i * n + j];
    for (int64_t i = k + 1; i < n; i++)
        for (int64_t j = 0; j < n; j++) q->z[i * n + j] -= beta * v[i] * p[j];
}

static void reduce(problem *q)
{
    const int64_t n = q->n;
    double *v = q->off; /* filled from the front, while v's elements lie behind */
    for (int64_t k = 0; k < n; k++) {
        double alpha = 0, beta = k + 2 < n ? reflector(q, k, v, &alpha) : 0;
        if (beta != 0) {
            reflect_both_sides(q, k, v, beta);
            reflect_vectors(q, k, v, beta);
        }
        q->diag[k] = q->a[k * n + k];
        v[k] = k + 1 < n ? (k + 2 < n ? alpha : q->a[(k + 1) * n + k]) : 0;
    }
}

static void rotate_rows(problem *q, int64_t i, double c, double s)
{
    double *x = q->z + i * q->n, *y = x + q->n;
    for (int64_t j = 0; j < q->n; j++) {
        double t = c * x[j] + s * y[j];
        y[j] = c * y[j] - s * x[j];
        x[j] = t;
    }
}

/* One step on lo .. hi with Wilkinson's shift: a bulge is chased from the top to the bottom. */
static void qr_step(problem *q, int64_t lo, int64_t hi)
{
    double *d = q->diag, *e = q->off;
    double half = (d[hi - 1] - d[hi]) / 2, b = e[hi - 1], root = sqrt(half * half + b * b);
    double x = d[lo] - (d[hi] - b * b / (half < 0 ? half - root : half + root)), z = e[lo];
    for (int64_t k = lo; k < hi; k++) {
        double r = sqrt(x * x + z * z), c = r > 0 ? x / r : 1, s = r > 0 ? z / r : 0;
        double first = d[k], second = d[k + 1], between = e[k];
        if (k > lo) e[k - 1] = r;
        d[k] = c * c * first + 2 * c * s * between + s * s * second;
        d[k + 1] = s * s * first - 2 * c * s * between + c * c * second;
        e[k] = (c * c - s * s) * between + c * s * (second - first);
        if (k + 1 < hi) {
            x = e[k];
            z = s * e[k + 1];
            e[k + 1] *= c;
        }
        rotate_rows(q, k, c, s);
    }
}

static ql_status diagonalise(problem *q, ql_err *err)
{
    double *d = q->diag, *e = q->off;
    int64_t steps = 0;
    for (int64_t hi = q->n - 1; hi > 0;) {
        for (int64_t i = 0; i < hi; i++)
            if (fabs(e[i]) <= EPS * (fabs(d[i]) + fabs(d[i + 1]))) e[i] = 0;
        if (e[hi - 1] == 0) {
            hi--;
            continue;
        }
        int64_t lo = hi - 1;
        while (lo > 0 && e[lo - 1] != 0) lo--;
        if (steps++ == STEPS_EACH * q->n)
            return ql_fail(err, QL_EINTERNAL, "an eigenvalue problem did not converge");
        qr_step(q, lo, hi);
    }
    return QL_OK;
}

/* Descending, by selection: the rows are what is long. */
static void sort_rows(int64_t n, double *value, double *z)
{
    for (int64_t i = 0; i < n; i++) {
        int64_t best = i;
        for (int64_t j = i + 1; j < n; j++)
            if (value[j] > value[best]) best = j;
        if (best == i) continue;
        double t = value[i];
        value[i] = value[best];
        value[best] = t;
        for (int64_t j = 0; j < n; j++) {
            t = z[i * n + j];
            z[i * n + j] = z[best * n + j];
            z[best * n + j] = t;
        }
    }
}

ql_status ql_eigen_symmetric(int64_t n, double *a, double *vectors, double *value, double *work,
                             ql_err *err)
{
    problem q = {n, a, vectors, value, work, work + n};
    memset(vectors, 0, (size_t)(n * n) * sizeof *vectors);
    for (int64_t i = 0; i < n; i++) vectors[i * n + i] = 1;
    reduce(&q);
    QL_TRY(diagonalise(&q, err));
    sort_rows(n, value, vectors);
    return QL_OK;
}
