#include "quell/logistic.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/fmath.h"

enum { MEMORY = 10, MOST_STEPS = 500, MOST_HALVINGS = 40 };
#define TOLERANCE 1e-6 /* of the gradient, a row */
#define ARMIJO    1e-4

/* ---- the function and its gradient ---- */

static double score_of(const ql_labelled *d, int64_t i, const double *w)
{
    const ql_csr *x = d->x;
    double s = w[x->n_cols];
    for (int64_t k = x->indptr[d->row[i]]; k < x->indptr[d->row[i] + 1]; k++) {
        const int32_t f = x->indices[k];
        s += w[f] * (double)x->data[k] * (d->factor ? d->factor[f] : 1);
    }
    return s;
}

void ql_logistic_score(const ql_labelled *data, const double *w, double *score)
{
    for (int64_t i = 0; i < data->n; i++) score[i] = score_of(data, i, w);
}

/* ln(1 + e^t) */
static double softplus(double t)
{
    return t > 0 ? t + ql_log(1 + ql_exp(-t)) : ql_log(1 + ql_exp(t));
}

static double value_and_gradient(const ql_labelled *d, double ridge, const double *w, double *grad)
{
    const int64_t p = d->x->n_cols;
    const ql_csr *x = d->x;
    double value = 0;
    memset(grad, 0, (size_t)(p + 1) * sizeof *grad);
    for (int64_t i = 0; i < d->n; i++) {
        const double y = d->kind[d->row[i]] ? 1 : -1, margin = y * score_of(d, i, w);
        const double slope = -y / (1 + ql_exp(margin));
        value += softplus(-margin);
        grad[p] += slope;
        for (int64_t k = x->indptr[d->row[i]]; k < x->indptr[d->row[i] + 1]; k++) {
            const int32_t f = x->indices[k];
            grad[f] += slope * (double)x->data[k] * (d->factor ? d->factor[f] : 1);
        }
    }
    for (int64_t f = 0; f < p; f++) {
        value += 0.5 * ridge * w[f] * w[f];
        grad[f] += ridge * w[f];
    }
    return value;
}

/* ---- L-BFGS ---- */

typedef struct {
    const ql_labelled *data;
    double ridge, value;
    int64_t n; /* features and the intercept */
    int kept, next;
    double *w, *grad, *step, *trial, *trial_grad; /* [n] */
    double *s, *y;                                /* [MEMORY, n] steps, changes of the gradient */
    double curvature[MEMORY];                     /* s'y */
} search;

static double dot(int64_t n, const double *a, const double *b)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

static void add(int64_t n, double by, const double *x, double *y)
{
    for (int64_t i = 0; i < n; i++) y[i] += by * x[i];
}

/* The two loops of Nocedal 1980. */
static void direction(search *q)
{
    double alpha[MEMORY];
    for (int64_t i = 0; i < q->n; i++) q->step[i] = -q->grad[i];
    for (int k = 0; k < q->kept; k++) {
        const int at = (q->next - 1 - k + MEMORY) % MEMORY;
        alpha[at] = dot(q->n, q->s + at * q->n, q->step) / q->curvature[at];
        add(q->n, -alpha[at], q->y + at * q->n, q->step);
    }
    if (q->kept > 0) {
        const int last = (q->next - 1 + MEMORY) % MEMORY;
        const double *y = q->y + last * q->n;
        const double scale = q->curvature[last] / dot(q->n, y, y);
        for (int64_t i = 0; i < q->n; i++) q->step[i] *= scale;
    }
    for (int k = q->kept - 1; k >= 0; k--) {
        const int at = (q->next - 1 - k + MEMORY) % MEMORY;
        const double beta = dot(q->n, q->y + at * q->n, q->step) / q->curvature[at];
        add(q->n, alpha[at] - beta, q->s + at * q->n, q->step);
    }
}

/* Go along the direction as far as the value falls enough; false: it does not any more. */
static bool go_along(search *q)
{
    const double slope = dot(q->n, q->grad, q->step);
    double length = q->kept ? 1 : 1 / sqrt(dot(q->n, q->grad, q->grad));
    if (!(slope < 0)) return false;
    for (int k = 0; k < MOST_HALVINGS; k++, length *= 0.5) {
        for (int64_t i = 0; i < q->n; i++) q->trial[i] = q->w[i] + length * q->step[i];
        const double value = value_and_gradient(q->data, q->ridge, q->trial, q->trial_grad);
        if (value > q->value + ARMIJO * length * slope) continue;
        q->value = value;
        return true;
    }
    return false;
}

/* The function is convex; where rounding says otherwise the pair is left out. */
static void remember(search *q)
{
    double *s = q->s + q->next * q->n, *y = q->y + q->next * q->n;
    for (int64_t i = 0; i < q->n; i++) {
        s[i] = q->trial[i] - q->w[i];
        y[i] = q->trial_grad[i] - q->grad[i];
    }
    memcpy(q->w, q->trial, (size_t)q->n * sizeof *q->w);
    memcpy(q->grad, q->trial_grad, (size_t)q->n * sizeof *q->grad);
    q->curvature[q->next] = dot(q->n, s, y);
    if (!(q->curvature[q->next] > 1e-12 * dot(q->n, y, y))) return;
    q->next = (q->next + 1) % MEMORY;
    if (q->kept < MEMORY) q->kept++;
}

static bool is_done(const search *q)
{
    const double most = TOLERANCE * (double)(q->data->n > 0 ? q->data->n : 1);
    for (int64_t i = 0; i < q->n; i++)
        if (fabs(q->grad[i]) > most) return false;
    return true;
}

ql_status ql_logistic_fit(const ql_labelled *data, double ridge, double *w, ql_err *err)
{
    search q = {.data = data, .ridge = ridge, .n = data->x->n_cols + 1, .w = w};
    double *block = NULL;
    QL_TRY(QL_NEW(block, (2 * MEMORY + 4) * q.n, "a classifier", err));
    q.grad = block;
    q.step = q.grad + q.n;
    q.trial = q.step + q.n;
    q.trial_grad = q.trial + q.n;
    q.s = q.trial_grad + q.n;
    q.y = q.s + MEMORY * q.n;
    memset(w, 0, (size_t)q.n * sizeof *w);
    q.value = value_and_gradient(data, ridge, w, q.grad);
    for (int k = 0; k < MOST_STEPS && !is_done(&q); k++) {
        direction(&q);
        if (!go_along(&q)) break;
        remember(&q);
    }
    ql_free(block);
    return QL_OK;
}
