/* Both networks of scDHA in float64: gradients against central differences of the loss with the
 * noise held, and the loss itself against plain loops. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/rows.h"
#include "quell/scdha_filter.h"
#include "quell/scdha_net.h"

#include "fixture_random.h"

enum { CELLS = 14, GENES = 150, HIDDEN = 9, LATENT = 4, ELEMENTS = 6 };
#define STEP      1e-6
#define TOLERANCE 1e-5
#define SMALL     1e-3 /* gradients below are compared as if they were of this size */

/* A third of the inputs, between 0 and 1. */
static void make_cells(ql_csr *m)
{
    ql_rng r = random_start(7);
    ql_err err = {0};
    int64_t at = 0;
    assert_int_equal(ql_csr_alloc(m, CELLS, GENES, (int64_t)CELLS * GENES, &err), QL_OK);
    for (int64_t i = 0; i < CELLS; i++) {
        for (int64_t g = 0; g < GENES; g++) {
            if (random_unit(&r) > 0.33) continue;
            m->indices[at] = (int32_t)g;
            m->data[at++] = (float)random_in(&r, 0.05, 1);
        }
        m->indptr[i + 1] = at;
    }
}

static void make_batch(ql_csr *m, ql_wide_batch *x)
{
    int64_t list[CELLS];
    ql_err err = {0};
    make_cells(m);
    for (int64_t i = 0; i < CELLS; i++) list[i] = i;
    assert_int_equal(ql_wide_batch_new(x, CELLS, ql_csr_max_row(m), &err), QL_OK);
    ql_wide_batch_fill(x, m, list, CELLS);
}

typedef double (*loss_fn)(void *ctx);

/* Elements of every tensor, and a direction through all of each. */
static void check_gradients(ql_params *p, const double *grad, loss_fn loss, void *ctx)
{
    ql_rng r = random_start(11);
    double *kept;
    ql_err err = {0};
    (void)loss(ctx);
    assert_int_equal(QL_NEW(kept, p->size, "gradients", &err), QL_OK);
    memcpy(kept, grad, (size_t)p->size * sizeof *kept);
    for (int i = 0; i < p->n_tensors; i++) {
        const ql_tensor *t = &p->tensor[i];
        double *w = p->w + t->offset, largest = SMALL;
        for (int64_t k = 0; k < t->rows * t->ld; k++)
            largest = fmax(largest, fabs(kept[t->offset + k]));
        for (int e = 0; e < ELEMENTS; e++) {
            const int64_t row = (int64_t)ql_rng_below(&r, (uint32_t)t->rows);
            const int64_t at = row * t->ld + (int64_t)ql_rng_below(&r, (uint32_t)t->cols);
            const double was = w[at];
            w[at] = was + STEP;
            const double up = loss(ctx);
            w[at] = was - STEP;
            const double down = loss(ctx);
            w[at] = was;
            const double slope = (up - down) / (2 * STEP), got = kept[t->offset + at];
            if (fabs(slope - got) > TOLERANCE * largest)
                fail_msg("%s[%d]: gradient %.9g, difference %.9g", t->name, (int)at, got, slope);
        }
    }
    ql_free(kept);
}

/* ---- the models ---- */

typedef struct {
    ql_scdha_net net;
    ql_wide_batch x;
    ql_csr cells;
    ql_scdha_phase phase;
} net_case;

static double net_loss(void *ctx)
{
    net_case *c = ctx;
    return ql_scdha_net_loss(&c->net, &c->x, c->phase);
}

static void make_net(net_case *c, bool batch_norm, bool cell_noise)
{
    const ql_scdha_net_config cfg = {.n_genes = GENES,
                                     .hidden = HIDDEN,
                                     .latent = LATENT,
                                     .batch_norm = batch_norm,
                                     .cell_noise = cell_noise,
                                     .noise = 0.25,
                                     .beta = 100,
                                     .rate = 5e-4,
                                     .weight_decay = 1e-3,
                                     .seed = 5};
    ql_err err = {0};
    make_batch(&c->cells, &c->x);
    assert_int_equal(ql_scdha_net_new(&cfg, CELLS, ql_kern_find("scalar"), &c->net, &err), QL_OK);
    /* biases start at 0, where they would hide what they do */
    ql_rng r = random_start(3);
    for (int i = 0; i < c->net.params.n_tensors; i++) {
        const ql_tensor *t = &c->net.params.tensor[i];
        for (int64_t k = 0; t->rows == 1 && k < t->cols; k++)
            c->net.params.w[t->offset + k] += random_in(&r, -0.3, 0.3);
    }
}

static void free_net(net_case *c)
{
    ql_scdha_net_free(&c->net);
    ql_wide_batch_free(&c->x);
    ql_csr_free(&c->cells);
}

static void gradients_of_the_models(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        net_case c = {.phase = i & 1 ? QL_SCDHA_MAIN : QL_SCDHA_WARM_UP};
        make_net(&c, i & 2, i & 4);
        check_gradients(&c.net.params, c.net.grad, net_loss, &c);
        free_net(&c);
    }
}

/* ---- the loss by its formulas ---- */

static double selu(double x)
{
    return 1.0507009873554805 * (x > 0 ? x : 1.6732632423543772 * (exp(x) - 1));
}

static const double *tensor(const ql_scdha_net *n, const char *name, int64_t *ld)
{
    const ql_tensor *t = ql_params_find(&n->params, name);
    assert_non_null(t);
    *ld = t->ld;
    return n->params.w + t->offset;
}

/* y [out] = x [in] W + b */
static void dense(const ql_scdha_net *n, const char *weight, const char *bias, const double *x,
                  int in, int out, double *y)
{
    int64_t ld, unused;
    const double *w = tensor(n, weight, &ld), *b = tensor(n, bias, &unused);
    for (int k = 0; k < out; k++) {
        y[k] = b[k];
        for (int j = 0; j < in; j++) y[k] += x[j] * w[j * ld + k];
    }
}

/* The output layer has a gene a row. */
static double squared_error(const ql_scdha_net *n, int j, const double *h, const double *x)
{
    int64_t ld, unused;
    const double *w = tensor(n, j ? "decoder2/out/weight" : "decoder1/out/weight", &ld);
    const double *b = tensor(n, j ? "decoder2/out/bias" : "decoder1/out/bias", &unused);
    double sum = 0;
    for (int g = 0; g < GENES; g++) {
        double y = b[g];
        for (int k = 0; k < HIDDEN; k++) y += h[k] * w[g * ld + k];
        sum += (y - x[g]) * (y - x[g]);
    }
    return sum / GENES;
}

static double cell_loss(const ql_scdha_net *n, const double *e, const double *x, int64_t i)
{
    static const char *const names[][2] = {{"decoder1/weight", "decoder1/bias"},
                                           {"decoder2/weight", "decoder2/bias"}};
    double mu[LATENT], u[LATENT], var[LATENT], sum = 0, kl = 0, loss = 0, h[HIDDEN];
    dense(n, "mu/weight", "mu/bias", e, HIDDEN, LATENT, mu);
    dense(n, "var/weight", "var/bias", e, HIDDEN, LATENT, u);
    for (int k = 0; k < LATENT; k++) sum += exp(u[k]);
    for (int k = 0; k < LATENT; k++) {
        var[k] = exp(u[k]) / sum;
        kl -= 0.5 * (1 + log(var[k]) - mu[k] * mu[k] - var[k]) / LATENT;
    }
    for (int j = 0; j < QL_SCDHA_DECODERS; j++) {
        const ql_scdha_latent seen = ql_scdha_net_latent(n, i, j);
        double pre[HIDDEN];
        for (int k = 0; k < LATENT; k++) {
            assert_true(fabs(seen.mu[k] - mu[k]) < 1e-12);
            assert_true(fabs(seen.var[k] - var[k]) < 1e-12);
        }
        dense(n, names[j][0], names[j][1], seen.z, LATENT, HIDDEN, pre);
        for (int k = 0; k < HIDDEN; k++) h[k] = selu(pre[k]);
        loss += 100 * squared_error(n, j, h, x) + kl;
    }
    return loss;
}

static void the_loss_is_its_formula(void **state)
{
    (void)state;
    net_case c = {.phase = QL_SCDHA_MAIN};
    double x[CELLS][GENES] = {{0}}, e[CELLS][HIDDEN], expected = 0;
    make_net(&c, true, false);
    const double got = net_loss(&c);
    for (int i = 0; i < CELLS; i++) {
        for (int64_t k = c.cells.indptr[i]; k < c.cells.indptr[i + 1]; k++)
            x[i][c.cells.indices[k]] = (double)c.cells.data[k];
        dense(&c.net, "encoder/weight", "encoder/bias", x[i], GENES, HIDDEN, e[i]);
    }
    int64_t ld;
    const double *gamma = tensor(&c.net, "encoder/gamma", &ld);
    const double *beta = tensor(&c.net, "encoder/beta", &ld);
    for (int k = 0; k < HIDDEN; k++) {
        double mean = 0, var = 0;
        for (int i = 0; i < CELLS; i++) mean += e[i][k] / CELLS;
        for (int i = 0; i < CELLS; i++) var += (e[i][k] - mean) * (e[i][k] - mean) / CELLS;
        for (int i = 0; i < CELLS; i++)
            e[i][k] = gamma[k] * (e[i][k] - mean) / sqrt(var + 1e-3) + beta[k];
        assert_true(fabs(c.net.moving_mean[k] - 0.01 * mean) < 1e-12);
        assert_true(fabs(c.net.moving_var[k] - 0.99 - 0.01 * var * CELLS / (CELLS - 1)) < 1e-12);
    }
    for (int i = 0; i < CELLS; i++) expected += cell_loss(&c.net, e[i], x[i], i) / CELLS;
    assert_true(fabs(got - expected) < 1e-10 * expected);
    free_net(&c);
}

/* AdamW as the reference writes it: p (1 - lr wd) - lr / c1 m / (sqrt v / sqrt c2 + eps). */
static void a_step_is_that_of_the_reference(void **state)
{
    (void)state;
    net_case c = {.phase = QL_SCDHA_MAIN};
    ql_err err = {0};
    double loss, *w, *m, *v;
    make_net(&c, false, true);
    const int64_t n = c.net.params.size;
    assert_int_equal(QL_NEW(w, 3 * n, "weights", &err), QL_OK);
    m = w + n;
    v = m + n;
    memcpy(w, c.net.params.w, (size_t)n * sizeof *w);
    for (int t = 1; t <= 4; t++) {
        assert_true(ql_scdha_net_step(&c.net, &c.x, c.phase, &loss));
        const double c1 = 1 - pow(0.9, t), c2 = 1 - pow(0.999, t);
        for (int64_t k = 0; k < n; k++) {
            const double g = c.net.grad[k];
            m[k] = 0.9 * m[k] + 0.1 * g;
            v[k] = 0.999 * v[k] + 0.001 * g * g;
            w[k] = w[k] * (1 - 5e-4 * 1e-3) - 5e-4 / c1 * m[k] / (sqrt(v[k]) / sqrt(c2) + 1e-7);
            assert_true(fabs(w[k] - c.net.params.w[k]) < 1e-12);
        }
    }
    ql_free(w);
    free_net(&c);
}

/* ---- the filter ---- */

typedef struct {
    ql_scdha_filter filter;
    ql_wide_batch x;
} filter_case;

static double filter_loss(void *ctx)
{
    filter_case *c = ctx;
    return ql_scdha_filter_loss(&c->filter, &c->x);
}

static void gradients_of_the_filter(void **state)
{
    (void)state;
    const ql_scdha_filter_config cfg = {
        .n_genes = GENES, .width = 5, .rate = 1e-3, .weight_decay = 1e-6, .seed = 2};
    filter_case c = {0};
    ql_csr cells;
    ql_err err = {0};
    make_batch(&cells, &c.x);
    assert_int_equal(ql_scdha_filter_new(&cfg, CELLS, ql_kern_find("scalar"), &c.filter, &err),
                     QL_OK);
    check_gradients(&c.filter.params, c.filter.grad, filter_loss, &c);
    ql_scdha_filter_free(&c.filter);
    ql_wide_batch_free(&c.x);
    ql_csr_free(&cells);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_the_models),
        cmocka_unit_test(the_loss_is_its_formula),
        cmocka_unit_test(a_step_is_that_of_the_reference),
        cmocka_unit_test(gradients_of_the_filter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
