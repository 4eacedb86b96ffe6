/* Hidden layers: batch norm, dropout, transposition, update of a part of a tensor. (Their gradients
 * are checked in float64, with the whole network.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/code.h"
#include "quell/hidden.h"
#include "quell/init.h"

#include "fixture_random.h"

enum { IN = 5, OUT = 7, CELLS = 21, PAD = QL_PAD };

static const ql_kern *table(void)
{
    const ql_kern *k = NULL;
    assert_int_equal(ql_kern_select(&k, NULL), QL_OK);
    return k;
}

typedef struct {
    ql_params params;
    ql_hidden layer;
    ql_real in[IN * PAD], in_t[PAD * PAD], din[IN * PAD];
} one_layer;

static void layer_of(one_layer *l, ql_hidden layer)
{
    ql_rng r = random_start(1);
    const bool norm = layer.batch_norm;
    memset(l, 0, sizeof *l);
    l->layer = layer;
    l->layer.n_in = IN;
    l->layer.n_out = OUT;
    l->layer.id = 2;
    ql_hidden_declare(&l->layer, &l->params, "enc1", true);
    assert_int_equal(ql_params_alloc(&l->params, 0, NULL), QL_OK);
    assert_int_equal(ql_hidden_alloc(&l->layer, PAD, NULL), QL_OK);
    ql_params_init(&l->params, l->layer.weight, NULL, IN, OUT, 3);
    if (norm) {
        random_fill(&r, OUT, -1, 1, ql_param(&l->params, l->layer.beta));
        for (int u = 0; u < OUT; u++) ql_param(&l->params, l->layer.var)[u] = 1;
    }
    random_fill(&r, IN * PAD, -3, 3, l->in);
    ql_transpose(IN, PAD, l->in, PAD, l->in_t, PAD);
}

static void layer_new(one_layer *l, const char *act, bool norm, double dropout)
{
    layer_of(l,
             (ql_hidden){.act = ql_activation_find(act), .batch_norm = norm, .dropout = dropout});
}

static void layer_free(one_layer *l)
{
    ql_params_free(&l->params);
    ql_hidden_free(&l->layer);
}

static void forward(one_layer *l, bool training, uint64_t step)
{
    ql_hidden_forward(&l->layer, &l->params, table(), l->in, CELLS, PAD,
                      (ql_pass){training, 11, step});
}

static double dense(const one_layer *l, int u, int cell)
{
    double sum = (double)ql_param(&l->params, l->layer.bias)[u];
    for (int i = 0; i < IN; i++)
        sum += (double)ql_param(&l->params, l->layer.weight)[u * PAD + i] *
               (double)l->in[i * PAD + cell];
    return sum;
}

static void near(double got, double want)
{
    if (!(fabs(got - want) <= 3e-6 * (1 + fabs(want)))) fail_msg("%.9g instead of %.9g", got, want);
}

static void batch_moments(const one_layer *l, int u, double *mean, double *var)
{
    *mean = *var = 0;
    for (int j = 0; j < CELLS; j++) *mean += dense(l, u, j) / CELLS;
    for (int j = 0; j < CELLS; j++) *var += pow(dense(l, u, j) - *mean, 2) / CELLS;
}

static void batch_norm_while_training(void **state)
{
    (void)state;
    static one_layer l;
    layer_new(&l, "linear", true, 0);
    forward(&l, true, 0);
    for (int u = 0; u < OUT; u++) {
        double mean, var, beta = (double)ql_param(&l.params, l.layer.beta)[u];
        batch_moments(&l, u, &mean, &var);
        for (int j = 0; j < CELLS; j++) {
            double want = (dense(&l, u, j) - mean) / sqrt(var + 1e-3) + beta;
            near((double)l.layer.pre[u * PAD + j], dense(&l, u, j));
            near((double)l.layer.out[u * PAD + j], want);
            near((double)l.layer.out_t[j * PAD + u], want);
        }
        for (int j = CELLS; j < PAD; j++) assert_true(l.layer.out[u * PAD + j] == 0);
    }
    for (int j = 0; j < PAD; j++)
        for (int u = OUT; u < PAD; u++) assert_true(l.layer.out_t[j * PAD + u] == 0);
    layer_free(&l);
}

/* Moving statistics after three known minibatches; inference uses them. Their variances are biased,
 * but with a gain those of a sample. */
static void moving_statistics(bool gain)
{
    static one_layer l;
    const double bias = gain ? (double)CELLS / (CELLS - 1) : 1;
    double moving_mean[OUT] = {0}, moving_var[OUT];
    layer_of(&l,
             (ql_hidden){.act = ql_activation_find("linear"), .batch_norm = true, .gain = gain});
    for (int u = 0; u < OUT && gain; u++) ql_param(&l.params, l.layer.gamma)[u] = 1;
    for (int u = 0; u < OUT; u++) moving_var[u] = 1;
    for (int round = 0; round < 3; round++) {
        ql_rng r = random_start(40 + (uint64_t)round);
        random_fill(&r, IN * PAD, -2, 5, l.in);
        for (int u = 0; u < OUT; u++) {
            double mean, var;
            batch_moments(&l, u, &mean, &var);
            moving_mean[u] = 0.99 * moving_mean[u] + 0.01 * mean;
            moving_var[u] = 0.99 * moving_var[u] + 0.01 * bias * var;
        }
        forward(&l, true, (uint64_t)round);
    }
    for (int u = 0; u < OUT; u++) {
        near((double)ql_param(&l.params, l.layer.mean)[u], moving_mean[u]);
        near((double)ql_param(&l.params, l.layer.var)[u], moving_var[u]);
    }
    forward(&l, false, 0);
    for (int u = 0; u < OUT; u++) {
        double beta = (double)ql_param(&l.params, l.layer.beta)[u];
        near((double)ql_param(&l.params, l.layer.var)[u], moving_var[u]); /* unmoved */
        for (int j = 0; j < CELLS; j++)
            near((double)l.layer.out[u * PAD + j],
                 (dense(&l, u, j) - moving_mean[u]) / sqrt(moving_var[u] + 1e-3) + beta);
    }
    layer_free(&l);
}

static void batch_norm_in_inference(void **state)
{
    (void)state;
    moving_statistics(false);
    moving_statistics(true);
}

/* dx and the shift's gradient from the formula, with an arbitrary gradient from above. */
static void batch_norm_backward(void **state)
{
    (void)state;
    static one_layer l;
    double dy[OUT][CELLS];
    layer_new(&l, "linear", true, 0);
    forward(&l, true, 0);
    ql_rng r = random_start(5);
    memset(l.layer.grad, 0, OUT * PAD * sizeof(ql_real));
    for (int u = 0; u < OUT; u++)
        for (int j = 0; j < CELLS; j++)
            l.layer.grad[u * PAD + j] = (ql_real)(dy[u][j] = random_normal(&r));
    ql_optimizer opt;
    ql_opt_start(&opt, ql_opt_rule_find("sgd"), table(), 1, 0, 0);
    ql_opt_step step = ql_opt_next(&opt);
    ql_real beta[OUT];
    memcpy(beta, ql_param(&l.params, l.layer.beta), sizeof beta);
    ql_hidden_backward(&l.layer, &l.params, table(), l.in_t, l.din, CELLS, PAD, &step);
    for (int u = 0; u < OUT; u++) {
        double mean, var, a = 0, b = 0;
        batch_moments(&l, u, &mean, &var);
        for (int j = 0; j < CELLS; j++) {
            a += dy[u][j];
            b += dy[u][j] * (double)l.layer.norm[u * PAD + j];
        }
        near((double)(beta[u] - ql_param(&l.params, l.layer.beta)[u]), a);
        for (int j = 0; j < CELLS; j++) {
            double x = (double)l.layer.norm[u * PAD + j];
            near((double)l.layer.grad[u * PAD + j],
                 (dy[u][j] - a / CELLS - x * b / CELLS) * (double)l.layer.inv_sd[u]);
        }
        for (int j = CELLS; j < PAD; j++) assert_true(l.layer.grad[u * PAD + j] == 0);
    }
    layer_free(&l);
}

/* ---- dropout ---- */

static void dropout_drops_and_scales(void **state)
{
    (void)state;
    static one_layer l, plain;
    layer_new(&l, "elu", false, 0.25);
    layer_new(&plain, "elu", false, 0);
    int dropped = 0, n = 0;
    for (uint64_t step = 0; step < 40; step++) {
        forward(&l, true, step);
        forward(&plain, true, step);
        for (int u = 0; u < OUT; u++) {
            for (int j = 0; j < CELLS; j++, n++) {
                double got = (double)l.layer.out[u * PAD + j],
                       whole = (double)plain.layer.out[u * PAD + j];
                dropped += got == 0;
                if (got != 0) near(got, whole / 0.75);
            }
        }
    }
    assert_true(fabs(dropped - 0.25 * n) < 5 * sqrt(0.1875 * n));
    forward(&l, false, 0);
    assert_memory_equal(l.layer.out, plain.layer.out, sizeof(ql_real)); /* none in inference */
    for (int i = 0; i < OUT * PAD; i++) assert_true(isfinite((double)l.layer.out[i]));
    layer_free(&l);
    layer_free(&plain);
}

static void masks_are_keyed_by_step_and_layer(void **state)
{
    (void)state;
    static one_layer a, b;
    layer_new(&a, "linear", false, 0.5);
    layer_new(&b, "linear", false, 0.5);
    const size_t bytes = OUT * PAD * sizeof(ql_real);
    forward(&a, true, 3);
    forward(&b, true, 4);
    assert_true(memcmp(a.layer.mask, b.layer.mask, bytes) != 0);
    forward(&b, true, 3);
    assert_memory_equal(a.layer.mask, b.layer.mask, bytes);
    b.layer.id++;
    forward(&b, true, 3);
    assert_true(memcmp(a.layer.mask, b.layer.mask, bytes) != 0);
    layer_free(&a);
    layer_free(&b);
}

/* ---- activations ---- */

static double reference(const char *name, double x)
{
    const double scale = 1.0507009873554805, alpha = 1.6732632423543772;
    if (!strcmp(name, "relu")) return x > 0 ? x : 0;
    if (!strcmp(name, "linear")) return x;
    if (!strcmp(name, "leakyrelu") || !strcmp(name, "prelu")) return x > 0 ? x : 0.3 * x;
    if (!strcmp(name, "elu")) return x > 0 ? x : expm1(x);
    if (!strcmp(name, "selu")) return scale * (x > 0 ? x : alpha * expm1(x));
    if (!strcmp(name, "sigmoid")) return 1 / (1 + exp(-x));
    if (!strcmp(name, "softplus")) return fmax(x, 0) + log1p(exp(-fabs(x)));
    if (!strcmp(name, "gelu")) return x * 0.5 * erfc(-x / sqrt(2));
    assert_string_equal(name, "tanh");
    return tanh(x);
}

/* f, f' and f'' against the C library's f and its central differences. */
static void activations_follow_their_formulas(void **state)
{
    (void)state;
    enum { N = 1024 };
    const ql_real slope = (ql_real)0.3;
    ql_real x[N], y[N], dy[N], dx[N], d2[N]; /* dx, d2: dy before, times the derivative after */
    ql_rng r = random_start(6);
    for (int a = 0; ql_activations[a]; a++) {
        const ql_activation *act = ql_activations[a];
        assert_ptr_equal(ql_activation_find(act->name), act);
        random_fill(&r, N, -12, 12, x);
        random_fill(&r, N, -2, 2, dy);
        x[0] = 50;
        x[1] = -50;
        act->forward(table(), slope, N, x, y);
        memcpy(dx, dy, sizeof dx);
        memcpy(d2, dy, sizeof d2);
        act->backward(table(), slope, N, x, y, dx);
        act->second(table(), slope, N, x, y, d2);
        for (int i = 0; i < N; i++) {
            double at = (double)x[i], h = 1e-6 * (1 + fabs(at)), H = 2e-4;
            double up = reference(act->name, at + H), down = reference(act->name, at - H);
            double first = (reference(act->name, at + h) - reference(act->name, at - h)) / (2 * h);
            double second = (up + down - 2 * reference(act->name, at)) / (H * H);
            near((double)y[i], reference(act->name, at));
            near((double)dx[i], (double)dy[i] * first);
            if (fabs(at) > H && !(fabs((double)d2[i] - (double)dy[i] * second) <= 1e-5))
                fail_msg("%s'' at %g: %g, not %g", act->name, at, (double)d2[i],
                         (double)dy[i] * second);
        }
        for (int i = 0; i < N; i++) x[i] = (ql_real)NAN;
        act->forward(table(), slope, N, x, y);
        assert_true(isnan((double)y[0])); /* how a run notices */
    }
    assert_null(ql_activation_find("swish"));
}

/* ---- layer norm, masks, weights ---- */

static void layer_norm_is_over_the_units(void **state)
{
    (void)state;
    static one_layer l;
    layer_of(&l, (ql_hidden){.act = ql_activation_find("linear"), .layer_norm = true});
    for (int u = 0; u < OUT; u++) {
        ql_param(&l.params, l.layer.gamma)[u] = (ql_real)(1 + 0.1 * u);
        ql_param(&l.params, l.layer.beta)[u] = (ql_real)(0.2 * u);
    }
    for (int training = 0; training < 2; training++) {
        forward(&l, training, 0);
        for (int j = 0; j < CELLS; j++) {
            double mean = 0, var = 0;
            for (int u = 0; u < OUT; u++) mean += dense(&l, u, j) / OUT;
            for (int u = 0; u < OUT; u++) var += pow(dense(&l, u, j) - mean, 2) / OUT;
            for (int u = 0; u < OUT; u++)
                near((double)l.layer.out[u * PAD + j],
                     (dense(&l, u, j) - mean) / sqrt(var + 1e-5) * (1 + 0.1 * u) + 0.2 * u);
        }
    }
    layer_free(&l);
}

static void the_largest_units_pass(void **state)
{
    (void)state;
    enum { K = 3 };
    static one_layer l;
    layer_of(&l, (ql_hidden){.act = ql_activation_find("linear"), .keep_largest = K});
    for (int i = 0; i < IN; i++) /* equal units: 1, 3 and 4 */
        for (int u = 3; u < 5; u++)
            ql_param(&l.params, l.layer.weight)[u * PAD + i] =
                ql_param(&l.params, l.layer.weight)[PAD + i];
    for (int training = 0; training < 2; training++) {
        forward(&l, training, 0);
        for (int j = 0; j < CELLS; j++)
            for (int u = 0; u < OUT; u++) {
                int before = 0;
                for (int v = 0; v < OUT; v++)
                    before += l.layer.pre[v * PAD + j] > l.layer.pre[u * PAD + j] ||
                              (v < u && l.layer.pre[v * PAD + j] == l.layer.pre[u * PAD + j]);
                ql_real want = before < K ? l.layer.pre[u * PAD + j] : 0;
                assert_true(l.layer.out[u * PAD + j] == want);
            }
    }
    /* what is no number passes before all, so that it is noticed */
    ql_param(&l.params, l.layer.bias)[OUT - 1] = (ql_real)NAN;
    forward(&l, true, 0);
    for (int j = 0; j < CELLS; j++) assert_true(isnan((double)l.layer.out[(OUT - 1) * PAD + j]));
    layer_free(&l);
}

static void weights_stay_at_zero_or_above(void **state)
{
    (void)state;
    ql_params p = {0};
    int t = ql_params_add(&p, "w", 1, QL_PAD, true);
    assert_int_equal(ql_params_alloc(&p, 2, NULL), QL_OK);
    p.tensor[t].nonnegative = true;
    ql_real grad[QL_PAD];
    for (int i = 0; i < QL_PAD; i++) {
        p.w[i] = 1;
        grad[i] = (ql_real)i / 8;
    }
    ql_optimizer opt;
    ql_opt_start(&opt, ql_opt_rule_find("sgd"), table(), 0.5, 0, 0);
    ql_opt_step step = ql_opt_next(&opt);
    ql_params_update(&p, t, 0, 1, grad, &step);
    for (int i = 0; i < QL_PAD; i++) near((double)p.w[i], i < 16 ? 1 - i / 16.0 : 0);
    ql_params_free(&p);
}

/* A mean of 0 or 1 counts as one next to it, whose penalty has an end, and is not moved by it. */
static void a_code_at_its_bounds_is_not_moved(void **state)
{
    (void)state;
    enum { N = 3, UNITS = 2 };
    const double least = 1e-6, rho = 0.1;
    ql_real out_t[N * QL_PAD] = {0}, grad[UNITS * QL_PAD] = {0};
    ql_hidden h = {.n_out = UNITS, .out_t = out_t, .grad = grad};
    for (int i = 0; i < N; i++) out_t[i * QL_PAD + 1] = 1;
    const double penalty = ql_code_penalty(&(ql_code_rule){.kl = 2, .rho = rho}, &h, N, QL_PAD);
    near(penalty,
         2 * (2 * rho * log(rho) + 2 * (1 - rho) * log(1 - rho) - log(least) - log(1 - least)));
    for (int i = 0; i < UNITS * QL_PAD; i++) assert_true(grad[i] == 0);
}

static void columns_get_length_one(void **state)
{
    (void)state;
    ql_params p = {0};
    int t[2] = {ql_params_add(&p, "a", 5, 7, true), ql_params_add(&p, "b", 3, 7, true)};
    double scratch[7], length[7] = {0}, before[7];
    ql_rng r = random_start(4);
    assert_int_equal(ql_params_alloc(&p, 0, NULL), QL_OK);
    for (int64_t row = 0; row < 8; row++) random_fill(&r, 6, -2, 2, p.w + row * QL_PAD);
    for (int u = 0; u < 6; u++) before[u] = (double)p.w[u] / (double)p.w[7 * QL_PAD + u];
    ql_unit_columns(&p, t, 2, 7, scratch);
    for (int64_t i = 0; i < p.size; i++)
        if (i % QL_PAD < 7) length[i % QL_PAD] += (double)p.w[i] * (double)p.w[i];
    for (int u = 0; u < 6; u++) {
        near(length[u], 1);
        near((double)p.w[u] / (double)p.w[7 * QL_PAD + u], before[u]);
    }
    assert_true(length[6] == 0);
    ql_params_free(&p);
}

/* ---- helpers ---- */

static void transposition(void **state)
{
    (void)state;
    enum { R = 19, C = 37, LDS = 48, LDD = 32 };
    ql_real x[R * LDS], y[(C + 1) * LDD];
    ql_rng r = random_start(7);
    random_fill(&r, R * LDS, -1, 1, x);
    random_fill(&r, (C + 1) * LDD, 5, 6, y);
    ql_transpose(R, C, x, LDS, y, LDD);
    for (int j = 0; j < C; j++)
        for (int i = 0; i < LDD; i++) assert_true(y[j * LDD + i] == (i < R ? x[i * LDS + j] : 0));
    for (int i = 0; i < LDD; i++) assert_true(y[C * LDD + i] >= 5);
}

static void rows_of_a_tensor_are_updated(void **state)
{
    (void)state;
    ql_params p = {0};
    int t = ql_params_add(&p, "w", 6, 20, true);
    assert_int_equal(ql_params_alloc(&p, 2, NULL), QL_OK);
    assert_int_equal(p.tensor[t].ld, 32);
    p.tensor[t].l2 = (ql_real)0.5;
    for (int64_t i = 0; i < p.size; i++) p.w[i] = 1;
    ql_real grad[2 * 32];
    for (int i = 0; i < 2 * 32; i++) grad[i] = (ql_real)0.25;
    ql_optimizer opt;
    ql_opt_start(&opt, ql_opt_rule_find("sgd"), table(), 0.5, 0, 0);
    ql_opt_step step = ql_opt_next(&opt);
    ql_params_update(&p, t, 3, 2, grad, &step);
    for (int64_t i = 0; i < p.size; i++)
        assert_true(p.w[i] ==
                    (ql_real)(i / 32 == 3 || i / 32 == 4 ? 1 - 0.5 * (0.25 + 2 * 0.5) : 1));
    ql_params_free(&p);
}

/* Weight decay is for tensors that decay: w - rate * decay * w, apart from the gradient. */
static void only_some_tensors_decay(void **state)
{
    (void)state;
    ql_params p = {0};
    int kernel = ql_params_add(&p, "w", 2, QL_PAD, true);
    int bias = ql_params_add(&p, "b", 1, QL_PAD, true);
    assert_int_equal(ql_params_alloc(&p, 2, NULL), QL_OK);
    p.tensor[kernel].decays = true;
    for (int64_t i = 0; i < p.size; i++) p.w[i] = 1;
    ql_real grad[2 * QL_PAD] = {0};
    ql_optimizer opt;
    ql_opt_start(&opt, ql_opt_rule_find("sgd"), table(), 0.5, 0, 0.25);
    ql_opt_step step = ql_opt_next(&opt);
    ql_params_update(&p, kernel, 0, 2, grad, &step);
    ql_params_update(&p, bias, 0, 1, grad, &step);
    for (int64_t i = 0; i < p.size; i++)
        assert_true(p.w[i] == (i < 2 * QL_PAD ? (ql_real)(1 - 0.5 * 0.25) : 1));
    ql_params_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batch_norm_while_training),
        cmocka_unit_test(batch_norm_in_inference),
        cmocka_unit_test(batch_norm_backward),
        cmocka_unit_test(dropout_drops_and_scales),
        cmocka_unit_test(masks_are_keyed_by_step_and_layer),
        cmocka_unit_test(activations_follow_their_formulas),
        cmocka_unit_test(layer_norm_is_over_the_units),
        cmocka_unit_test(the_largest_units_pass),
        cmocka_unit_test(weights_stay_at_zero_or_above),
        cmocka_unit_test(a_code_at_its_bounds_is_not_moved),
        cmocka_unit_test(columns_get_length_one),
        cmocka_unit_test(transposition),
        cmocka_unit_test(rows_of_a_tensor_are_updated),
        cmocka_unit_test(only_some_tensors_decay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
