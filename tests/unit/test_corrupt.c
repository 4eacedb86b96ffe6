/* Corrupted inputs: what each kind does to how many entries, on what a draw depends, and that a
 * dense input block without corruption is the sparse input. Gradients: test64_gradient.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "fixture_model.h"

enum { GENES = 37, CELLS = 4000, LD = CELLS };

typedef struct {
    ql_real x[GENES * LD], empty[GENES];
    int64_t row[CELLS];
} block;

static block a, b;

/* Entry of gene g and cell i: 1 + g / 100; without counts -2. */
static void corrupt(block *to, const char *name, double strength, int64_t first_row, uint64_t epoch)
{
    const ql_corrupt c = {ql_corruption_find(name), strength};
    assert_non_null(c.kind);
    for (int64_t g = 0; g < GENES; g++) {
        to->empty[g] = -2;
        for (int64_t i = 0; i < CELLS; i++) to->x[g * LD + i] = (ql_real)1 + (ql_real)g / 100;
    }
    for (int64_t i = 0; i < CELLS; i++) to->row[i] = first_row + i;
    const ql_corrupt_place at = {.seed = 9, .epoch = epoch, .row = to->row, .gene0 = 128};
    ql_corrupt_block(&c, &at, GENES, CELLS, to->empty, to->x, LD);
}

/* Share of the entries for which the difference to what, times the entry before (or 1), is nothing.
 */
static double share_of(const block *x, double what, bool times)
{
    int64_t n = 0;
    for (int64_t g = 0; g < GENES; g++)
        for (int64_t i = 0; i < CELLS; i++) {
            double before = times ? 1 + (double)g / 100 : 1;
            n += fabs((double)x->x[g * LD + i] - what * before) < 1e-6;
        }
    return (double)n / (GENES * CELLS);
}

/* Within five standard errors. */
static void about(double share, double p)
{
    assert_true(fabs(share - p) < 5 * sqrt(p * (1 - p) / (GENES * CELLS)) + 1e-9);
}

static void each_kind_does_what_it_says(void **state)
{
    (void)state;
    corrupt(&a, "mask", 0.3, 0, 1);
    about(share_of(&a, 0, false), 0.3);
    about(share_of(&a, 1, true), 0.7);
    corrupt(&a, "dropout", 0.2, 0, 1);
    about(share_of(&a, 0, false), 0.2);
    about(share_of(&a, 1.25, true), 0.8);
    corrupt(&a, "salt-pepper", 0.4, 0, 1);
    about(share_of(&a, -2, false), 0.2);
    about(share_of(&a, 3, false), 0.2);
    about(share_of(&a, 1, true), 0.6);
}

static void noise_is_normal(void **state)
{
    (void)state;
    double m[5] = {0};
    corrupt(&a, "gaussian", 0.5, 0, 1);
    for (int64_t g = 0; g < GENES; g++)
        for (int64_t i = 0; i < CELLS; i++) {
            double z = ((double)a.x[g * LD + i] - 1 - (double)g / 100) / 0.5;
            for (int k = 1; k < 5; k++) m[k] += pow(z, k) / (GENES * CELLS);
        }
    assert_true(fabs(m[1]) < 0.015 && fabs(m[2] - 1) < 0.02);
    assert_true(fabs(m[3]) < 0.06 && fabs(m[4] - 3) < 0.15);
}

/* Quantiles of the standard normal distribution, from tables. */
static void normal_quantiles(void **state)
{
    (void)state;
    static const struct {
        double p, x;
    } known[] = {{0.5, 0},
                 {0.841344746068543, 1},
                 {0.975, 1.959963984540054},
                 {0.999, 3.090232306167814},
                 {1e-6, -4.753424308822899},
                 {1e-9, -5.997807015007773}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        uint32_t word = (uint32_t)(known[i].p * 0x1p32);
        double p = ((double)word + 0.5) * 0x1p-32;
        double slope = exp(-known[i].x * known[i].x / 2) / sqrt(2 * acos(-1));
        double want = known[i].x + (p - known[i].p) / slope; /* p is rounded to 32 bits */
        double curve = 1e-19 / (slope * slope);
        if (!(fabs(ql_rng_normal(word) - want) < 2e-6 + curve))
            fail_msg("%g: %.9g instead of %.9g", known[i].p, ql_rng_normal(word), want);
    }
    for (uint32_t w = 0; w < 1u << 31; w += 12345677u)
        assert_true(ql_rng_normal(w) == -ql_rng_normal(~w));
    assert_true(ql_rng_normal(0) > -6.5 && ql_rng_normal(UINT32_MAX) < 6.5);
}

/* A row's draw is the same wherever in a minibatch it is, and another one in another epoch. */
static void draws_belong_to_row_and_epoch(void **state)
{
    (void)state;
    for (int k = 0; ql_corruptions[k]; k++) {
        const ql_corruption *kind = ql_corruptions[k];
        if (!kind->apply) continue;
        corrupt(&a, kind->name, kind->usual, 100, 1);
        corrupt(&b, kind->name, kind->usual, 103, 1);
        for (int64_t g = 0; g < GENES; g++)
            assert_memory_equal(a.x + g * LD + 3, b.x + g * LD, (CELLS - 3) * sizeof *a.x);
        corrupt(&b, kind->name, kind->usual, 100, 2);
        assert_true(memcmp(a.x, b.x, sizeof a.x) != 0);
    }
}

static void fill(model_fixture *f, ql_batch *batch, const ql_batch_source *source)
{
    ql_batch_begin(batch, source, f->n, 1);
    for (int64_t i = 0; i < f->n; i++)
        ql_batch_fill(batch, i, source, f->rows[i], &f->ae.map, f->ae.kern);
}

/* Without corruption the dense path is the sparse one, to rounding. */
static void dense_inputs_are_the_sparse_ones(void **state)
{
    (void)state;
    model_fixture f;
    ql_ae_config c = adam_config("nb");
    ql_real *x, *sparse;
    const ql_corrupt none = {0};
    model_new(&f, &c, (model_shape){.cells = 150, .genes = 300, .seed = 5});
    ql_input_layer *in = &f.ae.input;
    ql_batch *batch = &f.ae.batch[0];
    const int64_t h = ql_pad(in->n_out), size = (f.n + 1) * h;
    ql_batch_source source = {.counts = ROWS_OF(&f.counts)};
    fill(&f, batch, &source);
    assert_int_equal(QL_NEW(x, QL_INPUT_BLOCK, "x", NULL), QL_OK);
    assert_int_equal(QL_NEW(sparse, size, "x", NULL), QL_OK);
    for (int64_t tile = 0; tile < in->tiling.n_tiles; tile++) {
        ql_input_begin_strip(in, batch, 0);
        ql_input_forward_tile(in, &f.ae.params, f.ae.kern, batch, 0, tile);
        memcpy(sparse, ql_input_part(in, 0), (size_t)size * sizeof *x);
        ql_input_begin_strip(in, batch, 0);
        ql_input_dense_forward_tile(in, &f.ae.params, f.ae.kern, batch, &none, 0, tile, x);
        const ql_real *dense = ql_input_part(in, 0);
        for (int64_t i = 0; i < f.n * h; i++) {
            double want = (double)sparse[i] + (double)sparse[f.n * h + i % h];
            assert_true(fabs((double)dense[i] - want) < 2e-5);
        }
    }
    ql_free(x);
    ql_free(sparse);
    model_free(&f);
}

static double sum(const ql_entries *e, int64_t i)
{
    double s = 0;
    for (int64_t k = 0; k < e->n_entries[i]; k++) s += (double)e->value[i * e->stride + k];
    return s;
}

/* Which molecules are lost: that of the same epoch and seed alone is the same. */
static void losses_belong_to_seed_and_epoch(void **state)
{
    (void)state;
    model_fixture f;
    ql_real kept[4][60];
    ql_rows rows;
    ql_ae_config c = adam_config("nb");
    const ql_batch_source sources[] = {{.seed = 3, .epoch = 2},
                                       {.seed = 3, .epoch = 2},
                                       {.seed = 3, .epoch = 1},
                                       {.seed = 4, .epoch = 2}};
    model_new(&f, &c, (model_shape){.cells = 60, .genes = 200, .seed = 6, .separate = true});
    rows = ql_rows_of_csr(&f.counts);
    for (int k = 0; k < 4; k++) {
        ql_batch_source s = sources[k];
        s.counts = &rows;
        s.lose = 0.25;
        fill(&f, &f.ae.batch[0], &s);
        for (int64_t i = 0; i < 60; i++) kept[k][i] = i < f.n ? (ql_real)f.ae.batch[0].total[i] : 0;
    }
    assert_memory_equal(kept[0], kept[1], sizeof kept[0]);
    assert_memory_not_equal(kept[0], kept[2], sizeof kept[0]);
    assert_memory_not_equal(kept[0], kept[3], sizeof kept[0]);
    model_free(&f);
}

/* Lost molecules are missing from the input alone, and size factors are of what is there. */
static void thinning_keeps_the_target_whole(void **state)
{
    (void)state;
    model_fixture f;
    ql_ae_config c = adam_config("nb");
    model_new(&f, &c, (model_shape){.cells = 60, .genes = 200, .seed = 6, .separate = true});
    ql_batch *batch = &f.ae.batch[0];
    ql_batch_source source = {.counts = ROWS_OF(&f.counts), .lose = 0.25, .seed = 3, .epoch = 2};
    double seen = 0, all = 0;
    fill(&f, batch, &source);
    for (int64_t i = 0; i < f.n; i++) {
        double whole = f.prep.total[f.rows[i]];
        assert_true(sum(&batch->out, i) == whole);
        assert_true(fabs((double)batch->size[i] - whole / f.prep.median_total) < 1e-5 * whole);
        assert_true(batch->in.n_entries[i] <= batch->out.n_entries[i]);
        seen += batch->total[i];
        all += whole;
    }
    assert_true(fabs(seen / all - 0.75) < 5 * sqrt(0.75 * 0.25 / all));
    model_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_kind_does_what_it_says),
        cmocka_unit_test(noise_is_normal),
        cmocka_unit_test(normal_quantiles),
        cmocka_unit_test(draws_belong_to_row_and_epoch),
        cmocka_unit_test(dense_inputs_are_the_sparse_ones),
        cmocka_unit_test(thinning_keeps_the_target_whole),
        cmocka_unit_test(losses_belong_to_seed_and_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
