/* Models with a second code in float64, of one unit each, so that all that is drawn can be summed
 * over a grid: ln p(x) and the codes of the prior against that. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "quell/evidence.h"
#include "quell/sampling.h"
#include "quell/vae_generative.h"
#include "quell/variational.h"

#include "fixture_vae.h"

enum { NODES = 401, UPPER_NODES = 281, CELLS = 25, LABELS = 3 };
#define REACH       10.0 /* of the grid of z1 */
#define UPPER_REACH 7.0  /* of z2 */

static double node(int k, int n, double reach)
{
    return reach * (2.0 * k / (n - 1) - 1);
}

static double density(double x, double mean, double var)
{
    return exp(-0.5 * (x - mean) * (x - mean) / var) / sqrt(6.283185307179586 * var);
}

typedef struct {
    probe p;
    annotation a;
    ql_fitted fitted;
    ql_vae_generative vae;
    ql_generative g;
    int n_labels;        /* 0: a ladder */
    const char *net;     /* of p(z1 | z2, y) */
    double exact[CELLS]; /* ln p(x) */
    double prior[LABELS][NODES];
} task;

static const double *tensor(const task *t, const char *what, int64_t *ld)
{
    char name[32];
    snprintf(name, sizeof name, "%s%s", t->net, what);
    const ql_tensor *at = ql_params_find(&t->p.model.ae.params, name);
    assert_non_null(at);
    if (ld) *ld = at->ld;
    return t->p.model.ae.params.w + at->offset;
}

/* p(z1 | z2, y) by the tensors: one layer, then the mean and v of the variance exp(v) + 1e-4. */
static void lower(const task *t, double z2, int y, double *mean, double *var)
{
    int64_t ld;
    const double *w = tensor(t, "/weight", &ld), *b = tensor(t, "/bias", NULL);
    const double *m = tensor(t, "_mean/weight", NULL), *v = tensor(t, "_var/weight", NULL);
    double raw = tensor(t, "_var/bias", NULL)[0];
    *mean = tensor(t, "_mean/bias", NULL)[0];
    for (int64_t h = 0; h < t->p.model.ae.hidden[0].n_out; h++) {
        const double out = tanh(b[h] + w[h * ld] * z2 + (t->n_labels > 0 ? w[h * ld + 1 + y] : 0));
        *mean += m[h] * out;
        raw += v[h] * out;
    }
    *var = exp(raw) + 1e-4;
}

/* p(z1 | y) on the grid. */
static void sum_over_upper(task *t)
{
    const double h = 2 * UPPER_REACH / (UPPER_NODES - 1);
    for (int y = 0; y < (t->n_labels > 0 ? t->n_labels : 1); y++)
        for (int k = 0; k < UPPER_NODES; k++) {
            const double z2 = node(k, UPPER_NODES, UPPER_REACH);
            double mean, var;
            lower(t, z2, y, &mean, &var);
            for (int j = 0; j < NODES; j++)
                t->prior[y][j] += h * density(z2, 0, 1) * density(node(j, NODES, REACH), mean, var);
        }
}

static double prior_at(const task *t, int j)
{
    if (t->n_labels == 0) return t->prior[0][j];
    double sum = 0;
    for (int y = 0; y < t->n_labels; y++) sum += t->prior[y][j] / t->n_labels;
    return sum;
}

static void sum_over_codes(task *t)
{
    static double log_lik[NODES][CELLS];
    const probe *p = &t->p;
    ql_err err = {0};
    for (int j = 0; j < NODES; j++) {
        float z[CELLS];
        for (int i = 0; i < CELLS; i++) z[i] = (float)node(j, NODES, REACH);
        ql_batch_source source = p->source;
        source.code = z;
        assert_int_equal(
            ql_ae_log_lik(&t->p.model.ae, &source, p->model.rows, p->model.n, log_lik[j], &err),
            QL_OK);
    }
    for (int64_t i = 0; i < p->model.n; i++) {
        double most = -INFINITY, sum = 0;
        for (int j = 0; j < NODES; j++) most = fmax(most, log_lik[j][i]);
        for (int j = 0; j < NODES; j++)
            sum += 2 * REACH / (NODES - 1) * prior_at(t, j) * exp(log_lik[j][i] - most);
        t->exact[i] = most + log(sum);
    }
}

static void make_constant(ql_ae *ae, const char *name, double value)
{
    const ql_tensor *t = ql_params_find(&ae->params, name);
    assert_non_null(t);
    for (int64_t i = 0; i < t->rows; i++)
        for (int64_t j = 0; j < t->cols; j++) ae->params.w[t->offset + i * t->ld + j] = value;
}

/* Weights that make the prior of the code another one than N(0, 1), and the code matter. */
static void task_new(task *t, bool scanvi)
{
    static const int64_t tiny[] = {5, 1, 5};
    ql_ae_config c = vae_config("nb", QL_THETA_GENE, 3, tiny);
    ql_err err = {0};
    c.act = ql_activation_find("tanh");
    c.batch_norm = c.norm_gain = false;
    c.vae.cov = covariates;
    c.vae.scanvi = scanvi;
    c.vae.latent2 = scanvi ? 0 : 1;
    c.label_weight = scanvi ? 2 : 0;
    *t = (task){.n_labels = scanvi ? LABELS : 0, .net = scanvi ? "lower" : "prior"};
    probe_start_with(&t->p, &c, small, 0, annotate, &t->a);
    model_shake(&t->p.model, 0.3, 8);
    /* encoders that reach wherever codes may be, and not much farther */
    make_constant(&t->p.model.ae, "center/weight", 0.05);
    make_constant(&t->p.model.ae, "variance/weight", 0);
    make_constant(&t->p.model.ae, "variance/bias", log(5));
    make_constant(&t->p.model.ae, scanvi ? "upper_var/bias" : "top_var/bias", log(3));
    make_constant(&t->p.model.ae, scanvi ? "lower_var/weight" : "prior_var/weight", 0.2);
    t->fitted.ae = t->p.model.ae; /* borrowed */
    assert_int_equal(ql_vae_generative_of(&t->fitted, &t->vae, &t->g, &err), QL_OK);
    sum_over_upper(t);
    sum_over_codes(t);
}

static void evidence(const task *t, int draws, uint64_t seed, bool encoder_only, ql_evidence *e)
{
    const ql_gen_cells cells = {.counts = &t->p.rows, .row = t->p.model.rows, .n = CELLS};
    const ql_evidence_options opt = {draws, seed, encoder_only};
    ql_err err = {0};
    assert_int_equal(ql_evidence_of(&t->g, &cells, &opt, e, &err), QL_OK);
}

/* Mean over the cells of how far off log_lik is; checked: each against its standard error. */
static double off(const task *t, const ql_evidence *e, bool checked)
{
    double sum = 0, units = 0;
    for (int i = 0; i < CELLS; i++) {
        const double d = e[i].log_lik - t->exact[i];
        sum += d / CELLS;
        units += d / e[i].log_lik_se / CELLS;
        if (checked && !(fabs(d) < 5 * e[i].log_lik_se))
            fail_msg("cell %d: %.9g +- %.2g, %.9g expected", i, e[i].log_lik, e[i].log_lik_se,
                     t->exact[i]);
    }
    assert_true(!checked || fabs(units) < 0.7);
    return sum;
}

/* Importance weights against the sum over the grid. The cells' labels are not looked at. */
static void likelihoods(void **state)
{
    (void)state;
    for (int scanvi = 0; scanvi < 2; scanvi++) {
        static task t;
        task_new(&t, scanvi);
        for (int encoder_only = 0; encoder_only < 2; encoder_only++) {
            ql_evidence few[CELLS], many[CELLS];
            evidence(&t, 4, 5, encoder_only, few);
            evidence(&t, 2048, 5, encoder_only, many);
            const double far = off(&t, few, false), near = off(&t, many, true);
            print_message("%s: %+.3f nats of 4 draws, %+.4f of 2048\n",
                          scanvi ? "scANVI" : "ladder", far, near);
            assert_true(far < -0.1 && fabs(near) < 0.02);
        }
        probe_end(&t.p);
    }
}

/* What the loss of each cell has beside -ln p(x | z), of a draw of codes and no labels. */
static void divergences(task *t, uint64_t draw, double *out)
{
    static const float no_label[] = {NAN, NAN, NAN, -1};
    const ql_cov_values cov = {.value = t->a.value, .fixed = no_label};
    ql_batch_source source = t->p.source;
    double nll[CELLS];
    ql_err err = {0};
    source.cov = &cov;
    source.draw = true;
    source.epoch = draw;
    ql_ae *ae = &t->p.model.ae;
    const int64_t *rows = t->p.model.rows;
    assert_int_equal(ql_ae_cell_loss(ae, &source, rows, CELLS, out, &err), QL_OK);
    assert_int_equal(ql_ae_cell_nll(ae, &source, rows, CELLS, NULL, nll, &err), QL_OK);
    for (int i = 0; i < CELLS; i++) out[i] -= nll[i];
}

/* The bound is the loss of the training. Of a ladder it is the expectation of ln w. */
static void bounds(void **state)
{
    (void)state;
    enum { DRAWS = 200 };
    for (int scanvi = 0; scanvi < 2; scanvi++) {
        static task t;
        ql_evidence e[CELLS], bound[CELLS];
        double kl[CELLS], sum[2][CELLS] = {{0}}, square[2][CELLS] = {{0}}, off = 0, error = 0;
        task_new(&t, scanvi);
        evidence(&t, 1024, 7, true, bound);
        for (uint64_t seed = 0; seed < DRAWS; seed++) {
            evidence(&t, 1, seed, true, e);
            divergences(&t, 5000 + seed, kl);
            for (int i = 0; i < CELLS; i++) {
                const double x[] = {e[i].log_lik, kl[i]};
                for (int k = 0; k < 2; k++) sum[k][i] += x[k] / DRAWS;
                for (int k = 0; k < 2; k++) square[k][i] += x[k] * x[k] / DRAWS;
            }
        }
        for (int i = 0; i < CELLS; i++) {
            double most[2];
            for (int k = 0; k < 2; k++)
                most[k] = 1e-6 + 6 * sqrt((square[k][i] - sum[k][i] * sum[k][i]) / DRAWS);
            assert_true(fabs(bound[i].kl - sum[1][i]) < most[1]);
            off += bound[i].kl - sum[1][i];
            error += most[1] * most[1];
            assert_true(bound[i].elbo < sum[0][i] + most[0]);
            assert_true(scanvi || bound[i].elbo > sum[0][i] - most[0]);
            assert_true(bound[i].elbo < t.exact[i]);
        }
        assert_true(fabs(off) < sqrt(error));
        probe_end(&t.p);
    }
}

/* Mean and variance of codes of the prior, of each label and of any. */
static void priors(void **state)
{
    (void)state;
    enum { N = 20000 };
    static double library[N];
    static float z[N];
    for (int i = 0; i < N; i++) library[i] = 1;
    for (int scanvi = 0; scanvi < 2; scanvi++) {
        static task t;
        task_new(&t, scanvi);
        for (int y = QL_ANY_LABEL; y < t.n_labels; y++) {
            const double h = 2 * REACH / (NODES - 1);
            double want[5] = {0}, got[3] = {0};
            ql_csr counts;
            ql_err err = {0};
            for (int j = 0; j < NODES; j++)
                for (int power = 0; power < 5; power++)
                    want[power] += h * (y < 0 ? prior_at(&t, j) : t.prior[y][j]) *
                                   pow(node(j, NODES, REACH), power);
            const ql_sampling s = {.prior = true,
                                   .label = y,
                                   .cells = {.n = N},
                                   .library = library,
                                   .batch = QL_OWN_BATCH,
                                   .seed = 3};
            assert_int_equal(ql_sample(&t.g, &s, &counts, z, &err), QL_OK);
            for (int i = 0; i < N; i++)
                for (int power = 0; power < 3; power++) got[power] += pow((double)z[i], power) / N;
            print_message("%s, label %d: mean %.3f (%.3f), square %.3f (%.3f)\n",
                          scanvi ? "scANVI" : "ladder", y, got[1], want[1], got[2], want[2]);
            assert_true(fabs(want[0] - 1) < 1e-3);
            assert_true(fabs(got[1] - want[1]) < 5 * sqrt((want[2] - want[1] * want[1]) / N));
            assert_true(fabs(got[2] - want[2]) < 5 * sqrt((want[4] - want[2] * want[2]) / N));
            ql_csr_free(&counts);
        }
        probe_end(&t.p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(likelihoods), cmocka_unit_test(bounds),
                                       cmocka_unit_test(priors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
