/* Minibatches: rows cut out, transformed, divided by tiles, thinned. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "quell/batch.h"
#include "quell/covariates.h"

#include "fixture_alloc.h"
#include "fixture_random.h"
#include "fixture_rows.h"

enum { ROWS = 20, GENES = 300 };

static ql_csr counts;
static ql_real inv_sd[GENES], shift[GENES];
static const ql_kern *kern;

static int set_up(void **state)
{
    (void)state;
    ql_rng r = random_start(1);
    int64_t k = 0;
    if (ql_kern_select(&kern, NULL) != QL_OK) return -1;
    if (ql_csr_alloc(&counts, ROWS, GENES, ROWS * GENES, NULL) != QL_OK) return -1;
    for (int64_t i = 0; i < ROWS; i++) {
        for (int32_t g = 0; g < GENES; g++) {
            uint32_t y = random_poisson(&r, i == 7 ? 0 : g % 3 * 0.4); /* row 7 is empty */
            if (!y) continue;
            counts.indices[k] = g;
            counts.data[k++] = (float)y;
        }
        counts.indptr[i + 1] = k;
    }
    random_fill(&r, GENES, 0.5, 2, inv_sd);
    random_fill(&r, GENES, -2, 0, shift);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    ql_csr_free(&counts);
    return 0;
}

static ql_batch batch_of(int64_t capacity, bool separate)
{
    ql_batch b;
    int64_t before = ql_alloc_bytes(), most = ql_csr_max_row(&counts);
    assert_int_equal(ql_batch_alloc(&b, capacity, most, ql_tiling_of(GENES), separate, NULL),
                     QL_OK);
    /* what is planned covers what is taken, headers of blocks aside */
    assert_true(ql_alloc_bytes() - before <=
                ql_batch_bytes(capacity, most, b.tiling, separate) + 16 * 256);
    return b;
}

static ql_input_map map_of(bool log, bool factors)
{
    return (ql_input_map){log, factors, inv_sd, shift, 120.0, NULL};
}

static double row_total(const ql_csr *m, int64_t row)
{
    double sum = 0;
    for (int64_t k = m->indptr[row]; k < m->indptr[row + 1]; k++) sum += (double)m->data[k];
    return sum;
}

/* Cell i of the batch against row `row`, from the formula. */
static void like_row(const ql_batch *b, int64_t i, int64_t row, bool log, bool factors)
{
    int64_t first = counts.indptr[row], n = counts.indptr[row + 1] - first, at = i * b->in.stride;
    double total = row_total(&counts, row), size = factors && total > 0 ? total / 120.0 : 1;
    assert_int_equal(b->in.n_entries[i], n);
    assert_true(b->total[i] == total);
    assert_true(fabs((double)b->size[i] - size) <= 1e-6 * size);
    for (int64_t k = 0; k < n; k++) {
        int32_t g = counts.indices[first + k];
        double x = (double)counts.data[first + k] / size,
               want = (log ? log1p(x) : x) * (double)inv_sd[g];
        assert_int_equal(b->in.gene[at + k], g);
        assert_int_equal(b->out.gene[b->out.stride * i + k], g);
        assert_true(fabs((double)b->in.value[at + k] - want) <= 1e-6 * want);
        assert_true(b->out.value[b->out.stride * i + k] == (ql_real)counts.data[first + k]);
    }
}

static void rows_become_inputs_and_targets(void **state)
{
    (void)state;
    const int64_t rows[] = {5, 19, 7, 0, 5};
    ql_batch b = batch_of(6, false);
    for (int bits = 0; bits < 4; bits++) {
        ql_input_map map = map_of(bits & 1, bits & 2);
        ql_batch_source source = {.counts = ROWS_OF(&counts)};
        ql_batch_begin(&b, &source, 5, (ql_real)0.2);
        for (int i = 4; i >= 0; i--) ql_batch_fill(&b, i, &source, rows[i], &map, kern);
        for (int i = 0; i < 5; i++) like_row(&b, i, rows[i], bits & 1, bits & 2);
    }
    assert_int_equal(b.n_pad, QL_PAD);
    for (int i = 0; i < QL_PAD; i++) assert_true(b.weight[i] == (i < 5 ? (ql_real)0.2 : 0));
    for (int i = 5; i < QL_PAD; i++) assert_true(b.size[i] == 1);
    ql_batch_free(&b);
}

static void entries_are_found_by_tile(void **state)
{
    (void)state;
    ql_batch b = batch_of(ROWS, false);
    ql_input_map map = map_of(true, true);
    ql_batch_source source = {.counts = ROWS_OF(&counts)};
    ql_batch_begin(&b, &source, ROWS, 1);
    for (int64_t i = 0; i < ROWS; i++) {
        ql_batch_fill(&b, i, &source, i, &map, kern);
        int64_t next = i * b.in.stride;
        for (int64_t tile = 0; tile < b.tiling.n_tiles; tile++) {
            ql_span genes = ql_tile_genes(&b.tiling, tile),
                    e = ql_entries_in(&b.in, &b.tiling, i, tile);
            assert_int_equal(e.first, next);
            for (int64_t k = e.first; k < e.first + e.count; k++)
                assert_true(b.in.gene[k] >= genes.first &&
                            b.in.gene[k] < genes.first + genes.count);
            next += e.count;
        }
        assert_int_equal(next - i * b.in.stride, counts.indptr[i + 1] - counts.indptr[i]);
    }
    ql_batch_free(&b);
}

static void targets_of_their_own(void **state)
{
    (void)state;
    ql_csr held, kept;
    assert_int_equal(ql_csr_subset(&counts, NULL, NULL, &kept, NULL), QL_OK);
    /* targets: every second entry, times ten */
    assert_int_equal(ql_csr_subset(&counts, NULL, NULL, &held, NULL), QL_OK);
    int64_t k = 0;
    for (int64_t i = 0, from = 0; i < ROWS; i++) {
        for (; from < counts.indptr[i + 1]; from++) {
            if (from % 2) continue;
            held.indices[k] = counts.indices[from];
            held.data[k++] = counts.data[from] * 10;
        }
        held.indptr[i + 1] = k;
    }
    ql_batch b = batch_of(4, true);
    ql_input_map map = map_of(true, true);
    ql_batch_source source = {
        .counts = ROWS_OF(&kept), .targets = ROWS_OF(&held), .target_scale = 0.25};
    ql_batch_begin(&b, &source, 2, 1);
    ql_batch_fill(&b, 1, &source, 4, &map, kern);
    assert_int_equal(b.in.n_entries[1], counts.indptr[5] - counts.indptr[4]);
    assert_int_equal(b.out.n_entries[1], held.indptr[5] - held.indptr[4]);
    for (int64_t j = 0; j < b.out.n_entries[1]; j++) {
        assert_int_equal(b.out.gene[b.out.stride + j], held.indices[held.indptr[4] + j]);
        assert_true(b.out.value[b.out.stride + j] == held.data[held.indptr[4] + j]);
    }
    assert_true(fabs((double)b.size[1] - 0.25 * row_total(&counts, 4) / 120) < 1e-6);
    ql_span last = ql_entries_in(&b.out, &b.tiling, 1, b.tiling.n_tiles - 1);
    assert_int_equal(last.first + last.count, b.out.stride + b.out.n_entries[1]);
    ql_batch_free(&b);
    ql_csr_free(&held);
    ql_csr_free(&kept);
}

/* Molecules of gene g among the entries of cell i. */
static double taken(const ql_entries *e, int64_t i, int32_t g)
{
    for (int64_t k = 0; k < e->n_entries[i]; k++)
        if (e->gene[i * e->stride + k] == g) return (double)e->value[i * e->stride + k];
    return 0;
}

static void thinning_divides_the_molecules(void **state)
{
    (void)state;
    ql_batch b = batch_of(ROWS, true);
    ql_input_map plain = {false, false, inv_sd, shift, 1, NULL};
    ql_real ones[GENES];
    for (int g = 0; g < GENES; g++) ones[g] = 1;
    plain.inv_sd = ones;
    ql_batch_source source = {.counts = ROWS_OF(&counts), .thin = 0.25, .seed = 3, .epoch = 8};
    double held = 0, all = 0;
    ql_batch_begin(&b, &source, ROWS, 1);
    for (int64_t i = 0; i < ROWS; i++) {
        ql_batch_fill(&b, i, &source, i, &plain, kern);
        double in = 0;
        for (int64_t k = counts.indptr[i]; k < counts.indptr[i + 1]; k++) {
            double seen = taken(&b.in, i, counts.indices[k]);
            double out = taken(&b.out, i, counts.indices[k]);
            assert_true(seen + out == (double)counts.data[k]);
            in += seen;
            held += out;
            all += seen + out;
        }
        assert_true(b.total[i] == in);
        assert_true(fabs((double)b.size[i] - 0.25 / 0.75) < 1e-6);
    }
    assert_true(fabs(held - 0.25 * all) < 5 * sqrt(0.1875 * all));
    ql_batch_free(&b);
}

/* The draw depends on seed, epoch and row, on nothing else. */
static void thinning_is_keyed(void **state)
{
    (void)state;
    ql_batch a = batch_of(4, true), b = batch_of(4, true);
    ql_input_map map = map_of(true, true);
    ql_batch_source s = {.counts = ROWS_OF(&counts), .thin = 0.4, .seed = 3, .epoch = 8}, t = s;
    ql_batch_begin(&a, &s, 4, 1);
    ql_batch_begin(&b, &t, 2, 1);
    for (int i = 0; i < 4; i++) ql_batch_fill(&a, i, &s, 10 + i, &map, kern);
    ql_batch_fill(&b, 0, &t, 13, &map, kern);
    assert_int_equal(a.out.n_entries[3], b.out.n_entries[0]);
    size_t bytes = (size_t)b.out.n_entries[0] * sizeof(ql_real);
    assert_memory_equal(a.out.value + 3 * a.out.stride, b.out.value, bytes);
    t.epoch = 9;
    ql_batch_fill(&b, 1, &t, 13, &map, kern);
    int same = 1;
    for (int32_t g = 0; g < GENES; g++) same &= taken(&b.out, 0, g) == taken(&b.out, 1, g);
    assert_false(same);
    ql_batch_free(&a);
    ql_batch_free(&b);
}

static ql_status one_batch(void *separate, ql_err *err)
{
    ql_batch b;
    ql_status st = ql_batch_alloc(&b, 8, 100, ql_tiling_of(GENES), *(bool *)separate, err);
    ql_batch_free(&b);
    return st;
}

static void failures_release_everything(void **state)
{
    (void)state;
    assert_true(fail_each_allocation(NULL, one_batch, &(bool){false}) > 8);
    assert_true(fail_each_allocation(NULL, one_batch, &(bool){true}) > 8);
}

/* A category is 1 at its level alone; a number is itself, and one level has no column. */
static void covariates_become_columns(void **state)
{
    static const ql_cov_shape shape = {.n = 4, .n_levels = {3, 0, 1, 2}};
    static const struct {
        float row[4];
        ql_real columns[6];
    } cases[] = {{{0, 1.5f, 0, 1}, {1, 0, 0, 1.5f, 0, 1}},
                 {{1, -2, 0, 0}, {0, 1, 0, -2, 1, 0}},
                 {{2, 0, 0, -1}, {0, 0, 1, 0, 0, 0}},
                 {{-1, 3, -1, 1}, {0, 0, 0, 3, 0, 1}}};
    (void)state;
    assert_int_equal(ql_cov_columns(&shape), 6);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ql_real x[12] = {0};
        ql_cov_fill(&shape, cases[i].row, 2, x);
        for (int k = 0; k < 6; k++) {
            assert_true(x[2 * k] == cases[i].columns[k]);
            assert_true(x[2 * k + 1] == 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_become_inputs_and_targets),
        cmocka_unit_test(entries_are_found_by_tile),
        cmocka_unit_test(targets_of_their_own),
        cmocka_unit_test(thinning_divides_the_molecules),
        cmocka_unit_test(thinning_is_keyed),
        cmocka_unit_test(covariates_become_columns),
        cmocka_unit_test(failures_release_everything),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
