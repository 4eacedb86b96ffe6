/* Small models on simulated counts. Works with the engine in float32 and in float64. */
#ifndef FIXTURE_MODEL_H
#define FIXTURE_MODEL_H

#include <string.h>

#include "quell/alloc.h"
#include "quell/autoencoder.h"
#include "quell/preprocess.h"

#include "fixture_alloc.h"
#include "fixture_random.h"
#include "fixture_rows.h"

/* Counts [cells, genes]: NB around rates of rank 2, genes of very different depth, a few large
 * counts. */
static inline void simulate_counts(int64_t cells, int64_t genes, uint64_t seed, ql_csr *m)
{
    ql_rng r = random_start(seed);
    ql_err err;
    assert_int_equal(ql_csr_alloc(m, cells, genes, cells * genes, &err), QL_OK);
    double *u, *v;
    assert_int_equal(QL_NEW(u, cells * 2, "factors", &err), QL_OK);
    assert_int_equal(QL_NEW(v, genes * 3, "factors", &err), QL_OK);
    for (int64_t i = 0; i < cells * 2; i++) u[i] = random_normal(&r);
    for (int64_t g = 0; g < genes; g++) {
        v[3 * g] = random_in(&r, -3, 1.5);
        v[3 * g + 1] = 0.7 * random_normal(&r);
        v[3 * g + 2] = 0.7 * random_normal(&r);
    }
    int64_t k = 0;
    for (int64_t i = 0; i < cells; i++) {
        double depth = exp(0.5 * random_normal(&r));
        for (int64_t g = 0; g < genes; g++) {
            const double *w = v + 3 * g;
            double rate = depth * exp(w[0] + w[1] * u[2 * i] + w[2] * u[2 * i + 1]);
            uint32_t y = random_nb(&r, rate < 2000 ? rate : 2000, 2.0);
            if (!y) continue;
            m->indices[k] = (int32_t)g;
            m->data[k++] = (float)y;
        }
        m->indptr[i + 1] = k;
    }
    ql_free(u);
    ql_free(v);
}

/* Make every entry a count: one more than it was. The matrix has room for all. */
static inline void fill_in_counts(ql_csr *m)
{
    ql_csr old = *m;
    ql_err err;
    assert_int_equal(ql_csr_alloc(m, old.n_rows, old.n_cols, old.n_rows * old.n_cols, &err), QL_OK);
    for (int64_t i = 0, k = 0; i < m->n_rows; i++) {
        int64_t from = old.indptr[i];
        for (int32_t g = 0; g < m->n_cols; g++, k++) {
            bool has = from < old.indptr[i + 1] && old.indices[from] == g;
            m->indices[k] = g;
            m->data[k] = 1 + (has ? old.data[from++] : 0);
        }
        m->indptr[i + 1] = k;
    }
    ql_csr_free(&old);
}

typedef struct {
    ql_csr counts;
    ql_prep prep;
    ql_ae ae;
    int64_t n, *rows; /* the cells with counts, in an order that is not theirs */
} model_fixture;

typedef struct {
    int64_t cells, genes, batch_size;
    int threads;
    bool separate, full; /* full: every entry has a count */
    uint64_t seed;
    const char *isa;
} model_shape;

static inline ql_ae_config model_config(const char *likelihood, int n_hidden, const int64_t *hidden)
{
    ql_ae_config c = {.n_hidden = n_hidden,
                      .likelihood = ql_likelihood_find(likelihood),
                      .act = ql_activation_find("elu"),
                      .slope = 0.3,
                      .batch_norm = true,
                      .code_rho = 0.05,
                      .optimizer = ql_opt_rule_find("sgd"),
                      .rate = 1,
                      .disp_rate = 1,
                      .start_theta = 1.5,
                      .mean_loss = true,
                      .start_at_means = true,
                      .seed = 7};
    assert_non_null(c.likelihood);
    memcpy(c.hidden, hidden, (size_t)n_hidden * sizeof *hidden);
    return c;
}

/* Three hidden layers, trained by Adam on the mean loss of a cell. */
static inline ql_ae_config adam_config(const char *likelihood)
{
    static const int64_t bottle[] = {12, 5, 12};
    ql_ae_config c = model_config(likelihood, 3, bottle);
    c.optimizer = ql_opt_rule_find("adam");
    c.rate = 0.01;
    c.mean_loss = false;
    return c;
}

static inline void model_new(model_fixture *f, const ql_ae_config *cfg, model_shape shape)
{
    const ql_kern *kern = ql_kern_find(shape.isa ? shape.isa : "scalar");
    const ql_prep_options opt = {.log = true, .size_factors = true, .center = true, .scale = true};
    ql_err err = {0};
    assert_non_null(kern);
    *f = (model_fixture){0};
    simulate_counts(shape.cells, shape.genes, shape.seed, &f->counts);
    if (shape.full) fill_in_counts(&f->counts);
    assert_int_equal(ql_prep_counts(ROWS_OF(&f->counts), opt, kern, 1, &f->prep, &err), QL_OK);
    f->n = f->prep.n_kept_cells;
    assert_int_equal(QL_NEW(f->rows, f->n, "rows", &err), QL_OK);
    memcpy(f->rows, f->prep.kept_cell, (size_t)f->n * sizeof *f->rows);
    ql_rng r = random_start(shape.seed + 1);
    ql_rng_shuffle(&r, f->rows, f->n);
    ql_ae_sizes sizes = {.n_genes = f->prep.n_kept_genes,
                         .max_row_nnz = ql_csr_max_row(&f->counts),
                         .batch_size = shape.batch_size ? shape.batch_size : f->n,
                         .n_threads = shape.threads ? shape.threads : 1,
                         .separate_targets = shape.separate};
    assert_int_equal(
        ql_ae_new(&f->ae, cfg, &sizes, ql_prep_map(&f->prep), f->prep.log_rate, kern, &err), QL_OK);
}

static inline void model_free(model_fixture *f)
{
    ql_ae_free(&f->ae);
    ql_prep_free(&f->prep);
    ql_csr_free(&f->counts);
    ql_free(f->rows);
}

typedef struct {
    const ql_ae_config *cfg;
    bool separate;
} model_work;

static inline ql_status model_make(void *ctx, ql_err *err)
{
    const model_work *w = ctx;
    const ql_ae_sizes sizes = {.n_genes = 50,
                               .max_row_nnz = 20,
                               .batch_size = 16,
                               .n_threads = 2,
                               .separate_targets = w->separate};
    ql_ae ae;
    ql_status st =
        ql_ae_new(&ae, w->cfg, &sizes, (ql_input_map){0}, NULL, ql_kern_find("scalar"), err);
    if (st == QL_OK) ql_ae_free(&ae);
    return st;
}

static inline void model_lacks_memory(const ql_ae_config *cfg, bool separate)
{
    assert_true(fail_each_allocation(NULL, model_make, &(model_work){cfg, separate}) > 10);
}

/* Move every trained weight off its start, so that no gradient is zero by symmetry. */
static inline void model_shake(model_fixture *f, double by, uint64_t seed)
{
    ql_rng r = random_start(seed);
    for (int i = 0; i < f->ae.params.n_tensors; i++) {
        const ql_tensor *t = &f->ae.params.tensor[i];
        if (!t->trained) continue;
        for (int64_t row = 0; row < t->rows; row++)
            for (int64_t c = 0; c < t->cols; c++)
                f->ae.params.w[t->offset + row * t->ld + c] += (ql_real)(by * random_normal(&r));
    }
}

#endif
