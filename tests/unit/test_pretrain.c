/* Layer-wise pretraining: what learns in a stage, and what the whole network starts from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "quell/fit.h"

#include "fixture_model.h"
#include "fixture_rows.h"

static const int64_t bottle[] = {12, 8, 5, 8, 12};
static const model_shape shape = {.cells = 60, .genes = 150, .batch_size = 20, .seed = 3};

static ql_ae_config config(int stage)
{
    ql_ae_config c = model_config("nb", 5, bottle);
    c.optimizer = ql_opt_rule_find("adam");
    c.rate = 0.01;
    c.stage = stage;
    return c;
}

static size_t bytes_of(const ql_tensor *t)
{
    return (size_t)(t->rows * t->ld) * sizeof(ql_real);
}

/* In stage 2 the first layer stays, but for its running statistics; the second and the heads, which
 * read it, learn. */
static void layers_below_the_stage_stay(void **state)
{
    (void)state;
    const ql_ae_config c = config(2);
    model_fixture f;
    ql_err err = {0};
    double loss;
    model_new(&f, &c, shape);
    assert_int_equal(f.ae.n_hidden, 2);
    assert_int_equal(f.ae.heads.n_in, 8);
    ql_real *before;
    assert_int_equal(QL_NEW(before, f.ae.params.size, "weights", &err), QL_OK);
    memcpy(before, f.ae.params.w, (size_t)f.ae.params.size * sizeof *before);
    const ql_batch_source all = {.counts = ROWS_OF(&f.counts)};
    assert_int_equal(ql_ae_train_epoch(&f.ae, &all, f.rows, f.n, 20, &loss, &err), QL_OK);
    int stayed = 0, learned = 0;
    for (int i = 0; i < f.ae.params.n_tensors; i++) {
        const ql_tensor *t = &f.ae.params.tensor[i];
        bool below = !strncmp(t->name, "input", 5) || !strncmp(t->name, "enc0", 4);
        bool same = !memcmp(before + t->offset, f.ae.params.w + t->offset, bytes_of(t));
        if (!t->trained) continue;
        assert_int_equal(t->frozen, below);
        if (below) assert_true(same);
        stayed += below;
        learned += !same;
    }
    assert_in_range(stayed, 3, 3); /* weights, biases, the norm's shift */
    assert_true(learned >= 4);
    ql_free(before);
    model_free(&f);
}

static ql_fit_options options(int64_t layer_epochs, int threads)
{
    return (ql_fit_options){
        .prep = {.log = true, .size_factors = true, .center = true, .scale = true},
        .ae = config(0),
        .train = {.epochs = 1,
                  .batch_size = 20,
                  .validation = 0.1,
                  .molecules = true,
                  .thinned = true,
                  .seed = 3},
        .layer_epochs = layer_epochs,
        .threads = threads};
}

/* Keeps the weights that training starts from. */
static ql_status keep_start(void *ctx, struct ql_fitted *f, ql_err *err)
{
    ql_real **to = ctx;
    QL_TRY(QL_NEW(*to, f->ae.params.size, "weights", err));
    memcpy(*to, f->ae.params.w, (size_t)f->ae.params.size * sizeof **to);
    return QL_OK;
}

static void fit(const ql_csr *counts, int64_t layer_epochs, int threads, ql_fitted *out,
                ql_real **start)
{
    ql_err err = {0};
    ql_rows rows = ql_rows_of_csr(counts);
    const ql_fit_start hook = {keep_start, start};
    ql_fit_options o = options(layer_epochs, threads);
    o.start = &hook;
    assert_int_equal(ql_fit(&rows, &o, ql_kern_find(ql_kern_isa_name()), NULL, out, &err), QL_OK);
}

/* The encoder starts elsewhere, the decoder and the heads as ever; threads change nothing. */
static void the_encoder_starts_from_its_stages(void **state)
{
    (void)state;
    ql_csr counts;
    ql_fitted plain, one, three;
    ql_real *start[3];
    simulate_counts(80, 120, 9, &counts);
    fit(&counts, 0, 1, &plain, &start[0]);
    fit(&counts, 3, 1, &one, &start[1]);
    fit(&counts, 3, 3, &three, &start[2]);
    assert_memory_equal(start[1], start[2], (size_t)one.ae.params.size * sizeof(ql_real));
    for (int i = 0; i < one.ae.params.n_tensors; i++) {
        const ql_tensor *t = &one.ae.params.tensor[i];
        bool encoder = !strncmp(t->name, "input", 5) || !strncmp(t->name, "enc", 3) ||
                       !strncmp(t->name, "center", 6);
        bool same = !memcmp(start[0] + t->offset, start[1] + t->offset, bytes_of(t));
        if (strstr(t->name, "/bias") && encoder) continue; /* no gradient where a norm follows */
        assert_int_equal(same, !encoder);
    }
    for (int i = 0; i < 3; i++) ql_free(start[i]);
    ql_fitted_free(&plain);
    ql_fitted_free(&one);
    ql_fitted_free(&three);
    ql_csr_free(&counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layers_below_the_stage_stay),
        cmocka_unit_test(the_encoder_starts_from_its_stages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
