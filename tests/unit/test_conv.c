/* The convolution against its formula, with genes in another order than they are numbered in; the
 * same bits whatever computes it. Gradients: test64_gradient.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "fixture_model.h"

enum { GENES = 300 };

static int32_t place[GENES];

/* A fixed permutation. */
static void shuffle_places(int64_t n)
{
    int64_t order[GENES];
    ql_rng r = random_start(77);
    for (int64_t g = 0; g < n; g++) order[g] = g;
    ql_rng_shuffle(&r, order, n);
    for (int64_t g = 0; g < n; g++) place[g] = (int32_t)order[g];
}

static void put_in_order(model_fixture *f)
{
    shuffle_places(f->ae.n_genes);
    f->ae.map.place = place;
    f->ae.conv.place = place;
    for (int64_t g = 0; g < f->ae.n_genes; g++) f->ae.conv.shift_at[place[g]] = f->ae.map.shift[g];
}

/* Scaled inputs of the batch's cell i by place. */
static void dense_cell(const model_fixture *f, int64_t i, double *x)
{
    const ql_batch *b = &f->ae.batch[0];
    for (int64_t g = 0; g < f->ae.n_genes; g++) x[place[g]] = (double)f->ae.map.shift[g];
    for (int64_t k = 0; k < b->in.n_entries[i]; k++)
        x[place[b->in.gene[i * b->in.stride + k]]] += (double)b->in.value[i * b->in.stride + k];
}

/* Output of the dense layer for one cell. */
static void expected(const model_fixture *f, const double *x, double *out)
{
    const ql_conv *c = &f->ae.conv;
    const ql_real *w = ql_param(&f->ae.params, c->weight), *bias = ql_param(&f->ae.params, c->bias);
    const ql_real *dense = ql_param(&f->ae.params, f->ae.input.weight);
    const int64_t h = ql_pad(f->ae.input.n_out), filters = c->shape.filters;
    for (int64_t u = 0; u < f->ae.input.n_out; u++) out[u] = 0;
    for (int64_t q = 0; q < c->positions; q++) {
        for (int64_t k = 0; k < filters; k++) {
            double a = (double)bias[k];
            for (int64_t j = 0; j < c->shape.width && q * c->shape.stride + j < c->n_genes; j++)
                a += (double)w[j * ql_pad(filters) + k] * x[q * c->shape.stride + j];
            double y = a > 0 ? a : exp(a) - 1;
            for (int64_t u = 0; u < f->ae.input.n_out; u++)
                out[u] += y * (double)dense[(q * filters + k) * h + u];
        }
    }
}

static void forward(model_fixture *f)
{
    ql_ae *ae = &f->ae;
    ql_batch *b = &ae->batch[0];
    ql_batch_source source = {.counts = ROWS_OF(&f->counts)};
    const ql_conv_pass pass = {b, NULL, &ae->input, &ae->params, ae->kern, ae->tile_x[0]};
    ql_batch_begin(b, &source, f->n, 1);
    for (int64_t i = 0; i < f->n; i++) ql_batch_fill(b, i, &source, f->rows[i], &ae->map, ae->kern);
    for (int64_t s = 0; s < ae->input.tiling.n_strips; s++) {
        ql_span tiles = ql_strip_tiles(&ae->input.tiling, s);
        ql_input_begin_strip(&ae->input, b, s);
        for (int64_t t = tiles.first; t < tiles.first + tiles.count; t++)
            ql_conv_forward_tile(&ae->conv, &pass, s, t);
    }
    ql_input_reduce(&ae->input, ae->kern, b, 0, f->n + 1);
}

static void follows_its_formula(void **state)
{
    (void)state;
    static const ql_conv_shape shapes[] = {{1, 7, 3},  {2, 1, 1},  {4, 32, 16}, {8, 5, 5},
                                           {32, 9, 4}, {64, 3, 2}, {4, 400, 7}, {1, 12, 12}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        model_fixture f;
        ql_ae_config c = adam_config("nb");
        double x[GENES], want[64];
        c.conv = shapes[s];
        model_new(&f, &c, (model_shape){.cells = 150, .genes = GENES, .seed = 5});
        put_in_order(&f);
        model_shake(&f, 0.05, 2);
        forward(&f);
        for (int64_t i = 0; i < f.n; i += 13) {
            dense_cell(&f, i, x);
            expected(&f, x, want);
            for (int64_t u = 0; u < f.ae.input.n_out; u++) {
                double got = (double)f.ae.input.sum[i * ql_pad(f.ae.input.n_out) + u];
                if (!(fabs(got - want[u]) < 1e-4 * (1 + fabs(want[u]))))
                    fail_msg("shape %zu, cell %d: %g instead of %g", s, (int)i, got, want[u]);
            }
        }
        model_free(&f);
    }
}

/* Weights after three epochs; caller frees. */
static ql_real *trained(const char *isa, int threads, int64_t *size)
{
    model_fixture f;
    ql_ae_config c = adam_config("nb");
    double loss[3];
    c.conv = (ql_conv_shape){8, 12, 5};
    c.corrupt = (ql_corrupt){ql_corruption_find("gaussian"), 0.3};
    model_new(&f, &c,
              (model_shape){.cells = 150,
                            .genes = GENES,
                            .batch_size = 48,
                            .seed = 31,
                            .isa = isa,
                            .threads = threads});
    put_in_order(&f);
    for (uint64_t e = 0; e < 3; e++) {
        ql_batch_source source = {.counts = ROWS_OF(&f.counts), .seed = 1, .epoch = e};
        assert_int_equal(ql_ae_train_epoch(&f.ae, &source, f.rows, f.n, 48, &loss[e], NULL), QL_OK);
    }
    assert_true(loss[2] < loss[0]);
    *size = f.ae.params.size;
    ql_real *w = malloc((size_t)*size * sizeof *w);
    assert_non_null(w);
    memcpy(w, f.ae.params.w, (size_t)*size * sizeof *w);
    model_free(&f);
    return w;
}

static void threads_and_processors_change_no_bit(void **state)
{
    (void)state;
    int64_t size;
    ql_real *first = trained("scalar", 1, &size);
    for (int i = 0; ql_kern_names[i]; i++) {
        if (!ql_kern_find(ql_kern_names[i])) continue;
        for (int threads = 1; threads < 6; threads += 2) {
            ql_real *other = trained(ql_kern_names[i], threads, &size);
            assert_memory_equal(first, other, (size_t)size * sizeof *first);
            free(other);
        }
    }
    free(first);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follows_its_formula),
        cmocka_unit_test(threads_and_processors_change_no_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
