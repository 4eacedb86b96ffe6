/* Weights by held-out molecules. Each model predicts them in turn; of its predictions are kept
 * those of the entries that hold molecules, and the sum over cells of each gene. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ensemble_internal.h"
#include "quell/alloc.h"
#include "quell/simplex.h"

enum { BLOCK = 128 }; /* cells at a time */

/* Molecules that hold the weights back: of all genes towards equal ones, of a group towards those
 * of all genes. Where models predict alike, a few molecules would else decide between them. */
#define PRIOR_ALL   100.0
#define PRIOR_GROUP 1000.0
#define GROUP_LEAST 10000.0 /* held-out molecules of a group */

typedef struct {
    ql_fitted *f;
    const ql_csr *seen, *held;
    const int64_t *cell; /* whose covariates they are */
    const float *theta;
    double ratio;
    float *rate;       /* [entries, n] */
    float *count;      /* [entries] */
    double *mass;      /* [n, genes] */
    ql_status *status; /* [n] */
    ql_err *errors;    /* [n] */
} weighing;

/* ---- what each model says ---- */

/* counts [genes, ld] of rows first .. first + n - 1, dense. */
static void spread(const ql_csr *m, int64_t first, int64_t n, int64_t ld, ql_real *out)
{
    memset(out, 0, (size_t)(m->n_cols * ld) * sizeof *out);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = m->indptr[first + i]; k < m->indptr[first + i + 1]; k++)
            out[m->indices[k] * ld + i] = (ql_real)m->data[k];
}

/* Rates become predictions of the held-out molecules. */
static void predict(const weighing *w, int64_t n, int64_t ld, const ql_real *x, ql_real *rate)
{
    for (int64_t g = 0; g < w->seen->n_cols; g++)
        for (int64_t i = g * ld; i < g * ld + n; i++) {
            float p = (float)rate[i];
            if (w->theta) p = ql_posterior_mean(p, w->theta[g], (float)x[i]);
            rate[i] = (ql_real)((double)p * w->ratio);
        }
}

static void book(const weighing *w, int model, int64_t first, int64_t n, int64_t ld,
                 const ql_real *rate)
{
    const ql_csr *held = w->held;
    const int n_models = w->f->others->n;
    double *mass = w->mass + model * held->n_cols;
    for (int64_t g = 0; g < held->n_cols; g++)
        for (int64_t i = 0; i < n; i++) mass[g] += (double)rate[g * ld + i];
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = held->indptr[first + i]; k < held->indptr[first + i + 1]; k++)
            w->rate[k * n_models + model] = (float)rate[held->indices[k] * ld + i];
}

static ql_status ask(const weighing *w, int model, ql_err *err)
{
    const int64_t n_cells = w->seen->n_rows, size = w->seen->n_cols * BLOCK;
    const ql_rows counts = ql_rows_of_csr(w->seen);
    const ql_batch_source source = {.counts = &counts, .cell = w->cell};
    ql_real *rate = NULL, *x = NULL;
    int64_t *rows = NULL;
    ql_status st;
    QL_GO(ql_rows_list(n_cells, &rows, err));
    QL_GO(QL_NEW(rate, size, "rates of the ensemble", err));
    QL_GO(QL_NEW(x, size, "rates of the ensemble", err));
    for (int64_t first = 0; first < n_cells; first += BLOCK) {
        const int64_t n = n_cells - first < BLOCK ? n_cells - first : BLOCK;
        QL_GO(ql_ensemble_rates(w->f, model, &source, rows + first, n, BLOCK, rate, err));
        spread(w->seen, first, n, BLOCK, x);
        predict(w, n, BLOCK, x, rate);
        book(w, model, first, n, BLOCK, rate);
    }
out:
    ql_free(rows);
    ql_free(rate);
    ql_free(x);
    return st;
}

static void ask_item(void *ctx, int64_t item)
{
    weighing *w = ctx;
    w->status[item] = ask(w, (int)item, &w->errors[item]);
}

static ql_status ask_all(weighing *w, ql_err *err)
{
    const int n = w->f->others->n;
    ql_parallel_for(w->f->others->threads, n, ask_item, w);
    for (int i = 0; i < n; i++) {
        if (w->status[i] == QL_OK) continue;
        *err = w->errors[i];
        return w->status[i];
    }
    return QL_OK;
}

/* ---- weights ---- */

/* A gene and its held-out molecules. */
typedef struct {
    int64_t gene;
    double seen, held;
} gene_place;

static int by_abundance(const void *a, const void *b)
{
    const gene_place *x = a, *y = b;
    if (x->seen != y->seen) return x->seen > y->seen ? -1 : 1;
    return x->gene < y->gene ? -1 : x->gene > y->gene;
}

/* Cut the genes, most abundant first, into groups of about equally many held-out molecules. group
 * [genes]; returns how many there are. */
static ql_status cut_groups(const weighing *w, int *group, int *n_groups, ql_err *err)
{
    const int64_t n = w->held->n_cols;
    gene_place *place = NULL;
    double *held = NULL, total = 0, sum = 0;
    ql_status st;
    QL_GO(QL_NEW(place, n, "gene groups", err));
    QL_GO(QL_NEW(held, n, "gene groups", err));
    ql_csr_sums(w->held, NULL, held);
    for (int64_t g = 0; g < n; g++) {
        place[g] = (gene_place){g, w->f->prep.gene_total[g], held[g]};
        total += held[g];
    }
    qsort(place, (size_t)n, sizeof *place, by_abundance);
    const double most = total / GROUP_LEAST;
    *n_groups = most >= QL_GENE_GROUPS ? QL_GENE_GROUPS : most >= 2 ? (int)most : 1;
    for (int64_t k = 0; k < n; k++) {
        const int at = (int)(sum / total * *n_groups);
        group[place[k].gene] = at < *n_groups ? at : *n_groups - 1;
        sum += place[k].held;
    }
out:
    ql_free(place);
    ql_free(held);
    return st;
}

static void sum_masses(const weighing *w, const int *group, int which, double *mass)
{
    const int64_t genes = w->held->n_cols;
    for (int k = 0; k < w->f->others->n; k++) {
        mass[k] = 0;
        for (int64_t g = 0; g < genes; g++)
            if (!group || group[g] == which) mass[k] += w->mass[k * genes + g];
    }
}

static void fit_all_genes(const weighing *w, const ql_simplex_data *data)
{
    double mass[QL_MEMBERS_MOST], equal[QL_MEMBERS_MOST];
    for (int k = 0; k < data->m; k++) equal[k] = 1.0 / data->m;
    sum_masses(w, NULL, 0, mass);
    ql_simplex_fit(data, NULL, 0, mass, equal, PRIOR_ALL, w->f->others->facts.share);
}

static void fit_group(const weighing *w, const ql_simplex_data *data, const int *group, int which,
                      int64_t *chosen)
{
    ql_mixture_facts *facts = &w->f->others->facts;
    double mass[QL_MEMBERS_MOST];
    int64_t n = 0;
    for (int64_t k = 0; k < data->n; k++) {
        if (group[w->held->indices[k]] != which) continue;
        chosen[n++] = k;
        facts->group_molecules[which] += (double)w->count[k];
    }
    sum_masses(w, group, which, mass);
    ql_simplex_fit(data, chosen, n, mass, facts->share, PRIOR_GROUP, facts->group_weight[which]);
}

static ql_status fit_groups(const weighing *w, const ql_simplex_data *data, ql_err *err)
{
    ql_ensemble *e = w->f->others;
    int *group = NULL, n_groups = 0;
    int64_t *chosen = NULL;
    ql_status st;
    QL_GO(QL_NEW(group, e->n_genes, "gene groups", err));
    QL_GO(QL_NEW(chosen, data->n, "gene groups", err));
    QL_GO(cut_groups(w, group, &n_groups, err));
    e->facts.n_groups = n_groups;
    for (int k = 0; k < n_groups && n_groups > 1; k++) {
        e->facts.group_molecules[k] = 0;
        fit_group(w, data, group, k, chosen);
    }
    for (int i = 0; i < e->n && n_groups > 1; i++)
        for (int64_t g = 0; g < e->n_genes; g++)
            e->weight[i * e->n_genes + g] = (ql_real)e->facts.group_weight[group[g]][i];
out:
    ql_free(group);
    ql_free(chosen);
    return st;
}

void ql_ensemble_set_shares(ql_ensemble *e)
{
    for (int i = 0; i < e->n; i++)
        for (int64_t g = 0; g < e->n_genes; g++)
            e->weight[i * e->n_genes + g] = (ql_real)e->facts.share[i];
}

ql_status ql_ensemble_weigh(ql_fitted *f, const ql_held_out *parts, const float *theta, bool groups,
                            ql_err *err)
{
    const int64_t n = ql_csr_nnz(parts->held);
    ql_ensemble *e = f->others;
    weighing w = {.f = f,
                  .seen = parts->seen,
                  .held = parts->held,
                  .cell = parts->cell,
                  .theta = theta,
                  .count = parts->held->data,
                  .ratio = ql_held_ratio(parts)};
    ql_status st;
    if (n == 0) return QL_OK;
    QL_GO(QL_NEW(w.rate, n * e->n, "held-out predictions", err));
    QL_GO(QL_NEW(w.mass, e->n * e->n_genes, "held-out predictions", err));
    QL_GO(QL_NEW(w.status, e->n, "held-out predictions", err));
    QL_GO(QL_NEW(w.errors, e->n, "held-out predictions", err));
    QL_GO(ask_all(&w, err));
    const ql_simplex_data data = {.n = n, .m = e->n, .rate = w.rate, .count = w.count};
    fit_all_genes(&w, &data);
    ql_ensemble_set_shares(e);
    if (groups) QL_GO(fit_groups(&w, &data, err));
out:
    ql_free(w.rate);
    ql_free(w.mass);
    ql_free(w.status);
    ql_free(w.errors);
    return st;
}

int64_t ql_ensemble_weigh_bytes(const ql_rows *counts, const ql_train_options *train, int n)
{
    const double cells = (double)counts->n_rows * train->validation;
    const double used = cells < QL_VALID_CELLS ? cells : QL_VALID_CELLS;
    const double row = counts->n_rows > 0 ? (double)counts->nnz / (double)counts->n_rows : 0;
    /* every entry might hold a molecule back */
    return (int64_t)(used * row) * (n * (int64_t)sizeof(float) + (int64_t)sizeof(int64_t)) +
           counts->n_cols * (n * 8 + 48);
}
