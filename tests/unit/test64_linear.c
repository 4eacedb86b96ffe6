/* Reconstruction of the scaled input in float64. A linear autoencoder is principal component
 * analysis: what it converges to is known exactly (Baldi and Hornik 1989; with penalties Kunin et
 * al. 2019), and is computed here by power iteration on the dense matrix. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "fixture_model.h"

enum { CELLS = 90, GENES = 24, CODE = 3 };

typedef struct {
    model_fixture model;
    int64_t cells, genes;
    double z[CELLS * GENES];         /* scaled inputs */
    double vector[CODE][GENES];      /* of the scatter z'z, in order */
    double value[CODE], rest, total; /* its eigenvalues; sum of those left over; trace */
} problem;

static void dense_inputs(problem *p)
{
    const model_fixture *f = &p->model;
    p->cells = f->n;
    p->genes = f->prep.n_kept_genes;
    p->total = 0;
    for (int64_t i = 0; i < f->n; i++) {
        double *z = p->z + i * p->genes, size = f->prep.total[f->rows[i]] / f->prep.median_total;
        const ql_csr *m = &f->counts;
        for (int64_t g = 0; g < p->genes; g++) z[g] = (double)f->prep.shift[g];
        for (int64_t k = m->indptr[f->rows[i]]; k < m->indptr[f->rows[i] + 1]; k++)
            z[m->indices[k]] +=
                log1p((double)m->data[k] / size) * (double)f->prep.inv_sd[m->indices[k]];
        for (int64_t g = 0; g < p->genes; g++) p->total += z[g] * z[g];
    }
}

static void times_scatter(const problem *p, const double *v, double *out)
{
    for (int64_t g = 0; g < p->genes; g++) out[g] = 0;
    for (int64_t i = 0; i < p->cells; i++) {
        double s = 0;
        for (int64_t g = 0; g < p->genes; g++) s += p->z[i * p->genes + g] * v[g];
        for (int64_t g = 0; g < p->genes; g++) out[g] += s * p->z[i * p->genes + g];
    }
}

static void eigenvectors(problem *p)
{
    ql_rng r = random_start(4);
    p->rest = p->total;
    for (int k = 0; k < CODE; k++) {
        double *v = p->vector[k], w[GENES], norm = 1;
        for (int64_t g = 0; g < p->genes; g++) v[g] = random_normal(&r);
        for (int again = 0; again < 3000; again++) {
            for (int j = 0; j < k; j++) {
                double dot = 0;
                for (int64_t g = 0; g < p->genes; g++) dot += v[g] * p->vector[j][g];
                for (int64_t g = 0; g < p->genes; g++) v[g] -= dot * p->vector[j][g];
            }
            times_scatter(p, v, w);
            norm = 0;
            for (int64_t g = 0; g < p->genes; g++) norm += w[g] * w[g];
            norm = sqrt(norm);
            for (int64_t g = 0; g < p->genes; g++) v[g] = w[g] / norm;
        }
        p->value[k] = norm;
        p->rest -= norm;
    }
}

/* Full batches of Adam at falling rates; returns the loss per entry. */
static double converge(problem *p, double l2)
{
    static const struct {
        double rate;
        int epochs;
    } plan[] = {{0.01, 1500}, {0.003, 1000}, {0.001, 1000}, {1e-4, 800}, {1e-5, 400}};
    const int64_t code[] = {CODE};
    ql_ae_config c = model_config("nb", 1, code);
    double loss = 0;
    c.likelihood = &ql_gaussian;
    c.act = ql_activation_find("linear");
    c.batch_norm = false;
    c.mean_loss = false;
    c.optimizer = ql_opt_rule_find("adam");
    c.rate = plan[0].rate;
    c.l2 = l2;
    model_new(&p->model, &c, (model_shape){.cells = CELLS, .genes = GENES, .seed = 12});
    ql_batch_source source = {.counts = ROWS_OF(&p->model.counts), .target_input = true};
    for (size_t s = 0; s < sizeof plan / sizeof *plan; s++) {
        p->model.ae.opt.rate = plan[s].rate;
        for (int e = 0; e < plan[s].epochs; e++)
            assert_int_equal(ql_ae_train_epoch(&p->model.ae, &source, p->model.rows, p->model.n,
                                               p->model.n, &loss, NULL),
                             QL_OK);
    }
    dense_inputs(p);
    eigenvectors(p);
    return loss;
}

static problem p;

/* Length of the decoder's image of the k-th principal component: |W2' v|. */
static double along(const double *v)
{
    const ql_ae *ae = &p.model.ae;
    const double *w = ql_param(&ae->params, ae->heads.weight[QL_HEAD_MEAN]);
    double sum = 0;
    for (int c = 0; c < CODE; c++) {
        double x = 0;
        for (int64_t g = 0; g < p.genes; g++) x += v[g] * w[g * QL_PAD + c];
        sum += x * x;
    }
    return sqrt(sum);
}

static double decoder_norm(void)
{
    const ql_ae *ae = &p.model.ae;
    const double *w = ql_param(&ae->params, ae->heads.weight[QL_HEAD_MEAN]);
    double sum = 0;
    for (int64_t g = 0; g < p.genes; g++)
        for (int c = 0; c < CODE; c++) sum += w[g * QL_PAD + c] * w[g * QL_PAD + c];
    return sqrt(sum);
}

/* The loss is the sum of the eigenvalues left over; the decoder lies in the leading eigenspace. */
static void a_linear_autoencoder_is_pca(void **state)
{
    (void)state;
    double loss = converge(&p, 0), inside = 0;
    double want = p.rest / (double)(p.cells * p.genes);
    print_message("loss %.9g, eigenvalues left over %.9g\n", loss, want);
    assert_true(p.rest > 0.1 * p.total && p.rest < 0.9 * p.total);
    assert_true(loss >= want * (1 - 1e-9) && loss < want * (1 + 1e-5));
    for (int k = 0; k < CODE; k++) inside += along(p.vector[k]) * along(p.vector[k]);
    double outside = 1 - inside / (decoder_norm() * decoder_norm());
    print_message("share of the decoder outside the leading eigenspace %.2g\n", outside);
    assert_true(outside < 1e-5);
    model_free(&p.model);
}

/* With l2 on both factors the singular values of the decoder are known too: its left singular
 * vectors are the components, with sqrt(1 - l / value). The loss is a mean over cells of sums, so l
 * is l2 times the cells. */
static void penalties_order_the_components(void **state)
{
    (void)state;
    const double l2 = 0.3;
    converge(&p, l2);
    for (int k = 0; k < CODE; k++) {
        double want = 1 - l2 * (double)p.cells / p.value[k];
        print_message("component %d: %.6g, should be %.6g\n", k, along(p.vector[k]),
                      sqrt(fmax(0, want)));
        assert_true(want > 0.1 && fabs(along(p.vector[k]) - sqrt(want)) < 1e-3);
    }
    model_free(&p.model);
}

/* The kernel on one entry: loss and gradient of its formula, with and without a count. */
static void squared_error(void **state)
{
    (void)state;
    const ql_lik_kern *k = ql_gaussian.kernel(ql_kern_find("scalar"));
    for (int again = 0; again < 40; again++) {
        double mean[QL_PAD], list[QL_PAD], y[QL_PAD], weight[QL_PAD], loss[QL_PAD] = {0},
                                                                      more[QL_PAD];
        for (int i = 0; i < QL_PAD; i++) {
            mean[i] = list[i] = 0.3 * again - 6 + 0.01 * i;
            y[i] = 0.25 * (again % 7) + 0.1;
            weight[i] = 0.5;
        }
        double a = mean[5], target = y[5];
        ql_lik_args args = {.n = 1, .ld = QL_PAD, .mean = mean, .weight = weight, .loss = loss};
        k->sweep(&args);
        ql_lik_args entries = {
            .n = QL_PAD, .mean = list, .weight = weight, .count = y, .loss = more};
        k->list(&entries);
        assert_true(fabs(loss[5] - ql_gaussian.nll(0, a, 0, 0)) < 1e-13);
        assert_true(fabs(loss[5] + more[5] - ql_gaussian.nll(target, a, 0, 0)) < 1e-13);
        assert_true(fabs(mean[5] - a) < 1e-13 && fabs(list[5] - (a - target)) < 1e-13);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(squared_error),
        cmocka_unit_test(a_linear_autoencoder_is_pca),
        cmocka_unit_test(penalties_order_the_components),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
