/* Settings of the hidden layers (docs/family.md) in whole trainings: the same bits for any number
 * of threads and any kernels, memory as planned and none taken in steps, settings that contradict
 * each other. (Gradients are in test64_gradient.c.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture_model.h"

static const int64_t mirror[] = {12, 7, 5, 7, 12}, one[] = {9};

static const ql_activation *act(const char *name)
{
    return ql_activation_find(name);
}

/* Every setting of the family, some of them together. */
static ql_ae_config variant(int i, const char **name)
{
    ql_ae_config c = model_config(i % 2 ? "nb" : "zinb-conddisp", 5, mirror);
    const char *const names[] = {"layer norm, gelu",
                                 "prelu, tied",
                                 "l1",
                                 "kl",
                                 "largest",
                                 "contractive, orthogonal",
                                 "one contracted layer, tied",
                                 "nonnegative, softplus",
                                 NULL};
    c.optimizer = ql_opt_rule_find("adam");
    c.rate = 0.01;
    c.mean_loss = false;
    c.linear_latent = true;
    c.dropout = 0.1;
    c.code_unit = true;
    *name = names[i];
    switch (i) {
    case 0:
        c.batch_norm = false;
        c.layer_norm = true;
        c.act = act("gelu");
        break;
    case 1:
        c.act = act("prelu");
        c.tied = true;
        break;
    case 2:
        c.code_l1 = 0.5;
        c.code_act = act("relu");
        c.n_hidden = 3; /* the code is followed by a layer */
        break;
    case 3:
        c.code_kl = 1;
        c.code_act = act("sigmoid");
        break;
    case 4:
        c.code_k = 2;
        c.code_l1 = 0.5;
        c.n_hidden = 2; /* the code is the last layer */
        break;
    case 5:
        c.contractive = 0.3;
        c.orthogonal = 0.2;
        c.act = act("tanh");
        c.n_dropouts = 5;
        for (int k = 0; k < 5; k++) c.dropouts[k] = 0.05 * k;
        break;
    case 6:
        memcpy(c.hidden, one, sizeof one);
        c.n_hidden = 1;
        c.contractive = 0.3;
        c.tied = true;
        break;
    default:
        c.nonnegative_encoder = c.nonnegative_decoder = true;
        c.act = act("softplus");
    }
    return c;
}

static void train(model_fixture *f, int64_t batch, int epochs, double *loss)
{
    ql_batch_source source = {.counts = ROWS_OF(&f->counts)};
    ql_err err = {0};
    for (int i = 0; i < epochs; i++)
        if (ql_ae_train_epoch(&f->ae, &source, f->rows, f->n, batch, &loss[i], &err) != QL_OK)
            fail_msg("%s", err.msg);
}

static void same_weights(const model_fixture *a, const model_fixture *b, const char *what)
{
    size_t bytes = (size_t)a->ae.params.size * sizeof(ql_real);
    if (memcmp(a->ae.params.w, b->ae.params.w, bytes) != 0) fail_msg("%s: other weights", what);
}

static void threads_and_processors_change_no_bit(void **state)
{
    (void)state;
    static const int threads[] = {1, 3, 7};
    const char *what;
    for (int v = 0; variant(v, &what), what; v++) {
        model_fixture first, other;
        double want[2], loss[2];
        ql_ae_config c = variant(v, &what);
        model_shape shape = {
            .cells = 150, .genes = 400, .batch_size = 48, .seed = 31, .isa = "scalar"};
        model_new(&first, &c, shape);
        train(&first, 48, 2, want);
        for (int i = 0; ql_kern_names[i]; i++) {
            if (!ql_kern_find(ql_kern_names[i])) continue;
            for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
                shape.isa = ql_kern_names[i];
                shape.threads = threads[t];
                if (!strcmp(shape.isa, "scalar") && shape.threads == 1) continue; /* is the first */
                model_new(&other, &c, shape);
                train(&other, 48, 2, loss);
                same_weights(&first, &other, what);
                assert_memory_equal(want, loss, sizeof want);
                model_free(&other);
            }
        }
        model_free(&first);
    }
}

static void losses_fall_and_pads_stay_zero(void **state)
{
    (void)state;
    const char *what;
    for (int v = 0; variant(v, &what), what; v++) {
        model_fixture f;
        double loss[12];
        ql_ae_config c = variant(v, &what);
        model_new(&f, &c, (model_shape){.cells = 100, .genes = 150, .batch_size = 32, .seed = 32});
        train(&f, 32, 12, loss);
        if (!(loss[11] < loss[0])) fail_msg("%s: %g, then %g", what, loss[0], loss[11]);
        for (int i = 0; i < f.ae.params.n_tensors; i++) {
            const ql_tensor *t = &f.ae.params.tensor[i];
            for (int64_t k = 0; k < t->rows * t->ld; k++) {
                ql_real w = f.ae.params.w[t->offset + k];
                if (k % t->ld >= t->cols && w != 0)
                    fail_msg("%s: %s has a pad that is not 0", what, t->name);
                if (t->nonnegative && w < 0) fail_msg("%s: %s is negative", what, t->name);
            }
        }
        model_free(&f);
    }
}

static void weights_out_of_the_code_have_length_one(void **state)
{
    (void)state;
    const char *what;
    for (int v = 2; v <= 4; v += 2) {
        model_fixture f;
        double loss[2];
        ql_ae_config c = variant(v, &what);
        const bool last = v == 4;
        model_new(&f, &c, (model_shape){.cells = 100, .genes = 150, .batch_size = 32, .seed = 32});
        train(&f, 32, 2, loss);
        for (int64_t u = 0; u < f.ae.hidden[f.ae.center].n_out; u++) {
            double length = 0;
            for (int i = 0; i < f.ae.params.n_tensors; i++) {
                const ql_tensor *t = &f.ae.params.tensor[i];
                bool reads = last ? t->cols == c.hidden[f.ae.center] && t->rows == f.ae.n_genes
                                  : !strcmp(t->name, "dec1/weight");
                for (int64_t r = 0; r < t->rows && reads; r++)
                    length += pow((double)f.ae.params.w[t->offset + r * t->ld + u], 2);
            }
            assert_true(fabs(length - 1) < 1e-5);
        }
        model_free(&f);
    }
}

/* Largest element of |W W' - 1|, a unit's weights being a row of W, or a column. */
static double off_orthonormal(const ql_params *p, int tensor, bool columns)
{
    const ql_tensor *t = &p->tensor[tensor];
    const ql_real *w = ql_param(p, tensor);
    const int64_t units = columns ? t->cols : t->rows, n = columns ? t->rows : t->cols;
    const int64_t across = columns ? 1 : t->ld, along = columns ? t->ld : 1;
    double most = 0;
    for (int64_t u = 0; u < units; u++)
        for (int64_t v = 0; v < units; v++) {
            double sum = u == v ? -1 : 0;
            for (int64_t k = 0; k < n; k++)
                sum += (double)w[u * across + k * along] * (double)w[v * across + k * along];
            most = fmax(most, fabs(sum));
        }
    return most;
}

static void encoders_become_orthonormal(void **state)
{
    (void)state;
    model_fixture f;
    double loss[80], before;
    ql_ae_config c = model_config("nb", 5, mirror);
    c.optimizer = ql_opt_rule_find("adam");
    c.rate = 0.01;
    c.mean_loss = false;
    c.orthogonal = 100;
    model_new(&f, &c, (model_shape){.cells = 100, .genes = 150, .batch_size = 32, .seed = 32});
    before = off_orthonormal(&f.ae.params, f.ae.input.weight, true);
    train(&f, 32, 80, loss);
    double input = off_orthonormal(&f.ae.params, f.ae.input.weight, true);
    print_message("input: %.3f, then %.3f\n", before, input);
    assert_true(before > 0.3 && input < 0.1);
    for (int i = 1; i <= 2; i++)
        assert_true(off_orthonormal(&f.ae.params, f.ae.hidden[i].weight, false) < 0.1);
    assert_true(off_orthonormal(&f.ae.params, f.ae.hidden[3].weight, false) > 0.3);
    model_free(&f);
}

/* There is one set of weights, and it moves by both gradients. */
static void tied_weights_are_shared(void **state)
{
    (void)state;
    model_fixture f;
    const char *what;
    double loss[1];
    ql_ae_config c = variant(1, &what);
    model_new(&f, &c, (model_shape){.cells = 60, .genes = 50, .seed = 33});
    for (int i = 0; i < f.ae.params.n_tensors; i++) {
        const char *name = f.ae.params.tensor[i].name;
        assert_null(strstr(name, "dec1/weight"));
        assert_string_not_equal(name, "mean/weight");
    }
    assert_int_equal(f.ae.heads.weight[QL_HEAD_MEAN], f.ae.input.weight);
    assert_int_equal(f.ae.hidden[3].weight, f.ae.hidden[2].weight);
    assert_int_equal(f.ae.hidden[4].weight, f.ae.hidden[1].weight);
    train(&f, f.n, 1, loss);
    model_free(&f);
}

static void memory_is_planned_and_steps_take_none(void **state)
{
    (void)state;
    const char *what;
    for (int v = 0; variant(v, &what), what; v++) {
        model_fixture f;
        double loss[2];
        ql_ae_config c = variant(v, &what);
        model_shape shape = {.cells = 120, .genes = 300, .batch_size = 120, .seed = 35};
        int64_t before = ql_alloc_bytes();
        model_new(&f, &c, shape);
        ql_ae_sizes sizes = {.n_genes = f.ae.n_genes,
                             .max_row_nnz = ql_csr_max_row(&f.counts),
                             .batch_size = 120,
                             .n_threads = 1};
        train(&f, 120, 1, loss);
        int64_t start = ql_alloc_count();
        train(&f, 120, 1, loss);
        int64_t whole = ql_alloc_count() - start;
        train(&f, 7, 1, loss);
        assert_int_equal(ql_alloc_count() - start - whole, whole);
        int64_t with = ql_alloc_bytes();
        ql_ae_free(&f.ae);
        int64_t taken = with - ql_alloc_bytes(), plan = ql_ae_bytes(&c, &sizes);
        if (taken > plan + plan / 20 + 16384 || taken < plan - plan / 5)
            fail_msg("%s: %lld bytes planned, %lld taken", what, (long long)plan, (long long)taken);
        model_free(&f);
        assert_int_equal(ql_alloc_bytes(), before);
    }
}

static void failed_allocations_release_everything(void **state)
{
    (void)state;
    const char *what;
    for (int v = 1; v < 7; v++) {
        ql_ae_config c = variant(v, &what);
        c.start_at_means = false;
        model_lacks_memory(&c, false);
    }
}

/* NaN in any weight ends the epoch, or at least makes its loss no number. */
static void weights_that_are_not_finite_are_noticed(void **state)
{
    (void)state;
    const char *what;
    for (int v = 0; variant(v, &what), what; v++) {
        ql_ae_config c = variant(v, &what);
        c.dropout = 0;
        c.n_dropouts = 0;
        for (int i = 0;; i++) {
            model_fixture f;
            double loss;
            model_new(&f, &c, (model_shape){.cells = 40, .genes = 30, .seed = 37});
            bool more = i < f.ae.params.n_tensors;
            if (more && f.ae.params.tensor[i].trained) {
                const ql_tensor *t = &f.ae.params.tensor[i];
                ql_batch_source source = {.counts = ROWS_OF(&f.counts)};
                f.ae.params.w[t->offset + t->cols - 1] = (ql_real)NAN;
                ql_status st = ql_ae_train_epoch(&f.ae, &source, f.rows, f.n, f.n, &loss, NULL);
                if (st != QL_EDIVERGED) fail_msg("%s: NaN in %s is not noticed", what, t->name);
            }
            model_free(&f);
            if (!more) break;
        }
    }
}

static void refused(ql_ae_config c, const char *text)
{
    ql_err err = {0};
    assert_int_equal(ql_ae_check(&c, &err), QL_EUSAGE);
    if (!strstr(err.msg, text)) fail_msg("'%s' does not say '%s'", err.msg, text);
}

static void contradictions_are_refused(void **state)
{
    (void)state;
    static const int64_t skewed[] = {8, 4, 9}, even[] = {8, 4};
    ql_ae_config c = model_config("nb", 3, skewed);
    assert_int_equal(ql_ae_check(&c, NULL), QL_OK);
    c.tied = true;
    refused(c, "--tied");
    c = model_config("nb", 2, even);
    c.tied = true;
    refused(c, "--tied");
    c = model_config("nb", 3, skewed);
    c.code_k = 5;
    refused(c, "--code-k 5");
    c.code_k = 4;
    assert_int_equal(ql_ae_check(&c, NULL), QL_OK);
    c.code_kl = 1;
    refused(c, "--code-kl");
    c.code_act = act("sigmoid");
    assert_int_equal(ql_ae_check(&c, NULL), QL_OK);
    c.n_dropouts = 2;
    refused(c, "--dropout");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_and_processors_change_no_bit),
        cmocka_unit_test(losses_fall_and_pads_stay_zero),
        cmocka_unit_test(weights_out_of_the_code_have_length_one),
        cmocka_unit_test(encoders_become_orthonormal),
        cmocka_unit_test(tied_weights_are_shared),
        cmocka_unit_test(memory_is_planned_and_steps_take_none),
        cmocka_unit_test(failed_allocations_release_everything),
        cmocka_unit_test(weights_that_are_not_finite_are_noticed),
        cmocka_unit_test(contradictions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
