/* The contractive penalty against Jacobians written out unit by unit, in float64. (Its gradient is
 * in test64_gradient.c.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture_model.h"

static const model_shape small = {.cells = 5, .genes = 40, .seed = 51};

/* Loss of an epoch of one minibatch at rate 0, with the probe of this step. */
static double loss_at(model_fixture *f, uint64_t step)
{
    ql_rows rows = ql_rows_of_csr(&f->counts);
    ql_batch_source source = {.counts = &rows};
    ql_err err = {0};
    double loss;
    f->ae.step = step;
    ql_ae_start_optimizer(&f->ae, 1e-300);
    if (ql_ae_train_epoch(&f->ae, &source, f->rows, f->n, f->n, &loss, &err) != QL_OK)
        fail_msg("%s", err.msg);
    return loss;
}

static ql_ae_config contracted(int n_hidden, const int64_t *hidden, const char *act, double lambda)
{
    ql_ae_config c = model_config("poisson", n_hidden, hidden);
    c.act = ql_activation_find(act);
    c.batch_norm = false;
    c.contractive = lambda;
    return c;
}

static double weight_at(const ql_ae *ae, int tensor, int64_t row, int64_t col)
{
    return ql_param(&ae->params, tensor)[row * ae->params.tensor[tensor].ld + col];
}

/* f' of tanh and softplus from what the activation saw */
static double slope_of(const ql_hidden *h, double x)
{
    if (!strcmp(h->act->name, "tanh")) return 1 - tanh(x) * tanh(x);
    assert_string_equal(h->act->name, "softplus");
    return 1 / (1 + exp(-x));
}

/* How unit u moves with what comes into it: not at all where it is masked. */
static double moves(const ql_hidden *h, int64_t at)
{
    return slope_of(h, h->sum[at]) * (ql_hidden_has_mask(h) ? h->mask[at] : 1);
}

/* |J|^2 of a cell, J = D_L W_L ... D_1 W_1 a row at a time from the code's side. */
static double squared_jacobian(const ql_ae *ae, int64_t cell)
{
    const int64_t n_pad = ae->batch[0].n_pad;
    double sum = 0, row[64], next[64];
    for (int64_t k = 0; k < ae->hidden[ae->center].n_out; k++) {
        for (int64_t u = 0; u < 64; u++) row[u] = u == k;
        for (int i = ae->center; i >= 0; i--) {
            const ql_hidden *h = &ae->hidden[i];
            for (int64_t u = 0; u < h->n_out; u++) row[u] *= moves(h, u * n_pad + cell);
            if (i == 0) break;
            for (int64_t v = 0; v < h->n_in; v++) {
                next[v] = 0;
                for (int64_t u = 0; u < h->n_out; u++)
                    next[v] += row[u] * weight_at(ae, h->weight, u, v);
            }
            memcpy(row, next, sizeof row);
        }
        for (int64_t g = 0; g < ae->n_genes; g++) {
            double d = 0;
            for (int64_t u = 0; u < ae->hidden[0].n_out; u++)
                d += row[u] * weight_at(ae, ae->input.weight, g, u);
            sum += d * d;
        }
    }
    return sum;
}

static double mean_squared_jacobian(model_fixture *f)
{
    double sum = 0;
    loss_at(f, 0);
    for (int64_t j = 0; j < f->n; j++) sum += squared_jacobian(&f->ae, j) / (double)f->n;
    return sum;
}

static void one_layer_is_exact(void **state)
{
    (void)state;
    static const int64_t hidden[] = {6};
    const char *const acts[] = {"tanh", "softplus", "tanh"};
    const int64_t largest[] = {0, 0, 2};
    for (int a = 0; a < 3; a++) {
        model_fixture with, without;
        ql_ae_config c = contracted(1, hidden, acts[a], 0.7);
        c.code_k = largest[a];
        model_new(&with, &c, small);
        c.contractive = 0;
        model_new(&without, &c, small);
        double penalty = loss_at(&with, 0) - loss_at(&without, 0);
        double want = 0.7 * mean_squared_jacobian(&with);
        if (!(fabs(penalty - want) <= 1e-9 * want)) fail_msg("%.12g, not %.12g", penalty, want);
        model_free(&with);
        model_free(&without);
    }
}

/* The mean over probes is the squared Jacobian; one probe is not. */
static void probes_have_the_right_mean(void **state)
{
    (void)state;
    enum { PROBES = 3000 };
    static const int64_t hidden[] = {9, 4, 9}, deep[] = {9, 7, 5, 7, 9};
    for (int d = 0; d < 2; d++) {
        model_fixture with, without;
        ql_ae_config c = contracted(d ? 5 : 3, d ? deep : hidden, d ? "softplus" : "tanh", 1);
        model_new(&with, &c, small);
        c.contractive = 0;
        model_new(&without, &c, small);
        double base = loss_at(&without, 0), sum = 0, least = INFINITY, most = 0;
        for (uint64_t step = 0; step < PROBES; step++) {
            double p = loss_at(&with, step) - base;
            sum += p / PROBES;
            least = fmin(least, p);
            most = fmax(most, p);
        }
        double want = mean_squared_jacobian(&with);
        print_message("%d layers: %.5f over probes, %.5f exact\n", c.n_hidden, sum, want);
        assert_true(fabs(sum - want) <= 0.03 * want);
        assert_true(least < 0.8 * want && most > 1.2 * want);
        model_free(&with);
        model_free(&without);
    }
}

/* Genes of the second tile have the weights of the first: were the signs those of the first too,
 * probes would see twice what there is. */
static void tiles_have_signs_of_their_own(void **state)
{
    (void)state;
    enum { PROBES = 1000 };
    static const int64_t hidden[] = {9, 4, 9};
    const model_shape shape = {.cells = 5, .genes = 2 * QL_TILE, .seed = 53};
    model_fixture with, without;
    ql_ae_config c = contracted(3, hidden, "tanh", 1);
    model_new(&with, &c, shape);
    c.contractive = 0;
    model_new(&without, &c, shape);
    for (int k = 0; k < 2; k++) {
        ql_ae *ae = k ? &without.ae : &with.ae;
        const int64_t half = QL_TILE * ae->params.tensor[ae->input.weight].ld;
        ql_real *w = ql_param(&ae->params, ae->input.weight);
        memcpy(w + half, w, (size_t)half * sizeof *w);
    }
    const double base = loss_at(&without, 0);
    double sum = 0;
    for (uint64_t step = 0; step < PROBES; step++) sum += (loss_at(&with, step) - base) / PROBES;
    const double want = mean_squared_jacobian(&with);
    print_message("%.5f over probes, %.5f exact\n", sum, want);
    assert_true(fabs(sum - want) <= 0.2 * want);
    model_free(&with);
    model_free(&without);
}

/* More of the penalty makes the code move less. */
static void the_code_stiffens(void **state)
{
    (void)state;
    static const int64_t one[] = {6}, three[] = {9, 4, 9};
    for (int d = 0; d < 2; d++) {
        double last = INFINITY;
        for (double lambda = 0.01; lambda < 200; lambda *= 10) {
            model_fixture f;
            ql_ae_config c = contracted(d ? 3 : 1, d ? three : one, "tanh", lambda);
            c.optimizer = ql_opt_rule_find("adam");
            c.mean_loss = false;
            model_new(&f, &c, (model_shape){.cells = 40, .genes = 40, .seed = 52});
            ql_rows rows = ql_rows_of_csr(&f.counts);
            ql_batch_source source = {.counts = &rows};
            ql_ae_start_optimizer(&f.ae, 0.01);
            for (int i = 0; i < 300; i++) {
                double loss;
                assert_int_equal(ql_ae_train_epoch(&f.ae, &source, f.rows, f.n, f.n, &loss, NULL),
                                 QL_OK);
            }
            double size = mean_squared_jacobian(&f);
            print_message("%d layers, %g: |J|^2 %.4g\n", c.n_hidden, lambda, size);
            assert_true(size < last);
            last = size;
            model_free(&f);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_layer_is_exact),
        cmocka_unit_test(probes_have_the_right_mean),
        cmocka_unit_test(tiles_have_signs_of_their_own),
        cmocka_unit_test(the_code_stiffens),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
