#include "proposal.h"

#include <math.h>
#include <string.h>

#include "count_slope.h"
#include "quell/alloc.h"
#include "quell/cholesky.h"
#include "quell/fmath.h"
#include "quell/parallel.h"
#include "quell/rng_draw.h"
#include "quell/special.h"

enum { STEPS = 3, SLOPES_AT_ONCE = 128 };
#define DEGREES    10.0 /* of freedom: tails heavier than what is integrated */
#define SLOPE_STEP 0.3  /* of the encoder's standard deviation */
#define LOG_PI     1.14472988584940017414

/* ---- room ---- */

static ql_status room_of_slopes(proposals *p, ql_err *err)
{
    const ql_generative *g = p->g;
    const int64_t n = p->at_once * (g->n_latent + 1);
    QL_TRY(QL_NEW(p->code, n * g->n_latent, "codes", err));
    QL_TRY(QL_NEW(p->depth, n, "codes", err));
    QL_TRY(QL_NEW(p->cell, n, "codes", err));
    QL_TRY(QL_NEW(p->mean, n * g->n_genes, "decoded cells", err));
    QL_TRY(QL_NEW(p->count, p->at_once * g->n_genes, "counts of cells", err));
    if (g->law != QL_LAW_POISSON && g->law != QL_LAW_BERNOULLI)
        QL_TRY(QL_NEW(p->theta, n * g->n_genes, "decoded cells", err));
    if (g->law == QL_LAW_ZINB) QL_TRY(QL_NEW(p->pi, n * g->n_genes, "decoded cells", err));
    return QL_OK;
}

ql_status proposals_new(proposals *p, const ql_generative *g, ql_err *err)
{
    const int64_t n = g->block, width = g->n_latent, d = SLOPES_AT_ONCE / (width + 1);
    ql_status st;
    *p = (proposals){.g = g, .at_once = d < 1 ? 1 : d > n ? n : d};
    p->log_norm = ql_lgamma((DEGREES + (double)width) / 2) - ql_lgamma(DEGREES / 2) -
                  0.5 * (double)width * (ql_log(DEGREES) + LOG_PI);
    QL_GO(QL_NEW(p->mode, n * width, "codes", err));
    QL_GO(QL_NEW(p->root, n * width * width, "scales of codes", err));
    QL_GO(QL_NEW(p->info, n * width * width, "scales of codes", err));
    QL_GO(QL_NEW(p->centre, n * width, "codes", err));
    QL_GO(QL_NEW(p->gradient, n * width, "codes", err));
    QL_GO(QL_NEW(p->step, n * width, "codes", err));
    QL_GO(QL_NEW(p->prior_mean, n * width, "codes", err));
    QL_GO(QL_NEW(p->prior_var, n * width, "codes", err));
    for (int64_t k = 0; k < n * width; k++) p->prior_var[k] = 1;
    QL_GO(QL_NEW(p->joint, n, "likelihoods", err));
    QL_GO(QL_NEW(p->tried, n, "likelihoods", err));
    QL_GO(QL_NEW(p->z, n * width, "codes", err));
    QL_GO(QL_NEW(p->library, n, "libraries", err));
    QL_GO(room_of_slopes(p, err));
out:
    if (st != QL_OK) proposals_free(p);
    return st;
}

void proposals_free(proposals *p)
{
    void *const all[] = {p->info,  p->centre,  p->mode,       p->root,     p->gradient,
                         p->step,  p->joint,   p->tried,      p->z,        p->code,
                         p->depth, p->cell,    p->mean,       p->theta,    p->pi,
                         p->count, p->library, p->prior_mean, p->prior_var};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) ql_free(all[i]);
    *p = (proposals){0};
}

int64_t proposals_bytes(int64_t n_genes)
{
    enum { ARRAYS = 4 };
    return ARRAYS * (int64_t)SLOPES_AT_ONCE * n_genes * (int64_t)sizeof(float);
}

/* ---- slopes ---- */

typedef struct {
    proposals *p;
    const float *var;
    int64_t first, n; /* of the block's cells */
} part;

static double slope_step(const part *t, int64_t i, int64_t u)
{
    return SLOPE_STEP * sqrt((double)t->var[i * t->p->g->n_latent + u]);
}

/* The code of each cell, and it with one unit moved. */
static void place_codes(const part *t, const ql_gen_cells *cells)
{
    proposals *p = t->p;
    const int64_t width = p->g->n_latent;
    for (int64_t c = 0; c < t->n; c++) {
        const int64_t i = t->first + c, row = cells->row[i];
        for (int64_t k = 0; k <= width; k++) {
            const int64_t at = c * (width + 1) + k;
            float *z = p->code + at * width;
            for (int64_t u = 0; u < width; u++) z[u] = (float)p->mode[i * width + u];
            if (k > 0) z[k - 1] += (float)slope_step(t, i, k - 1);
            p->depth[at] = p->library[i];
            p->cell[at] = cells->cell ? cells->cell[row] : row;
        }
    }
}

static ql_status place_counts(const part *t, const ql_gen_cells *cells, ql_err *err)
{
    proposals *p = t->p;
    const int64_t genes = p->g->n_genes;
    ql_row_cursor cursor;
    memset(p->count, 0, (size_t)(t->n * genes) * sizeof *p->count);
    QL_TRY(ql_cursor_open(&cursor, cells->counts, err));
    for (int64_t c = 0; c < t->n; c++) {
        const ql_row_view row = ql_cursor_row(&cursor, cells->row[t->first + c]);
        for (int64_t k = 0; k < row.n; k++) p->count[c * genes + row.gene[k]] = row.count[k];
    }
    ql_cursor_close(&cursor);
    return ql_rows_check(cells->counts, err);
}

static ql_status decode_codes(proposals *p, int64_t n, ql_err *err)
{
    const ql_generative *g = p->g;
    for (int64_t at = 0; at < n; at += g->block) {
        const ql_gen_codes codes = {.n = n - at < g->block ? n - at : g->block,
                                    .z = p->code + at * g->n_latent,
                                    .library = p->depth + at,
                                    .cell = p->cell + at,
                                    .batch = QL_OWN_BATCH};
        QL_TRY(g->decode(g->ctx, &codes, p->mean + at * g->n_genes,
                         p->theta ? p->theta + at * g->n_genes : NULL,
                         p->pi ? p->pi + at * g->n_genes : NULL, err));
    }
    return QL_OK;
}

/* Add a gene of a cell, whose mean moves by slope[u] with unit u. */
static void add_gene(double *info, double *gradient, const double *slope, int64_t width,
                     count_slope m)
{
    for (int64_t u = 0; u < width; u++) {
        const double scaled = m.information * slope[u];
        gradient[u] += m.slope * slope[u];
        for (int64_t v = 0; v <= u; v++) info[u * width + v] += scaled * slope[v];
    }
}

/* What a normal prior adds to the information and, at z, to the gradient of one unit. */
typedef struct {
    double information, gradient;
} pull;

static pull pull_of(double mean, double var, double z)
{
    return (pull){1 / var, (mean - z) / var};
}

/* Gradient of ln p(x, z) and the root of its information at a cell's code, and the step from it. */
static void one_cell(void *ctx, int64_t c)
{
    const part *t = ctx;
    const proposals *p = t->p;
    const int64_t width = p->g->n_latent, genes = p->g->n_genes, i = t->first + c;
    const float *mean = p->mean + c * (width + 1) * genes;
    double *info = p->root + i * width * width, *gradient = p->gradient + i * width;
    double *slope = p->step + i * width; /* scratch until the step is known */
    memset(info, 0, (size_t)(width * width) * sizeof *info);
    for (int64_t u = 0; u < width; u++) {
        const int64_t k = i * width + u;
        const pull prior = pull_of(p->prior_mean[k], p->prior_var[k], p->mode[k]);
        info[u * width + u] = prior.information;
        gradient[u] = prior.gradient;
    }
    for (int64_t g = 0; g < genes; g++) {
        const int64_t at = c * (width + 1) * genes + g;
        const count_slope m =
            count_slope_of(p->g->law, (double)p->count[c * genes + g], (double)mean[g],
                           p->theta ? (double)p->theta[at] : 0, p->pi ? (double)p->pi[at] : 0);
        for (int64_t u = 0; u < width; u++)
            slope[u] = ((double)mean[(u + 1) * genes + g] - (double)mean[g]) / slope_step(t, i, u);
        add_gene(info, gradient, slope, width, m);
    }
}

/* The encoder's own, where the information is not to be had; var [n_latent]. */
static void fall_back(proposals *p, int64_t i, const float *var)
{
    const int64_t width = p->g->n_latent;
    double *root = p->root + i * width * width;
    memset(root, 0, (size_t)(width * width) * sizeof *root);
    for (int64_t u = 0; u < width; u++) root[u * width + u] = 1 / sqrt((double)var[u]);
}

/* step [n_latent], of which it has the gradient, with the root of the information in its place;
 * 0, and the encoder's root, where that is not to be had. */
static void find_step(proposals *p, int64_t i, const float *var, double *step)
{
    const int64_t width = p->g->n_latent;
    double *root = p->root + i * width * width;
    bool good = ql_cholesky(root, width, 0);
    for (int64_t u = 0; u < width; u++) good = good && isfinite(step[u]);
    if (!good) {
        fall_back(p, i, var);
        memset(step, 0, (size_t)width * sizeof *step);
        return;
    }
    ql_solve_lower(root, width, step);
    ql_solve_upper(root, width, step);
}

static void first_step(proposals *p, int64_t i, const float *var)
{
    const int64_t width = p->g->n_latent, size = width * width;
    memcpy(p->info + i * size, p->root + i * size, (size_t)size * sizeof *p->info);
    memcpy(p->step + i * width, p->gradient + i * width, (size_t)width * sizeof *p->step);
    find_step(p, i, var + i * width, p->step + i * width);
}

/* Roots of the information (not yet of the scale) and steps of all cells, at their modes. */
static ql_status find_slopes(proposals *p, const ql_gen_cells *cells, const float *var, ql_err *err)
{
    part t = {.p = p, .var = var};
    for (t.first = 0; t.first < cells->n; t.first += p->at_once) {
        t.n = cells->n - t.first < p->at_once ? cells->n - t.first : p->at_once;
        place_codes(&t, cells);
        QL_TRY(place_counts(&t, cells, err));
        QL_TRY(decode_codes(p, t.n * (p->g->n_latent + 1), err));
        ql_parallel_for(p->g->threads, t.n, one_cell, &t);
        for (int64_t i = t.first; i < t.first + t.n; i++) first_step(p, i, var);
    }
    return QL_OK;
}

/* ---- modes ---- */

/* But for the variances, which are the same wherever a cell's code is. */
static double log_prior(const proposals *p, int64_t i)
{
    const int64_t width = p->g->n_latent;
    double sum = 0;
    for (int64_t k = i * width; k < (i + 1) * width; k++) {
        const double d = (double)p->z[k] - p->prior_mean[k];
        sum += 0.5 * d * d / p->prior_var[k];
    }
    return -(sum + (double)width * QL_HALF_LOG_2PI);
}

/* ln p(x, z) of the cells at mode + share of the step. */
static ql_status try_step(proposals *p, const ql_gen_cells *cells, double share,
                          const double *library, double *out, ql_err *err)
{
    const int64_t width = p->g->n_latent;
    for (int64_t k = 0; k < cells->n * width; k++)
        p->z[k] = (float)(p->mode[k] + share * p->step[k]);
    QL_TRY(p->g->log_lik(p->g->ctx, cells, p->z, library, out, err));
    for (int64_t i = 0; i < cells->n; i++) out[i] += log_prior(p, i);
    return QL_OK;
}

static void keep_better(proposals *p, int64_t n)
{
    const int64_t width = p->g->n_latent;
    for (int64_t i = 0; i < n; i++) {
        if (!(p->tried[i] > p->joint[i])) continue;
        p->joint[i] = p->tried[i];
        for (int64_t u = 0; u < width; u++) {
            const double to = (double)p->z[i * width + u];
            p->step[i * width + u] -= to - p->mode[i * width + u];
            p->mode[i * width + u] = to;
        }
    }
}

/* The whole step, and a quarter of what is left of it. */
static ql_status improve(proposals *p, const ql_gen_cells *cells, const float *var,
                         const double *library, ql_err *err)
{
    static const double shares[] = {1, 0.25};
    QL_TRY(find_slopes(p, cells, var, err));
    for (int k = 0; k < 2; k++) {
        QL_TRY(try_step(p, cells, shares[k], library, p->tried, err));
        keep_better(p, cells->n);
    }
    return QL_OK;
}

/* Molecules that codes are decoded to. */
static ql_status find_libraries(proposals *p, const ql_gen_cells *cells, const double *library,
                                ql_err *err)
{
    ql_row_cursor c;
    QL_TRY(ql_cursor_open(&c, cells->counts, err));
    for (int64_t i = 0; i < cells->n; i++) {
        const ql_row_view row = ql_cursor_row(&c, cells->row[i]);
        double sum = 0;
        for (int64_t k = 0; k < row.n; k++) sum += (double)row.count[k];
        p->library[i] = library ? library[i] : sum;
    }
    ql_cursor_close(&c);
    return ql_rows_check(cells->counts, err);
}

ql_status proposals_fit(proposals *p, const ql_gen_cells *cells, const float *mean,
                        const float *var, const double *library, ql_err *err)
{
    const int64_t width = p->g->n_latent;
    for (int64_t k = 0; k < cells->n * width; k++) p->mode[k] = (double)mean[k];
    memset(p->step, 0, (size_t)(cells->n * width) * sizeof *p->step);
    QL_TRY(find_libraries(p, cells, library, err));
    QL_TRY(try_step(p, cells, 0, library, p->joint, err));
    for (int k = 0; k < STEPS; k++) QL_TRY(improve(p, cells, var, library, err));
    QL_TRY(find_slopes(p, cells, var, err));
    memcpy(p->centre, p->mode, (size_t)(cells->n * width) * sizeof *p->mode);
    return QL_OK;
}

void proposals_follow(proposals *p, int64_t i, const float *prior_mean, const float *prior_var,
                      const float *var)
{
    const int64_t width = p->g->n_latent, size = width * width;
    double *root = p->root + i * size, step[PROPOSAL_MOST];
    memcpy(root, p->info + i * size, (size_t)size * sizeof *root);
    for (int64_t u = 0; u < width; u++) {
        const int64_t k = i * width + u;
        const pull was = pull_of(p->prior_mean[k], p->prior_var[k], p->mode[k]);
        const pull is = pull_of((double)prior_mean[u], (double)prior_var[u], p->mode[k]);
        root[u * width + u] += is.information - was.information;
        step[u] = is.gradient - was.gradient;
    }
    find_step(p, i, var, step);
    for (int64_t u = 0; u < width; u++) p->centre[i * width + u] = p->mode[i * width + u] + step[u];
}

/* ---- draws ---- */

/* z = mode + L'^-1 e / sqrt(chi2 / degrees), where the information is L L'. */
void proposals_draw(const proposals *p, int64_t i, ql_gen_key key, int64_t cell, int64_t draw,
                    float *z)
{
    const int64_t width = p->g->n_latent;
    ql_rng rng = ql_rng_start(key.seed, key.stream, (uint64_t)cell, (uint64_t)draw);
    const double spread = sqrt(DEGREES / (2 * ql_rng_gamma(&rng, DEGREES / 2)));
    double e[PROPOSAL_MOST];
    for (int64_t u = 0; u < width; u++) e[u] = spread * ql_rng_normal(ql_rng_word(&rng));
    ql_solve_upper(p->root + i * width * width, width, e);
    for (int64_t u = 0; u < width; u++) z[u] = (float)(p->centre[i * width + u] + e[u]);
}

double proposals_log_density(const proposals *p, int64_t i, const float *z)
{
    const int64_t width = p->g->n_latent;
    const double *root = p->root + i * width * width;
    double square = 0, log_det = 0;
    for (int64_t u = 0; u < width; u++) { /* |L' (z - mode)|^2 */
        double sum = 0;
        for (int64_t v = u; v < width; v++)
            sum += root[v * width + u] * ((double)z[v] - p->centre[i * width + v]);
        square += sum * sum;
        log_det += ql_log(root[u * width + u]);
    }
    return p->log_norm + log_det - 0.5 * (DEGREES + (double)width) * ql_log1p(square / DEGREES);
}
