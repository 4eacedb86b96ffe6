/* Members of an ensemble that are no networks: what they say of cells, and of themselves in a file.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "quell/member.h"

#include "fixture_model.h"

enum { CELLS = 120, GENES = 60, GROUPS = 3, SIZE = CELLS / GROUPS };

/* Cells of three groups that share no high gene; all cells of a group have the same counts but for
 * their depth, which is 1, 2 or 3 times that of the first. */
static float count_of(int cell, int gene)
{
    const int times = 1 + cell / GROUPS % 3;
    return (float)(times * (gene % GROUPS == cell % GROUPS ? 20 + gene : 1));
}

static void grouped_counts(ql_csr *m)
{
    int64_t k = 0;
    assert_int_equal(ql_csr_alloc(m, CELLS, GENES, CELLS * GENES, NULL), QL_OK);
    for (int i = 0; i < CELLS; i++) {
        for (int g = 0; g < GENES; g++) {
            m->indices[k] = g;
            m->data[k++] = count_of(i, g);
        }
        m->indptr[i + 1] = k;
    }
}

static const int64_t *all_rows(void)
{
    static int64_t rows[CELLS];
    for (int i = 0; i < CELLS; i++) rows[i] = i;
    return rows;
}

static void *fitted(const ql_csr *m, const ql_member_spec *spec)
{
    const ql_member_data data = {.counts = ROWS_OF(m),
                                 .train = all_rows(),
                                 .n_train = CELLS,
                                 .kern = ql_kern_find(ql_kern_isa_name())};
    void *state = NULL;
    ql_err err = {0};
    assert_int_equal(spec->kind->fit(&data, spec, &state, &err), QL_OK);
    return state;
}

static void rates_of(void *state, const ql_member_spec *spec, const ql_csr *m, ql_real *out)
{
    ql_err err = {0};
    const ql_batch_source source = {.counts = ROWS_OF(m)};
    assert_int_equal(spec->kind->rates(state, &source, all_rows(), CELLS, CELLS, out, &err), QL_OK);
}

static ql_real rates[GENES * CELLS], again[GENES * CELLS];

static double depth_of(int cell)
{
    double sum = 0;
    for (int g = 0; g < GENES; g++) sum += (double)count_of(cell, g);
    return sum;
}

static void means_are_means(void **state)
{
    (void)state;
    const ql_member_spec spec = {.kind = &ql_member_means};
    ql_csr m;
    double total[GENES] = {0}, all = 0;
    grouped_counts(&m);
    void *s = fitted(&m, &spec);
    rates_of(s, &spec, &m, rates);
    for (int i = 0; i < CELLS; i++)
        for (int g = 0; g < GENES; g++) {
            total[g] += (double)count_of(i, g);
            all += (double)count_of(i, g);
        }
    for (int i = 0; i < CELLS; i++)
        for (int g = 0; g < GENES; g++) {
            const double want = depth_of(i) * total[g] / all;
            assert_true(fabs((double)rates[g * CELLS + i] - want) < 1e-5 * want);
        }
    spec.kind->free(s);
    ql_csr_free(&m);
}

/* The mean of the group, but for the few molecules of the mean profile. */
static void smoothing_stays_in_the_group(void **state)
{
    (void)state;
    const ql_member_spec spec = {.kind = &ql_member_smooth, .rank = 20, .fit.ae.seed = 3};
    ql_csr m;
    grouped_counts(&m);
    void *s = fitted(&m, &spec);
    rates_of(s, &spec, &m, rates);
    for (int i = 0; i < CELLS; i++) {
        double sum = 0;
        for (int g = 0; g < GENES; g++) {
            const double x = (double)count_of(i, g), r = (double)rates[g * CELLS + i];
            sum += r;
            if (g % GROUPS == i % GROUPS) assert_true(fabs(r - x) < 0.1 * x);
        }
        assert_true(fabs(sum - depth_of(i)) < 1e-4 * depth_of(i));
    }
    spec.kind->free(s);
    ql_csr_free(&m);
}

static const ql_member_spec others[] = {
    {.kind = &ql_member_means},
    {.kind = &ql_member_factors, .rank = 3, .fit.ae.seed = 1},
    {.kind = &ql_member_smooth, .rank = 10, .fit.ae.seed = 1},
};
enum { N_OTHERS = sizeof others / sizeof *others };

static ql_gene_places in_place(void)
{
    return (ql_gene_places){GENES, all_rows(), GENES};
}

static void files_hold_all_of_it(void **state)
{
    (void)state;
    ql_csr m;
    ql_err err = {0};
    const ql_gene_places places = in_place();
    const ql_kern *kern = ql_kern_find(ql_kern_isa_name());
    grouped_counts(&m);
    for (int k = 0; k < N_OTHERS; k++) {
        const ql_member_spec *spec = &others[k];
        ql_bundle b = {0};
        void *s = fitted(&m, spec), *back = NULL;
        rates_of(s, spec, &m, rates);
        assert_int_equal(spec->kind->put(s, &b, &err), QL_OK);
        assert_int_equal(spec->kind->check(&b, spec, GENES, &err), QL_OK);
        assert_int_equal(spec->kind->check(&b, spec, GENES + 1, &err), QL_EDATA);
        assert_int_equal(spec->kind->take(&b, spec, ROWS_OF(&m), &places, kern, &back, &err),
                         QL_OK);
        rates_of(back, spec, &m, again);
        assert_memory_equal(rates, again, sizeof rates);
        assert_true(spec->kind->bytes(ROWS_OF(&m), spec) > 0);
        spec->kind->free(s);
        spec->kind->free(back);
        spec->kind->free(NULL);
        ql_bundle_free(&b);
    }
    ql_csr_free(&m);
}

/* A number that is none in any array is found. */
static void damage_is_found(void **state)
{
    (void)state;
    ql_csr m;
    ql_err err = {0};
    grouped_counts(&m);
    for (int k = 0; k < N_OTHERS; k++) {
        const ql_member_spec *spec = &others[k];
        ql_bundle b = {0};
        void *s = fitted(&m, spec);
        assert_int_equal(spec->kind->put(s, &b, &err), QL_OK);
        for (int i = 0; i < b.n; i++) {
            const ql_entry *e = &b.entries[i];
            if (e->kind != QL_ENTRY_ARRAY) continue;
            unsigned char kept[8], bad[8];
            const double nan64 = NAN;
            const float nan32 = NAN;
            const size_t size = ql_elem_size(e->elem);
            memcpy(bad, e->elem == QL_ELEM_F32 ? (const void *)&nan32 : &nan64, size);
            memcpy(kept, e->values, size);
            memcpy(e->own, bad, size);
            assert_int_equal(spec->kind->check(&b, spec, GENES, &err), QL_EDATA);
            memcpy(e->own, kept, size);
        }
        assert_int_equal(spec->kind->check(&b, spec, GENES, &err), QL_OK);
        spec->kind->free(s);
        ql_bundle_free(&b);
    }
    ql_csr_free(&m);
}

static ql_status check_smoother(int64_t dims, int64_t marks, double median, double spread,
                                ql_err *err)
{
    static const float zeros[GENES * 600];
    const struct {
        const char *name;
        ql_array a;
    } arrays[] = {{"axis", {QL_ELEM_F32, GENES, dims, zeros}},
                  {"origin", {QL_ELEM_F32, dims, -1, zeros}},
                  {"mark", {QL_ELEM_F32, marks, dims, zeros}},
                  {"share", {QL_ELEM_F32, marks, -1, zeros}},
                  {"profile", {QL_ELEM_F32, GENES, marks, zeros}}};
    ql_bundle b = {0};
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++)
        assert_int_equal(ql_bundle_copy_array(&b, arrays[k].name, arrays[k].a, NULL), QL_OK);
    assert_int_equal(ql_bundle_put_double(&b, "median_total", median, NULL), QL_OK);
    assert_int_equal(ql_bundle_put_double(&b, "spread", spread, NULL), QL_OK);
    ql_status st = ql_member_smooth.check(&b, &others[2], GENES, err);
    ql_bundle_free(&b);
    return st;
}

/* Of as many dimensions and landmarks as there is room for, at least one. */
static void smoothers_that_cannot_be(void **state)
{
    static const struct {
        int64_t dims, marks;
        double median, spread;
        const char *said;
    } cases[] = {{21, 4, 1, 1, "mark is [4, 21]: too large"},
                 {20, 501, 1, 1, "mark is [501, 20]: too large"},
                 {20, 0, 1, 1, "mark is [0, 20]: too large"},
                 {20, 4, 0, 1, "median_total is 0 and spread 1"},
                 {20, 4, 1, -1, "median_total is 1 and spread -1"}};
    ql_err err = {0};
    (void)state;
    assert_int_equal(check_smoother(20, 500, 1, 0, &err), QL_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(
            check_smoother(cases[i].dims, cases[i].marks, cases[i].median, cases[i].spread, &err),
            QL_EDATA);
        assert_string_equal(err.msg, cases[i].said);
    }
}

static void factors_have_no_negative_prior(void **state)
{
    static const float zeros[GENES * 3];
    ql_bundle b = {0};
    ql_err err = {0};
    (void)state;
    assert_int_equal(
        ql_bundle_copy_array(&b, "profile", (ql_array){QL_ELEM_F32, GENES, 3, zeros}, NULL), QL_OK);
    assert_int_equal(ql_bundle_copy_array(&b, "usage", (ql_array){QL_ELEM_F32, 3, -1, zeros}, NULL),
                     QL_OK);
    assert_int_equal(ql_bundle_put_double(&b, "cell_prior", -1, NULL), QL_OK);
    assert_int_equal(ql_member_factors.check(&b, &others[1], GENES, &err), QL_EDATA);
    assert_string_equal(err.msg, "cell_prior is -1");
    ql_bundle_free(&b);
}

/* Genes that the counts do not have get nothing, and the others all. */
static void lacking_genes_get_nothing(void **state)
{
    (void)state;
    ql_csr m;
    ql_err err = {0};
    int64_t place[GENES];
    const ql_kern *kern = ql_kern_find(ql_kern_isa_name());
    grouped_counts(&m);
    for (int g = 0; g < GENES; g++) place[g] = g % 7 == 2 ? -1 : g;
    const ql_gene_places places = {GENES, place, GENES};
    for (int k = 0; k < N_OTHERS; k++) {
        const ql_member_spec *spec = &others[k];
        ql_bundle b = {0};
        void *s = fitted(&m, spec), *back = NULL;
        assert_int_equal(spec->kind->put(s, &b, &err), QL_OK);
        assert_int_equal(spec->kind->take(&b, spec, ROWS_OF(&m), &places, kern, &back, &err),
                         QL_OK);
        rates_of(back, spec, &m, rates);
        for (int i = 0; i < CELLS; i++) {
            double sum = 0;
            for (int g = 0; g < GENES; g++) {
                if (place[g] < 0) assert_true(rates[g * CELLS + i] == 0);
                sum += (double)rates[g * CELLS + i];
            }
            /* factors take loadings from the genes they know; these counts have all */
            if (spec->kind != &ql_member_factors)
                assert_true(fabs(sum - depth_of(i)) < 1e-4 * depth_of(i));
        }
        spec->kind->free(s);
        spec->kind->free(back);
        ql_bundle_free(&b);
    }
    ql_csr_free(&m);
}

static void kinds_have_names(void **state)
{
    (void)state;
    for (int i = 0; ql_member_kinds[i]; i++) {
        assert_ptr_equal(ql_member_kind_find(ql_member_kinds[i]->name), ql_member_kinds[i]);
        assert_non_null(ql_member_kinds[i]->help);
    }
    assert_null(ql_member_kind_find("oracle"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_are_means),
        cmocka_unit_test(smoothing_stays_in_the_group),
        cmocka_unit_test(files_hold_all_of_it),
        cmocka_unit_test(damage_is_found),
        cmocka_unit_test(smoothers_that_cannot_be),
        cmocka_unit_test(factors_have_no_negative_prior),
        cmocka_unit_test(lacking_genes_get_nothing),
        cmocka_unit_test(kinds_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
