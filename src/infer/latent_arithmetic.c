#include "quell/latent_arithmetic.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/fmath.h"
#include "quell/order.h"

#define PER_CELL 1e4

/* ---- shift ---- */

/* Add the group's codes to the strata's sums. */
static void add_group(const ql_latent_group *a, int64_t n_latent, double *sum, int64_t *count)
{
    for (int64_t i = 0; i < a->n; i++) {
        const int64_t s = a->stratum ? a->stratum[i] : 0;
        if (s < 0) continue;
        count[s]++;
        for (int64_t u = 0; u < n_latent; u++)
            sum[s * n_latent + u] += (double)a->z[i * n_latent + u];
    }
}

/* What the strata that both groups have say: their shifts, and where they are without it. */
typedef struct {
    int64_t n, width;
    double *shift, *centre; /* [n, width]; owned */
    int64_t *stratum;       /* [n]; owned */
} shifts;

static void shifts_free(shifts *s)
{
    ql_free(s->shift);
    ql_free(s->centre);
    ql_free(s->stratum);
}

static ql_status shifts_find(shifts *s, const ql_latent_group *a, const ql_latent_group *b,
                             int64_t n_strata, ql_err *err)
{
    const int64_t width = s->width;
    double *sum[2] = {NULL, NULL};
    int64_t *count[2] = {NULL, NULL};
    ql_status st;
    QL_GO(QL_NEW(s->shift, n_strata * width, "means of codes", err));
    QL_GO(QL_NEW(s->centre, n_strata * width, "means of codes", err));
    QL_GO(QL_NEW(s->stratum, n_strata, "means of codes", err));
    for (int k = 0; k < 2; k++) {
        QL_GO(QL_NEW(sum[k], n_strata * width, "means of codes", err));
        QL_GO(QL_NEW(count[k], n_strata, "means of codes", err));
        add_group(k ? b : a, width, sum[k], count[k]);
    }
    for (int64_t t = 0; t < n_strata; t++) {
        if (count[0][t] == 0 || count[1][t] == 0) continue;
        for (int64_t u = 0; u < width; u++) {
            const double centre = sum[1][t * width + u] / (double)count[1][t];
            s->centre[s->n * width + u] = centre;
            s->shift[s->n * width + u] = sum[0][t * width + u] / (double)count[0][t] - centre;
        }
        s->stratum[s->n++] = t;
    }
out:
    for (int k = 0; k < 2; k++) {
        ql_free(sum[k]);
        ql_free(count[k]);
    }
    return st;
}

static double distance2(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t u = 0; u < n; u++) sum += (a[u] - b[u]) * (a[u] - b[u]);
    return sum;
}

/* Mean shift, weights exp(-sharpness * squared distance of the centre from `at`), but for stratum
 * `without` (-1: none); weights, which add up to 1, into weight [n]. */
static void mix_shifts(const shifts *s, const double *at, double sharpness, int64_t without,
                       double *weight, double *out)
{
    double nearest = INFINITY, sum = 0;
    for (int64_t k = 0; k < s->n; k++) {
        weight[k] = at ? distance2(s->centre + k * s->width, at, s->width) : 0;
        if (k != without && weight[k] < nearest) nearest = weight[k];
    }
    for (int64_t k = 0; k < s->n; k++) {
        weight[k] = k == without ? 0 : ql_exp(-sharpness * (weight[k] - nearest));
        sum += weight[k];
    }
    memset(out, 0, (size_t)s->width * sizeof *out);
    for (int64_t k = 0; k < s->n; k++)
        for (int64_t u = 0; u < s->width; u++) out[u] += weight[k] * s->shift[k * s->width + u];
    for (int64_t u = 0; u < s->width; u++) out[u] /= sum;
    for (int64_t k = 0; k < s->n; k++) weight[k] /= sum;
}

/* Mean squared distance of two centres: what a sharpness is measured by. */
static double mean_distance2(const shifts *s)
{
    double sum = 0, pairs = 0;
    for (int64_t k = 0; k < s->n; k++)
        for (int64_t j = 0; j < k; j++, pairs += 1)
            sum += distance2(s->centre + k * s->width, s->centre + j * s->width, s->width);
    return pairs > 0 ? sum / pairs : 0;
}

/* The sharpness by which each stratum's own shift is best foretold from those of the others. */
static double choose_sharpness(const shifts *s, double *weight, double *foretold)
{
    static const double grid[] = {0, 0.5, 1, 2, 4, 8, 16};
    const double unit = mean_distance2(s);
    double best = 0, least = INFINITY;
    if (s->n < 3 || !(unit > 0)) return 0;
    for (size_t i = 0; i < sizeof grid / sizeof *grid; i++) {
        double miss = 0;
        for (int64_t k = 0; k < s->n; k++) {
            mix_shifts(s, s->centre + k * s->width, grid[i] / unit, k, weight, foretold);
            miss += distance2(foretold, s->shift + k * s->width, s->width);
        }
        if (miss < least) {
            least = miss;
            best = grid[i] / unit;
        }
    }
    return best;
}

static void centre_of(const ql_latent_group *g, int64_t width, double *out)
{
    memset(out, 0, (size_t)width * sizeof *out);
    for (int64_t i = 0; i < g->n; i++)
        for (int64_t u = 0; u < width; u++) out[u] += (double)g->z[i * width + u] / (double)g->n;
}

ql_status ql_latent_shift(const ql_latent_group *a, const ql_latent_group *b,
                          const ql_latent_group *to, int64_t n_latent, int64_t n_strata,
                          double *shift, double *weight, ql_err *err)
{
    shifts s = {.width = n_latent};
    double *own = NULL, *at = NULL, sharpness = 0;
    ql_status st;
    QL_GO(shifts_find(&s, a, b, n_strata, err));
    if (s.n == 0) {
        st = ql_fail(err, QL_EDATA, "the two groups have no stratum in common");
        goto out;
    }
    QL_GO(QL_NEW(own, n_strata, "weights of strata", err));
    QL_GO(QL_NEW(at, n_latent, "means of codes", err));
    if (to) {
        sharpness = choose_sharpness(&s, own, at);
        centre_of(to, n_latent, at);
    }
    mix_shifts(&s, to ? at : NULL, sharpness, -1, own, shift);
    memset(weight, 0, (size_t)n_strata * sizeof *weight);
    for (int64_t k = 0; k < s.n; k++) weight[s.stratum[k]] = own[k];
out:
    shifts_free(&s);
    ql_free(own);
    ql_free(at);
    return st;
}

/* ---- gene means ---- */

static void clear(const ql_gene_means *m, int64_t n_genes)
{
    double *const all[] = {m->mean, m->log_mean, m->log_var};
    for (int k = 0; k < 3; k++)
        if (all[k]) memset(all[k], 0, (size_t)n_genes * sizeof **all);
}

static void add_value(const ql_gene_means *m, int64_t g, double x)
{
    if (m->mean) m->mean[g] += x;
    if (!m->log_mean && !m->log_var) return;
    const double l = ql_log(1 + x);
    if (m->log_mean) m->log_mean[g] += l;
    if (m->log_var) m->log_var[g] += l * l;
}

/* From sums to means; the variance needs the mean of the logarithms. */
static void divide(const ql_gene_means *m, int64_t n_genes, double n)
{
    for (int64_t g = 0; g < n_genes; g++) {
        if (m->mean) m->mean[g] /= n;
        if (!m->log_mean) continue;
        m->log_mean[g] /= n;
        if (!m->log_var) continue;
        const double mean = m->log_mean[g], var = m->log_var[g] / n - mean * mean;
        m->log_var[g] = var > 0 && n > 1 ? var * n / (n - 1) : 0;
    }
}

ql_status ql_means_of_cells(const ql_rows *counts, const int64_t *row, int64_t n,
                            const double *total, const ql_gene_means *out, ql_err *err)
{
    ql_row_cursor c;
    clear(out, counts->n_cols);
    QL_TRY(ql_cursor_open(&c, counts, err));
    for (int64_t i = 0; i < n; i++) {
        const ql_row_view v = ql_cursor_row(&c, row[i]);
        for (int64_t k = 0; k < v.n; k++)
            add_value(out, v.gene[k], PER_CELL * (double)v.count[k] / total[row[i]]);
    }
    ql_cursor_close(&c);
    divide(out, counts->n_cols, (double)n);
    return ql_rows_check(counts, err);
}

typedef struct {
    const ql_gene_means *out;
    int64_t n_genes;
} summing;

static ql_status sum_block(void *ctx, int64_t first, int64_t n, const float *mean,
                           const float *theta, const float *pi, ql_err *err)
{
    const summing *s = ctx;
    (void)first;
    (void)theta;
    (void)pi;
    (void)err;
    for (int64_t i = 0; i < n; i++)
        for (int64_t g = 0; g < s->n_genes; g++)
            add_value(s->out, g, (double)mean[i * s->n_genes + g]);
    return QL_OK;
}

ql_status ql_means_of_codes(const ql_generative *g, const ql_gen_codes *codes,
                            const ql_gene_means *out, ql_err *err)
{
    summing s = {out, g->n_genes};
    const ql_gen_sink sink = {.block = sum_block, .ctx = &s, .expected = true};
    ql_gen_codes all = *codes;
    double *library = NULL;
    clear(out, g->n_genes);
    QL_TRY(QL_NEW(library, codes->n, "libraries", err));
    for (int64_t i = 0; i < codes->n; i++) library[i] = PER_CELL;
    all.library = library;
    ql_status st = ql_gen_decode(g, &all, &sink, err);
    ql_free(library);
    divide(out, g->n_genes, (double)codes->n);
    return st;
}

void ql_log_of_means(const double *mean, int64_t n_genes, double *out)
{
    for (int64_t g = 0; g < n_genes; g++) out[g] = ql_log(1 + mean[g]);
}

/* ---- agreement ---- */

ql_agreement ql_agree(const double *x, const double *y, const int64_t *gene, int64_t n)
{
    double mx = 0, my = 0, xx = 0, xy = 0, yy = 0, miss = 0;
    for (int64_t i = 0; i < n; i++) {
        const int64_t g = gene ? gene[i] : i;
        mx += x[g] / (double)n;
        my += y[g] / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        const int64_t g = gene ? gene[i] : i;
        const double dx = x[g] - mx, dy = y[g] - my;
        xx += dx * dx;
        xy += dx * dy;
        yy += dy * dy;
        miss += (x[g] - y[g]) * (x[g] - y[g]);
    }
    return (ql_agreement){.r2 = xx > 0 && yy > 0 ? xy * xy / (xx * yy) : NAN,
                          .explained = yy > 0 ? 1 - miss / yy : NAN,
                          .slope = xx > 0 ? xy / xx : NAN,
                          .n = n};
}

ql_status ql_top_genes(const ql_gene_means *a, int64_t n_a, const ql_gene_means *b, int64_t n_b,
                       int64_t n_genes, int64_t most, int64_t *gene, int64_t *n, ql_err *err)
{
    ql_ranked *list = NULL;
    QL_TRY(QL_NEW(list, n_genes, "ranks", err));
    for (int64_t g = 0; g < n_genes; g++) {
        const double d = a->log_mean[g] - b->log_mean[g];
        const double var = a->log_var[g] / (double)n_a + b->log_var[g] / (double)n_b;
        list[g] = (ql_ranked){var > 0 ? -fabs(d) / sqrt(var) : 0, g};
    }
    qsort(list, (size_t)n_genes, sizeof *list, ql_by_rank);
    *n = most < n_genes ? most : n_genes;
    for (int64_t k = 0; k < *n; k++) gene[k] = list[k].at;
    ql_free(list);
    return QL_OK;
}

/* ---- walks ---- */

static double length(const double *v, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += v[i] * v[i];
    return sqrt(sum);
}

/* sin(x) for |x| <= pi by its series around 0 or pi / 2. */
static double sine(double x)
{
    const double half_pi = 1.57079632679489661923;
    const bool far = fabs(x) > 0.5 * half_pi;
    const double r = far ? half_pi - fabs(x) : x;
    double term = far ? 1 : r, sum = term;
    for (int k = far ? 1 : 2; k < 40; k += 2) {
        term *= -r * r / (double)(k * (k + 1));
        sum += term;
    }
    return far && x < 0 ? -sum : sum;
}

/* Angle of two vectors, by bisection of its chord: 2 asin(c / 2). */
static double angle(const double *a, const double *b, int64_t n, double la, double lb)
{
    double chord = 0, low = 0, high = 3.14159265358979323846;
    for (int64_t i = 0; i < n; i++) {
        const double d = a[i] / la - b[i] / lb;
        chord += d * d;
    }
    chord = sqrt(chord);
    for (int k = 0; k < 60; k++) {
        const double middle = 0.5 * (low + high);
        if (2 * sine(0.5 * middle) < chord)
            low = middle;
        else
            high = middle;
    }
    return 0.5 * (low + high);
}

void ql_latent_walk(const double *a, const double *b, int64_t n_latent, int64_t steps, bool arc,
                    float *codes)
{
    const double la = length(a, n_latent), lb = length(b, n_latent);
    const double turn = arc && la > 0 && lb > 0 ? angle(a, b, n_latent, la, lb) : 0;
    const bool bent = turn > 1e-6 && turn < 3.1415;
    for (int64_t k = 0; k < steps; k++) {
        const double t = steps > 1 ? (double)k / (double)(steps - 1) : 0;
        double from = 1 - t, to = t;
        if (bent) {
            from = sine((1 - t) * turn) / sine(turn);
            to = sine(t * turn) / sine(turn);
        }
        for (int64_t u = 0; u < n_latent; u++)
            codes[k * n_latent + u] = (float)(from * a[u] + to * b[u]);
    }
}
