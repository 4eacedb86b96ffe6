/* Visits of a trained or new network: what a visitor is shown, and visitors that fail. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture_model.h"
#include "fixture_rows.h"

static void counts_of_a_tile(void *ctx, const ql_ae_tile *t)
{
    const model_fixture *f = ctx;
    const ql_real *x = ql_ae_tile_counts(t, NULL);
    for (int64_t i = 0; i < t->n; i++) {
        int64_t row = f->rows[t->first_row + t->first + i], k = f->counts.indptr[row];
        while (k < f->counts.indptr[row + 1] && f->counts.indices[k] < t->genes.first) k++;
        for (int64_t g = 0; g < t->genes.count; g++) {
            bool here = k < f->counts.indptr[row + 1] && f->counts.indices[k] == t->genes.first + g;
            ql_real want = here ? (ql_real)f->counts.data[k++] : 0;
            if (x[g * t->ld + i] != want) fail_msg("count of cell %lld", (long long)i);
        }
    }
}

static void tiles_come_with_their_counts(void **state)
{
    (void)state;
    model_fixture f;
    ql_ae_config c = adam_config("nb");
    model_new(&f, &c, (model_shape){.cells = 300, .genes = 150, .seed = 40});
    ql_batch_source source = {.counts = ROWS_OF(&f.counts)};
    const ql_ae_visitor visitor = {.tile = counts_of_a_tile, .ctx = &f};
    assert_int_equal(ql_ae_visit(&f.ae, &source, f.rows, f.n, 0, &visitor, NULL), QL_OK);
    assert_int_equal(ql_ae_visit(&f.ae, &source, f.rows, f.n, 70, &visitor, NULL), QL_OK);
    model_free(&f);
}

/* ---- visitors that fail ---- */

static ql_status fail_cells(void *ctx, const ql_ae *ae, int64_t first_row, int64_t n, ql_err *err)
{
    (void)ae;
    (void)n;
    return first_row >= *(int64_t *)ctx ? ql_fail(err, QL_EIO, "no space for cells") : QL_OK;
}

static ql_status pass_cells(void *ctx, const ql_ae *ae, int64_t first_row, int64_t n, ql_err *err)
{
    (void)ctx;
    (void)ae;
    (void)first_row;
    (void)n;
    (void)err;
    return QL_OK;
}

static ql_status fail_done(void *ctx, int64_t first_row, int64_t n, ql_err *err)
{
    (void)n;
    return first_row >= *(int64_t *)ctx ? ql_fail(err, QL_EIO, "no space when done") : QL_OK;
}

static void ignore_tile(void *ctx, const ql_ae_tile *t)
{
    (void)ctx;
    (void)t;
}

static void failing_visitors_end_the_visit(void **state)
{
    (void)state;
    model_fixture f;
    ql_ae_config c = adam_config("nb");
    model_new(&f, &c, (model_shape){.cells = 60, .genes = 300, .threads = 3, .seed = 41});
    ql_batch_source source = {.counts = ROWS_OF(&f.counts)};
    for (int again = 0; again < 200; again++) {
        int64_t when = again % 50;
        const ql_ae_visitor visitors[] = {
            {ignore_tile, fail_cells, NULL, &when},
            {ignore_tile, NULL, fail_done, &when},
            {NULL, fail_cells, NULL, &when},
            {NULL, pass_cells, fail_done, &when},
        };
        ql_err err = {0};
        assert_int_equal(ql_ae_visit(&f.ae, &source, f.rows, f.n, 10, &visitors[again % 4], &err),
                         QL_EIO);
        assert_non_null(strstr(err.msg, "no space"));
    }
    model_free(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tiles_come_with_their_counts),
        cmocka_unit_test(failing_visitors_end_the_visit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
