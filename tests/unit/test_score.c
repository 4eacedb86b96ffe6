/* Scores against the definition, computed naively in float64 from the same predictions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "quell/estimate.h"
#include "quell/score.h"

#include "fixture_model.h"
#include "fixture_rows.h"

static const int64_t bottle[] = {8, 3, 8};

/* A trained model, its cells' molecules in two parts, and what it predicts from the first. */
typedef struct {
    model_fixture model;
    ql_csr seen, held;
    double *gene_total;
    int64_t n, genes;
    double *mean, *theta; /* [cells, genes] */
} task;

static void keep_tile(void *ctx, const ql_ae_tile *t)
{
    task *s = ctx;
    for (int64_t g = 0; g < t->genes.count; g++) {
        for (int64_t i = 0; i < t->n; i++) {
            int64_t to = (t->first_row + t->first + i) * s->genes + t->genes.first + g;
            s->mean[to] = (double)t->mean[g * t->ld + i];
            s->theta[to] = t->theta ? (double)t->theta[g * t->ld + i] : 0;
        }
    }
}

static void task_new(task *s, const char *likelihood, int threads, bool match_depth)
{
    ql_ae_config c = model_config(likelihood, 3, bottle);
    ql_err err = {0};
    double loss;
    c.optimizer = ql_opt_rule_find("adam");
    c.rate = 0.02;
    c.mean_loss = false;
    c.match_depth = match_depth;
    *s = (task){0};
    model_new(&s->model, &c,
              (model_shape){.cells = 70,
                            .genes = 150,
                            .batch_size = 24,
                            .threads = threads,
                            .separate = true,
                            .seed = 51,
                            .isa = ql_kern_isa_name()});
    ql_batch_source all = {.counts = ROWS_OF(&s->model.counts)};
    for (int e = 0; e < 5; e++)
        assert_int_equal(
            ql_ae_train_epoch(&s->model.ae, &all, s->model.rows, s->model.n, 24, &loss, &err),
            QL_OK);
    assert_int_equal(ql_thin_rows(ROWS_OF(&s->model.counts), s->model.rows, s->model.n, 0.1, 1,
                                  QL_RNG_THIN, &s->seen, &s->held, &err),
                     QL_OK);
    s->n = s->model.n;
    s->genes = s->model.ae.n_genes;
    assert_int_equal(QL_NEW(s->gene_total, s->genes, "totals", &err), QL_OK);
    assert_int_equal(QL_NEW(s->mean, s->n * s->genes, "means", &err), QL_OK);
    assert_int_equal(QL_NEW(s->theta, s->n * s->genes, "thetas", &err), QL_OK);
    ql_csr_sums(&s->seen, NULL, s->gene_total);
    int64_t rows[128];
    for (int64_t i = 0; i < s->n; i++) rows[i] = i;
    ql_batch_source source = {.counts = ROWS_OF(&s->seen), .targets = ROWS_OF(&s->held)};
    const ql_ae_visitor visitor = {.tile = keep_tile, .ctx = s};
    assert_int_equal(ql_ae_visit(&s->model.ae, &source, rows, s->n, 0, &visitor, &err), QL_OK);
}

static void task_free(task *s)
{
    ql_csr_free(&s->seen);
    ql_csr_free(&s->held);
    ql_free(s->gene_total);
    ql_free(s->mean);
    ql_free(s->theta);
    model_free(&s->model);
}

static double at(const ql_csr *m, int64_t row, int64_t col)
{
    for (int64_t k = m->indptr[row]; k < m->indptr[row + 1]; k++)
        if (m->indices[k] == col) return (double)m->data[k];
    return 0;
}

static double sum_of(const ql_csr *m)
{
    double s = 0;
    for (int64_t k = 0; k < ql_csr_nnz(m); k++) s += (double)m->data[k];
    return s;
}

static double predicted(const task *s, int which, int64_t i, int64_t g, const float *theta,
                        double n_seen, double total)
{
    double mu = fmax(s->mean[i * s->genes + g], 0), x = at(&s->seen, i, g);
    double t = theta ? (double)theta[g] : s->theta[i * s->genes + g];
    switch (which) {
    case QL_PRED_MEAN:
        return mu;
    case QL_PRED_POSTERIOR:
        return t > 0 ? mu * (x + t) / (mu + t) : mu;
    case QL_PRED_BASE:
        return n_seen * (s->gene_total[g] + 1e-9) / total;
    default:
        return x;
    }
}

typedef struct {
    double log_lik, mass, gain, deviance, stderr_gain;
} line;

/* log-likelihood of one cell's held-out molecules; mass and the deviance's own terms in passing */
static double cell_line(const task *s, int which, int64_t i, const float *theta, double ratio,
                        double total, line *l)
{
    double n_seen = 0, sum = 0;
    for (int64_t g = 0; g < s->genes; g++) n_seen += at(&s->seen, i, g);
    for (int64_t g = 0; g < s->genes; g++) {
        double y = at(&s->held, i, g), p = predicted(s, which, i, g, theta, n_seen, total) * ratio;
        sum += y * log(fmax(p, 1e-8)) - fmax(p, 1e-8);
        l->mass += p;
        l->deviance += y > 0 ? 2 * (y * log(y) - y) : 0;
    }
    return sum;
}

static void naive(const task *s, const float *theta, double lost, line out[QL_N_PREDS])
{
    double held = sum_of(&s->held) + lost, ratio = held / sum_of(&s->seen), total = 0;
    double *cell;
    assert_int_equal(QL_NEW(cell, s->n * QL_N_PREDS, "cells", NULL), QL_OK);
    for (int64_t g = 0; g < s->genes; g++) total += s->gene_total[g];
    for (int w = 0; w < QL_N_PREDS; w++) {
        out[w] = (line){0};
        for (int64_t i = 0; i < s->n; i++)
            out[w].log_lik += cell[w * s->n + i] = cell_line(s, w, i, theta, ratio, total, &out[w]);
        out[w].log_lik += lost * log(1e-8);
        out[w].deviance = (out[w].deviance - 2 * out[w].log_lik) / held;
    }
    for (int w = 0; w < QL_N_PREDS; w++) {
        double square = 0;
        out[w].gain = (out[w].log_lik - out[QL_PRED_BASE].log_lik) / held;
        for (int64_t i = 0; i < s->n; i++) {
            double here = 0;
            for (int64_t g = 0; g < s->genes; g++) here += at(&s->held, i, g);
            square +=
                pow(cell[w * s->n + i] - cell[QL_PRED_BASE * s->n + i] - out[w].gain * here, 2);
        }
        out[w].stderr_gain = sqrt(square) / held;
    }
    ql_free(cell);
}

static void near(const char *what, int which, double got, double want)
{
    if (!(fabs(got - want) <= 1e-6 * (1 + fabs(want))))
        fail_msg("%s of prediction %d: %.9g instead of %.9g", what, which, got, want);
}

static void like_naive(task *s, const float *theta, double lost)
{
    ql_score got;
    line want[QL_N_PREDS];
    assert_int_equal(ql_score_model(&s->model.ae, &(ql_held_out){&s->seen, &s->held, NULL},
                                    s->gene_total, lost, theta, &got, NULL),
                     QL_OK);
    naive(s, theta, lost, want);
    assert_int_equal(got.n_cells, s->n);
    assert_int_equal(got.n_molecules, (int64_t)(sum_of(&s->held) + lost));
    for (int w = 0; w < QL_N_PREDS; w++) {
        near("log-likelihood", w, got.line[w].log_lik, want[w].log_lik);
        near("mass", w, got.line[w].mass, want[w].mass);
        near("gain", w, got.line[w].gain, want[w].gain);
        near("deviance", w, got.line[w].deviance, want[w].deviance);
        near("standard error", w, got.stderr_gain[w], want[w].stderr_gain);
    }
    assert_true(got.line[QL_PRED_BASE].gain == 0);
}

static void scores_are_the_definition(void **state)
{
    (void)state;
    for (int l = 0; ql_likelihoods[l]; l++) {
        task s;
        task_new(&s, ql_likelihoods[l]->name, 1, l % 2);
        like_naive(&s, NULL, 0);
        task_free(&s);
    }
}

static void thetas_may_be_given(void **state)
{
    (void)state;
    task s;
    float theta[150];
    ql_rng r = random_start(2);
    for (int g = 0; g < 150; g++) theta[g] = (float)exp(random_in(&r, -2, 4));
    task_new(&s, "poisson", 1, false);
    like_naive(&s, theta, 0);
    task_free(&s);
    task_new(&s, "nb", 1, false);
    like_naive(&s, theta, 0);
    task_free(&s);
}

/* Held-out molecules of genes the model lacks count as badly predicted as can be. */
static void lost_molecules_cost(void **state)
{
    (void)state;
    task s;
    ql_score without, with;
    task_new(&s, "nb", 1, true);
    like_naive(&s, NULL, 17);
    assert_int_equal(ql_score_model(&s.model.ae, &(ql_held_out){&s.seen, &s.held, NULL},
                                    s.gene_total, 0, NULL, &without, NULL),
                     QL_OK);
    assert_int_equal(ql_score_model(&s.model.ae, &(ql_held_out){&s.seen, &s.held, NULL},
                                    s.gene_total, 17, NULL, &with, NULL),
                     QL_OK);
    assert_true(with.line[0].log_lik < without.line[0].log_lik - 17 * 18);
    task_free(&s);
}

static void threads_change_no_bit(void **state)
{
    (void)state;
    ql_score a, b;
    task s;
    task_new(&s, "zinb-conddisp", 1, false);
    assert_int_equal(ql_score_model(&s.model.ae, &(ql_held_out){&s.seen, &s.held, NULL},
                                    s.gene_total, 0, NULL, &a, NULL),
                     QL_OK);
    task_free(&s);
    task_new(&s, "zinb-conddisp", 4, false);
    assert_int_equal(ql_score_model(&s.model.ae, &(ql_held_out){&s.seen, &s.held, NULL},
                                    s.gene_total, 0, NULL, &b, NULL),
                     QL_OK);
    task_free(&s);
    assert_memory_equal(&a, &b, sizeof a);
}

static void nothing_held_out_is_no_score(void **state)
{
    (void)state;
    task s;
    ql_score got;
    task_new(&s, "nb", 1, false);
    memset(s.held.indptr, 0, (size_t)(s.n + 1) * sizeof *s.held.indptr);
    assert_int_equal(ql_score_model(&s.model.ae, &(ql_held_out){&s.seen, &s.held, NULL},
                                    s.gene_total, 0, NULL, &got, NULL),
                     QL_OK);
    assert_int_equal(got.n_molecules, 0);
    for (int w = 0; w < QL_N_PREDS; w++)
        assert_true(got.line[w].gain == 0 && isfinite(got.stderr_gain[w]));
    task_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_the_definition),    cmocka_unit_test(thetas_may_be_given),
        cmocka_unit_test(lost_molecules_cost),          cmocka_unit_test(threads_change_no_bit),
        cmocka_unit_test(nothing_held_out_is_no_score),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
