/* Weights of an ensemble: members are told the cells whose held-out molecules they predict. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "quell/ensemble.h"

#include "fixture_model.h"

enum { CELLS = 200, GENES = 40, SHARED = 4, LEVELS = 3 };

/* Neighbours are of different levels, in no order. */
static int level_of(int64_t cell)
{
    return (int)((uint64_t)cell * 2654435761u >> 7) % LEVELS;
}

/* Share of a cell's molecules: each level has genes of its own. */
static double share_of(int64_t cell, int64_t gene)
{
    return gene < SHARED ? 0.25 / SHARED : gene % LEVELS == level_of(cell) ? 0.75 / 12 : 0;
}

static void level_counts(ql_csr *m)
{
    int64_t k = 0;
    assert_int_equal(ql_csr_alloc(m, CELLS, GENES, CELLS * GENES, NULL), QL_OK);
    for (int64_t i = 0; i < CELLS; i++) {
        for (int32_t g = 0; g < GENES; g++) {
            const double x = 2000 * share_of(i, g);
            if (x == 0) continue;
            m->indices[k] = g;
            m->data[k++] = (float)round(x);
        }
        m->indptr[i + 1] = k;
    }
}

/* --- a member that knows the cells' levels, and nothing else --- */

static ql_status knows_fit(const ql_member_data *data, const ql_member_spec *spec, void **state,
                           ql_err *err)
{
    char *nothing;
    (void)data;
    (void)spec;
    QL_TRY(QL_NEW(nothing, 1, "a member", err));
    *state = nothing;
    return QL_OK;
}

static ql_status knows_rates(void *state, const ql_batch_source *source, const int64_t *rows,
                             int64_t n, int64_t ld, ql_real *out, ql_err *err)
{
    ql_row_cursor c;
    (void)state;
    QL_TRY(ql_cursor_open(&c, source->counts, err));
    for (int64_t i = 0; i < n; i++) {
        const int64_t cell = source->cell ? source->cell[rows[i]] : rows[i];
        const ql_row_view v = ql_cursor_row(&c, rows[i]);
        double depth = 0;
        for (int64_t k = 0; k < v.n; k++) depth += (double)v.count[k];
        for (int64_t g = 0; g < GENES; g++)
            out[g * ld + i] = (ql_real)(depth * (share_of(cell, g) + 1e-3 / GENES));
    }
    ql_cursor_close(&c);
    return QL_OK;
}

static int64_t no_bytes(const ql_rows *counts, const ql_member_spec *spec)
{
    (void)counts;
    (void)spec;
    return 1;
}

static const ql_member_kind knows_levels = {.name = "levels",
                                            .help = "of a test",
                                            .bytes = no_bytes,
                                            .fit = knows_fit,
                                            .rates = knows_rates,
                                            .free = ql_free};

/* --- weights --- */

static void assert_weighs_levels(const ql_member_spec *specs)
{
    const ql_kern *kern = ql_kern_find(ql_kern_isa_name());
    const ql_ensemble_options opt = {.threads = 1};
    ql_csr m;
    ql_fitted f;
    ql_err err = {0};
    level_counts(&m);
    ql_rows counts = ql_rows_of_csr(&m);
    if (ql_ensemble_fit(&counts, specs, 2, &opt, kern, NULL, &f, &err) != QL_OK)
        print_error("%s\n", err.msg);
    assert_int_equal(f.others->n, 2);
    assert_true(f.others->facts.share[1] > 0.9);
    for (int64_t g = 0; g < GENES; g++) assert_true(f.others->weight[GENES + g] > (ql_real)0.9);
    ql_fitted_free(&f);
    ql_csr_free(&m);
}

/* The network has hardly begun to learn, so the other one is better, unless it is told the levels
 * of other cells: two of three then have none of the genes that it predicts. */
static void weights_are_fitted_with_each_cells_own_covariates(void **state)
{
    const ql_member_spec specs[2] = {
        {.kind = &ql_member_network,
         .fit = {.prep = {.log = true, .size_factors = true, .center = true, .scale = true},
                 .ae = adam_config("nb"),
                 .train = {.epochs = 1,
                           .batch_size = 64,
                           .validation = 0.3,
                           .molecules = true,
                           .patience = -1,
                           .seed = 3},
                 .threads = 1}},
        {.kind = &knows_levels},
    };
    (void)state;
    assert_weighs_levels(specs);
}

/* --- weights in a file --- */

static ql_status any_state(const ql_bundle *b, const ql_member_spec *spec, int64_t n_genes,
                           ql_err *err)
{
    (void)b;
    (void)spec;
    (void)n_genes;
    (void)err;
    return QL_OK;
}

/* Of two genes the weights of two models: those of each gene are shares of 1, as they are rounded.
 */
static void weights_that_are_no_shares(void **state)
{
    static const ql_member_kind kind = {.name = "any", .check = any_state};
    static const ql_member_spec specs[2] = {{.kind = &kind}, {.kind = &kind}};
    static const struct {
        float weight[4];
        double share[2];
        const char *said; /* NULL: nothing is wrong */
    } cases[] = {
        {{0.25f, 1, 0.75f, 0}, {0, 1}, NULL},
        {{0.25f, 0.5f, 0.75f, 0.5005f}, {0.5, 0.5}, NULL},
        {{0.25f, 0.5f, 0.75f, 0.4995f}, {0.5, 0.5}, NULL},
        {{0.25f, 0.5f, 0.75f, 0.75f}, {0.5, 0.5}, "of gene 1 add up to 1.25, not 1"},
        {{0.25f, 0.5f, 0.75f, 0.25f}, {0.5, 0.5}, "of gene 1 add up to 0.75, not 1"},
        {{0, 0.5f, 0, 0.5f}, {0.5, 0.5}, "of gene 0 add up to 0, not 1"},
        {{1.5f, 0.5f, -0.5f, 0.5f}, {0.5, 0.5}, "of model 0 and gene 0 is 1.5"},
        {{0.25f, -0.5f, 0.75f, 1.5f}, {0.5, 0.5}, "of model 0 and gene 1 is -0.5"},
        {{0.25f, 0.5f, 0.75f, NAN}, {0.5, 0.5}, "of model 1 and gene 1 is nan"},
        {{0.25f, 0.5f, 0.75f, 0.5f}, {0.5, 1.5}, "value 1 is 1.5, a share expected"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ql_bundle b = {0};
        ql_err err = {0};
        const ql_array weights = {QL_ELEM_F32, 2, 2, cases[i].weight};
        const ql_array shares = {QL_ELEM_F64, 2, -1, cases[i].share};
        assert_int_equal(ql_bundle_lend_array(&b, "ensemble/weights", weights, &err), QL_OK);
        assert_int_equal(ql_bundle_lend_array(&b, "ensemble/shares", shares, &err), QL_OK);
        assert_int_equal(ql_ensemble_check(&b, specs, 2, 2, &err),
                         cases[i].said ? QL_EDATA : QL_OK);
        if (cases[i].said) assert_non_null(strstr(err.msg, cases[i].said));
        ql_bundle_free(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_fitted_with_each_cells_own_covariates),
        cmocka_unit_test(weights_that_are_no_shares),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
