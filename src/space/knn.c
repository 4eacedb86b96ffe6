#include "quell/knn.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>

#include "quell/alloc.h"
#include "quell/interrupt.h"
#include "quell/parallel.h"

/* Points and queries of one product. They do not decide the result. */
enum { POINTS = 512, QUERIES = 64 };

static const double LARGEST = 1e15; /* squares of it and their sums are far from overflow */

/* A set of points made ready. Euclidean: x' = x - centre (the points' mean), and the score of a
 * pair is x'.y' - |y'|^2 / 2 = (|x'|^2 - d^2) / 2; so a point has one column more than dimensions.
 * Angles: x' = (x - its mean) / its length, and the score is x'.y' = 1 - d. The larger, the nearer.
 */
typedef struct {
    int64_t n, width; /* width: columns of a product */
    ql_real *x;       /* queries: [n, width]; points: blocks of [width, POINTS] */
    double *square;   /* Euclidean: |x'|^2 [n] */
    double largest;   /* of the lengths |x'| */
} prepared;

typedef struct {
    const ql_knn_options *opt;
    const float *points, *queries;
    int64_t n_dims;
    bool same; /* queries are the points */
    prepared ready, asked;
    ql_knn *out;
    ql_real *score; /* [threads, QUERIES, POINTS] */
    atomic_bool stop;
    _Atomic int64_t done; /* blocks of queries */
} search;

void ql_knn_free(ql_knn *knn)
{
    ql_free(knn->index);
    ql_free(knn->distance);
    *knn = (ql_knn){0};
}

/* ---- preparation ---- */

static ql_status check_sizes(const float *x, int64_t n, int64_t n_dims, ql_err *err)
{
    for (int64_t i = 0; i < n * n_dims; i++)
        if (!(fabs((double)x[i]) <= LARGEST))
            return ql_fail(err, QL_EDATA,
                           "[%lld, %lld] is %g: distances of values beyond 1e15 are not computed",
                           (long long)(i / n_dims), (long long)(i % n_dims), (double)x[i]);
    return QL_OK;
}

static void mean_point(const float *x, int64_t n, int64_t n_dims, double *sum, float *centre)
{
    for (int64_t d = 0; d < n_dims; d++) sum[d] = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t d = 0; d < n_dims; d++) sum[d] += (double)x[i * n_dims + d];
    for (int64_t d = 0; d < n_dims; d++) centre[d] = (float)(sum[d] / (double)n);
}

static void make_direction(const ql_metric *m, const float *x, int64_t n_dims, ql_real *out)
{
    double sum = 0, square = 0;
    for (int64_t d = 0; m->centred && d < n_dims; d++) sum += (double)x[d];
    const double mean = sum / (double)n_dims;
    for (int64_t d = 0; d < n_dims; d++) square += ((double)x[d] - mean) * ((double)x[d] - mean);
    const double length = sqrt(square);
    for (int64_t d = 0; d < n_dims; d++)
        out[d] = length > 0 ? (float)(((double)x[d] - mean) / length) : 0;
}

/* Row i made ready: out [width]. */
static double make_row(const search *s, const float *x, const float *centre, bool is_point,
                       ql_real *out)
{
    const int64_t n = s->n_dims;
    if (s->opt->metric->angle) {
        make_direction(s->opt->metric, x, n, out);
        return 1;
    }
    double square = 0;
    for (int64_t d = 0; d < n; d++) {
        out[d] = x[d] - centre[d];
        square += (double)out[d] * (double)out[d];
    }
    out[n] = is_point ? (float)(-square / 2) : 1;
    return square;
}

static ql_status prepare(const search *s, const float *x, int64_t n, const float *centre,
                         bool is_point, prepared *p, ql_err *err)
{
    ql_real *row = NULL;
    ql_status st;
    p->n = n;
    p->width = s->n_dims + (s->opt->metric->angle ? 0 : 1);
    const int64_t blocks = (n + POINTS - 1) / POINTS;
    QL_GO(QL_NEW(p->x, is_point ? blocks * POINTS * p->width : n * p->width, "points", err));
    QL_GO(QL_NEW(p->square, n, "points", err));
    QL_GO(QL_NEW(row, p->width, "a point", err));
    for (int64_t i = 0; i < n; i++) {
        p->square[i] = make_row(s, x + i * s->n_dims, centre, is_point, row);
        if (p->square[i] > p->largest) p->largest = p->square[i];
        ql_real *block = p->x + i / POINTS * POINTS * p->width + i % POINTS;
        for (int64_t d = 0; d < p->width; d++)
            *(is_point ? block + d * POINTS : p->x + i * p->width + d) = row[d];
    }
    p->largest = sqrt(p->largest);
out:
    ql_free(row);
    return st;
}

/* ---- the bound ---- */

/* How far a score may be from that of the true distance: rounding of the rows when they were made
 * ready, of each step of the product's chain (Higham 2002, section 3.1), of |y'|^2 / 2, with half
 * as much again in reserve. */
static double error_of(const search *s, int64_t query)
{
    const double unit = FLT_EPSILON / 2.0, steps = (double)s->asked.width + 4;
    if (s->opt->metric->angle) return 1.5 * unit * steps;
    const double x = sqrt(s->asked.square[query]), y = s->ready.largest;
    return 1.5 * unit * (steps * (x * y + y * y / 2) + (x + y) * (x + y)) +
           (double)s->asked.width * (double)FLT_MIN;
}

/* The score below which nothing is as near as `distance`. */
static double least_score(const search *s, int64_t query, double distance, double error)
{
    if (s->opt->metric->angle) return 1 - distance - error;
    return (s->asked.square[query] - distance * distance) / 2 - error;
}

/* ---- the search ---- */

/* What is known of a query: its nearest so far, in order. */
typedef struct {
    int64_t query;
    int n;
    double error;
    float least;      /* scores below it need no look */
    int32_t *index;   /* [k] */
    double *distance; /* [k] */
} nearest;

static void look_at(const search *s, nearest *q, int64_t point)
{
    const int k = s->opt->k;
    if (s->same && point == q->query) return;
    const double d = ql_metric_distance(s->opt->metric, s->queries + q->query * s->n_dims,
                                        s->points + point * s->n_dims, s->n_dims);
    /* points come in order: one at the same distance stays behind those that came before */
    if (q->n == k && !(d < q->distance[k - 1])) return;
    int at = q->n < k ? q->n++ : k - 1;
    for (; at > 0 && q->distance[at - 1] > d; at--) {
        q->distance[at] = q->distance[at - 1];
        q->index[at] = q->index[at - 1];
    }
    q->distance[at] = d;
    q->index[at] = (int32_t)point;
    if (q->n < k) return;
    const double least = least_score(s, q->query, q->distance[k - 1], q->error);
    q->least = nextafterf((float)least, -INFINITY);
}

/* Scores [n] of points from `first` on. Most are far below the least: look at 32 at once. */
static void look_through(const search *s, nearest *q, int64_t first, int64_t n,
                         const ql_real *score)
{
    for (int64_t at = 0; at < n; at += QL_PAD) {
        const ql_real *x = score + at, least = q->least;
        int near = 0;
        for (int i = 0; i < QL_PAD; i++) near |= x[i] >= least;
        for (int64_t i = at; near && i < n && i < at + QL_PAD; i++)
            if (score[i] >= q->least) look_at(s, q, first + i);
    }
}

static void search_block(search *s, int64_t block, ql_real *score)
{
    const int64_t from = block * QUERIES, width = s->ready.width;
    const int64_t m = s->asked.n - from < QUERIES ? s->asked.n - from : QUERIES;
    const int k = s->opt->k;
    nearest q[QUERIES];
    for (int64_t i = 0; i < m; i++)
        q[i] = (nearest){.query = from + i,
                         .error = error_of(s, from + i),
                         .least = -INFINITY,
                         .index = s->out->index + (from + i) * k,
                         .distance = s->out->distance + (from + i) * k};
    ql_gemm g = {.m = m,
                 .n = POINTS,
                 .p = width,
                 .a = s->asked.x + from * width,
                 .a_row = width,
                 .a_col = 1,
                 .ldb = POINTS,
                 .c = score,
                 .ldc = POINTS,
                 .start = QL_FROM_ZERO};
    for (int64_t first = 0; first < s->ready.n; first += POINTS) {
        const int64_t n = s->ready.n - first < POINTS ? s->ready.n - first : POINTS;
        g.b = s->ready.x + first * width;
        s->opt->kern->gemm(&g);
        for (int64_t i = 0; i < m; i++) look_through(s, &q[i], first, n, score + i * POINTS);
    }
}

static void search_part(void *ctx, ql_team *team, int rank)
{
    search *s = ctx;
    const int64_t blocks = (s->asked.n + QUERIES - 1) / QUERIES;
    ql_real *score = s->score + (int64_t)rank * QUERIES * POINTS;
    for (int64_t b; (b = ql_team_next(team, rank, 0, blocks)) >= 0;) {
        if (atomic_load(&s->stop)) continue; /* every thread draws to the end */
        search_block(s, b, score);
        const int64_t done = atomic_fetch_add(&s->done, 1) + 1;
        if (rank != 0) continue;
        if (s->opt->tell) s->opt->tell(s->opt->ctx, (double)done / (double)blocks);
        if (ql_interrupt_check(NULL) != QL_OK) atomic_store(&s->stop, true);
    }
}

static ql_status run(search *s, int64_t n, int64_t n_queries, ql_err *err)
{
    double *sum = NULL;
    float *centre = NULL;
    ql_status st;
    const int k = s->opt->k;
    *s->out = (ql_knn){.n = n_queries, .k = k};
    if (k < 1 || k > n - s->same)
        QL_GO(ql_fail(err, QL_EINTERNAL, "%d neighbours of %lld", k, (long long)n));
    QL_GO(check_sizes(s->points, n, s->n_dims, err));
    if (!s->same) QL_GO(check_sizes(s->queries, n_queries, s->n_dims, err));
    QL_GO(QL_NEW(sum, s->n_dims, "the centre", err));
    QL_GO(QL_NEW(centre, s->n_dims, "the centre", err));
    mean_point(s->points, n, s->n_dims, sum, centre);
    QL_GO(prepare(s, s->points, n, centre, true, &s->ready, err));
    QL_GO(prepare(s, s->queries, n_queries, centre, false, &s->asked, err));
    QL_GO(QL_NEW(s->out->index, n_queries * k, "neighbours", err));
    QL_GO(QL_NEW(s->out->distance, n_queries * k, "neighbours", err));
    QL_GO(QL_NEW(s->score, (int64_t)s->opt->threads * QUERIES * POINTS, "scores", err));
    ql_team_run(s->opt->threads, search_part, s);
    st = ql_interrupt_check(err);
out:
    ql_free(sum);
    ql_free(centre);
    ql_free(s->ready.x);
    ql_free(s->ready.square);
    ql_free(s->asked.x);
    ql_free(s->asked.square);
    ql_free(s->score);
    if (st != QL_OK) ql_knn_free(s->out);
    return st;
}

ql_status ql_knn_points(const float *points, int64_t n, int64_t n_dims, const ql_knn_options *opt,
                        ql_knn *out, ql_err *err)
{
    search s = {.opt = opt,
                .points = points,
                .queries = points,
                .n_dims = n_dims,
                .same = true,
                .out = out};
    return run(&s, n, n, err);
}

ql_status ql_knn_queries(const float *points, int64_t n, const float *queries, int64_t n_queries,
                         int64_t n_dims, const ql_knn_options *opt, ql_knn *out, ql_err *err)
{
    search s = {.opt = opt, .points = points, .queries = queries, .n_dims = n_dims, .out = out};
    return run(&s, n, n_queries, err);
}
