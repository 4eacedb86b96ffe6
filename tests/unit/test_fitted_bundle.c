/* Fitted models as named values: every kind of network comes back with the same numbers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture_model.h"
#include "quell/covariates_bundle.h"
#include "quell/fit.h"
#include "quell/fitted_bundle.h"
#include "quell/predict.h"

enum { CELLS = 90, GENES = 300 };

static ql_fit_options options_for(const char *likelihood, bool batch_norm)
{
    ql_fit_options o = {.prep = {.log = true, .size_factors = true, .center = true, .scale = true},
                        .ae = adam_config(likelihood),
                        .train = {.epochs = 2,
                                  .batch_size = 32,
                                  .validation = 0.2,
                                  .molecules = true,
                                  .thinned = true,
                                  .patience = -1,
                                  .seed = 3},
                        .threads = 1};
    o.ae.batch_norm = batch_norm;
    o.fit_theta = o.ae.likelihood->disp != QL_DISP_CELL;
    return o;
}

static ql_csr counts_of(uint64_t seed)
{
    ql_csr m;
    simulate_counts(CELLS, GENES, seed, &m);
    return m;
}

/* A model fitted to counts; afterwards they have its genes only. */
static void fit(const ql_fit_options *o, ql_csr *m, ql_fitted *f)
{
    ql_err err = {0};
    if (ql_fit(ROWS_OF(m), o, ql_kern_find("scalar"), NULL, f, &err) != QL_OK)
        fail_msg("%s", err.msg);
}

static float *posterior(ql_fitted *f, const ql_csr *m)
{
    ql_predictor p;
    ql_rows rows = ql_rows_of_csr(m);
    float *out = calloc(CELLS * GENES, sizeof *out);
    assert_int_equal(ql_predictor_new(&p, f, &rows, QL_VALUE_POSTERIOR, NULL, 0, NULL), QL_OK);
    assert_int_equal(ql_predict_cells(&p, 0, CELLS, out, NULL), QL_OK);
    ql_predictor_free(&p);
    return out;
}

static void take(const ql_bundle *b, const ql_fit_options *o, const ql_csr *m, const int64_t *place,
                 ql_fitted *out)
{
    ql_err err = {0};
    ql_rows rows = ql_rows_of_csr(m);
    const ql_gene_places places = {m->n_cols, place, GENES};
    if (ql_fitted_check(b, o, m->n_cols, &err) != QL_OK ||
        ql_fitted_take(b, o, &rows, &places, ql_kern_find("scalar"), out, &err) != QL_OK)
        fail_msg("%s", err.msg);
}

static void a_model_comes_back(void **state)
{
    (void)state;
    static const char *const kinds[] = {"nb", "nb-conddisp", "zinb", "zinb-conddisp", "poisson"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        const ql_fit_options o = options_for(kinds[i], i % 2 == 0);
        ql_csr m = counts_of(5);
        ql_fitted f, g;
        ql_bundle b = {0};
        fit(&o, &m, &f);
        assert_int_equal(ql_fitted_put(&f, &b, NULL), QL_OK);
        take(&b, &o, &m, f.prep.kept_gene, &g);
        ql_bundle_free(&b);
        float *one = posterior(&f, &m), *two = posterior(&g, &m);
        assert_memory_equal(one, two, CELLS * GENES * sizeof *one);
        assert_int_equal(g.result.n_epochs, f.result.n_epochs);
        assert_true(g.result.history[1].loss == f.result.history[1].loss);
        free(one);
        free(two);
        ql_fitted_free(&f);
        ql_fitted_free(&g);
        ql_csr_free(&m);
    }
}

/* A gene that the file has not is predicted for no column; the others stay. */
static void a_gene_without_a_place_has_no_column(void **state)
{
    (void)state;
    const ql_fit_options o = options_for("nb", true);
    ql_csr m = counts_of(6);
    ql_fitted f, g;
    ql_bundle b = {0};
    fit(&o, &m, &f);
    assert_int_equal(ql_fitted_put(&f, &b, NULL), QL_OK);
    int64_t place[GENES];
    memcpy(place, f.prep.kept_gene, (size_t)m.n_cols * sizeof *place);
    const int64_t lost = place[7];
    place[7] = -1;
    take(&b, &o, &m, place, &g);
    float *one = posterior(&f, &m), *two = posterior(&g, &m);
    for (int64_t i = 0; i < CELLS * GENES; i++)
        assert_true(two[i] == (i % GENES == lost ? 0 : one[i]));
    free(one);
    free(two);
    ql_bundle_free(&b);
    ql_fitted_free(&f);
    ql_fitted_free(&g);
    ql_csr_free(&m);
}

static const ql_entry *entry_of(const ql_bundle *b, const char *name)
{
    const ql_entry *e = ql_bundle_find(b, name);
    assert_non_null(e);
    return e;
}

static void assert_refused(const ql_bundle *b, const ql_fit_options *o, int64_t genes,
                           const char *said)
{
    ql_err err = {0};
    assert_int_equal(ql_fitted_check(b, o, genes, &err), QL_EDATA);
    assert_string_equal(err.msg, said);
}

static void what_does_not_fit_is_named(void **state)
{
    (void)state;
    ql_fit_options o = options_for("zinb", true), other = o;
    ql_csr m = counts_of(7);
    ql_fitted f;
    ql_bundle b = {0};
    ql_err err = {0};
    fit(&o, &m, &f);
    assert_int_equal(ql_fitted_put(&f, &b, NULL), QL_OK);
    assert_int_equal(ql_fitted_check(&b, &o, m.n_cols, &err), QL_OK);
    assert_int_equal(ql_fitted_check(&b, &o, m.n_cols - 1, &err), QL_EDATA);
    other.ae.hidden[1] = 6;
    assert_refused(&b, &other, m.n_cols,
                   "net/center/weight is float32 [5, 12], float32 [6, 12] expected");
    other = o;
    other.ae.likelihood = ql_likelihood_find("nb");
    assert_refused(&b, &other, m.n_cols,
                   "net/dropout/weight is no part of a network of these options");
    other = o;
    other.ae.likelihood = ql_likelihood_find("zinb-conddisp");
    assert_refused(&b, &other, m.n_cols, "net/dispersion/weight is missing");
    float *var = (float *)entry_of(&b, "net/enc0/moving_var")->own;
    var[3] = -1;
    assert_refused(&b, &o, m.n_cols,
                   "net/enc0/moving_var: value 3 is -1, a number from 0 on expected");
    var[3] = INFINITY;
    assert_refused(&b, &o, m.n_cols,
                   "net/enc0/moving_var: value 3 is inf, a number from 0 on expected");
    var[3] = 1;
    ((float *)entry_of(&b, "genes/sd")->own)[0] = 0;
    assert_refused(&b, &o, m.n_cols, "genes/sd: value 0 is 0, a number above 0 expected");
    ((ql_entry *)entry_of(&b, "genes/median_total"))->d = 0;
    assert_refused(&b, &o, m.n_cols, "genes/median_total is 0");
    ql_bundle_free(&b);
    ql_fitted_free(&f);
    ql_csr_free(&m);
}

/* ---- starting from a model ---- */

typedef struct {
    const ql_bundle *old;
    const int64_t *source;
    ql_start_report report;
    ql_real *w;
} starting;

static ql_status start(void *ctx, ql_fitted *f, ql_err *err)
{
    starting *s = ctx;
    QL_TRY(ql_fitted_start(s->old, s->source, f, &s->report, err));
    s->w = malloc((size_t)f->ae.params.size * sizeof *s->w);
    memcpy(s->w, f->ae.params.w, (size_t)f->ae.params.size * sizeof *s->w);
    return QL_OK;
}

static const ql_real *started(const starting *s, const ql_fitted *f, const char *name, int64_t *ld)
{
    for (int i = 0; i < f->ae.params.n_tensors; i++) {
        const ql_tensor *t = &f->ae.params.tensor[i];
        *ld = t->ld;
        if (strcmp(t->name, name) == 0) return s->w + t->offset;
    }
    fail_msg("no tensor %s", name);
    return NULL;
}

/* The new model's hidden layers are as wide as the old one's, or as wide as there are genes. */
static void training_starts_from_a_model(void **state)
{
    (void)state;
    ql_fit_options o = options_for("nb", true);
    ql_csr m = counts_of(8), again = counts_of(8);
    ql_fitted old, f;
    ql_bundle b = {0};
    int64_t source[GENES], ld = 0;
    fit(&o, &m, &old);
    assert_int_equal(ql_fitted_put(&old, &b, NULL), QL_OK);
    for (int64_t g = 0; g < GENES; g++) source[g] = g % 4 ? (g * 7) % m.n_cols : -1;
    starting s = {.old = &b, .source = source};
    const ql_fit_start hook = {start, &s};
    o.start = &hook;
    o.ae.likelihood = ql_likelihood_find("zinb-conddisp");
    o.fit_theta = false;
    fit(&o, &again, &f);
    assert_string_equal(ql_str_text(&s.report.fresh),
                        "dispersion/weight, dispersion/bias, dropout/weight, dropout/bias");
    const float *w = entry_of(&b, "net/input/weight")->values;
    const float *bias = entry_of(&b, "net/mean/bias")->values;
    const float *beta = entry_of(&b, "net/dec1/beta")->values;
    const ql_real *new_w = started(&s, &f, "input/weight", &ld);
    for (int64_t g = 0; g < again.n_cols; g++)
        for (int64_t u = 0; u < 12 && source[g] >= 0; u++)
            assert_true(new_w[g * ld + u] == (ql_real)w[source[g] * 12 + u]);
    const ql_real *new_bias = started(&s, &f, "mean/bias", &ld);
    for (int64_t g = 0; g < again.n_cols; g++)
        if (source[g] >= 0) assert_true(new_bias[g] == (ql_real)bias[source[g]]);
    const ql_real *new_beta = started(&s, &f, "dec1/beta", &ld);
    for (int64_t u = 0; u < 12; u++) assert_true(new_beta[u] == (ql_real)beta[u]);
    free(s.w);
    ql_str_free(&s.report.taken);
    ql_str_free(&s.report.fresh);
    ql_bundle_free(&b);
    ql_fitted_free(&old);
    ql_fitted_free(&f);
    ql_csr_free(&m);
    ql_csr_free(&again);
}

/* The gene of place `at` is given place `value`; the others keep theirs. */
static ql_status check_places(ql_bundle *b, const ql_fit_options *o, int64_t n, int64_t at,
                              int32_t value, ql_err *err)
{
    int32_t *place = (int32_t *)entry_of(b, "genes/place")->own;
    const int32_t kept = place[at];
    place[at] = value;
    ql_status st = ql_fitted_check(b, o, n, err);
    place[at] = kept;
    return st;
}

static void genes_have_places_of_their_own(void **state)
{
    (void)state;
    ql_fit_options o = options_for("nb", true);
    o.ae.conv = (ql_conv_shape){4, 5, 3};
    ql_csr m = counts_of(8);
    ql_fitted f;
    ql_bundle b = {0};
    ql_err err = {0};
    fit(&o, &m, &f);
    const int64_t n = m.n_cols;
    int32_t *place = calloc((size_t)n, sizeof *place);
    for (int64_t g = 0; g < n; g++) place[g] = (int32_t)(n - 1 - g);
    assert_int_equal(ql_fitted_put(&f, &b, NULL), QL_OK);
    assert_int_equal(
        ql_bundle_copy_array(&b, "genes/place", (ql_array){QL_ELEM_I32, n, -1, place}, NULL),
        QL_OK);
    assert_int_equal(check_places(&b, &o, n, 2, (int32_t)(n - 3), &err), QL_OK);
    const int32_t bad[] = {-1, (int32_t)n, (int32_t)(n - 1)};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(check_places(&b, &o, n, 2, bad[i], &err), QL_EDATA);
        assert_non_null(strstr(err.msg, "genes/place: value 2 is"));
    }
    free(place);
    ql_bundle_free(&b);
    ql_fitted_free(&f);
    ql_csr_free(&m);
}

/* Numbers as covariates, n of them, one of which has this standard deviation, or no level (NAN). */
static void put_covariates(ql_bundle *b, int n, double sd)
{
    ql_names names = {0}, none = {0};
    char name[64];
    for (int k = 0; k < n; k++) {
        snprintf(name, sizeof name, "c%d", k);
        assert_int_equal(ql_names_add(&names, name, strlen(name), NULL), QL_OK);
        snprintf(name, sizeof name, "covariates/%d/mean", k);
        if (!isnan(sd)) assert_int_equal(ql_bundle_put_double(b, name, 0, NULL), QL_OK);
        snprintf(name, sizeof name, "covariates/%d/%s", k, isnan(sd) ? "levels" : "sd");
        assert_int_equal(isnan(sd) ? ql_bundle_copy_names(b, name, &none, NULL)
                                   : ql_bundle_put_double(b, name, sd, NULL),
                         QL_OK);
    }
    assert_int_equal(ql_bundle_give_names(b, "covariates/names", &names, NULL), QL_OK);
}

static void covariates_that_cannot_be(void **state)
{
    static const struct {
        int n;
        double sd;
        const char *said;
    } cases[] = {{QL_MAX_COVARIATES + 1, 1, "covariates/names has 17 names"},
                 {1, 0, "covariates/0/sd is 0"},
                 {1, NAN, "covariates/0/levels has 0 names"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ql_bundle b = {0};
        ql_covariates c;
        ql_err err = {0};
        put_covariates(&b, cases[i].n, cases[i].sd);
        assert_int_equal(ql_covariates_take(&b, &c, &err), QL_EDATA);
        assert_string_equal(err.msg, cases[i].said);
        ql_bundle_free(&b);
    }
}

static void nothing_is_left_allocated(void **state)
{
    (void)state;
    assert_int_equal(ql_alloc_bytes(), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_comes_back),
        cmocka_unit_test(a_gene_without_a_place_has_no_column),
        cmocka_unit_test(what_does_not_fit_is_named),
        cmocka_unit_test(genes_have_places_of_their_own),
        cmocka_unit_test(covariates_that_cannot_be),
        cmocka_unit_test(training_starts_from_a_model),
        cmocka_unit_test(nothing_is_left_allocated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
