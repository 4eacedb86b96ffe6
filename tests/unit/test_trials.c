/* Trials: their molecules, rungs and verdicts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "quell/trials.h"

#include "fixture_model.h"
#include "fixture_rows.h"

enum { CELLS = 120, GENES = 90, EPOCHS = 6 };

static ql_fit_options options(double rate, int64_t width)
{
    const int64_t hidden[] = {width, 4};
    ql_fit_options o = {.prep = {.log = true, .size_factors = true, .center = true, .scale = true},
                        .ae = model_config("nb", 2, hidden),
                        .train = {.epochs = EPOCHS,
                                  .batch_size = 32,
                                  .validation = 0.1,
                                  .molecules = true,
                                  .thinned = true,
                                  .restore_best = true,
                                  .seed = 3},
                        .fit_theta = true,
                        .threads = 1};
    o.ae.optimizer = ql_opt_rule_find("adam");
    o.ae.mean_loss = false;
    o.ae.linear_latent = true;
    o.ae.rate = rate;
    return o;
}

static void run(const ql_csr *counts, ql_trial *trials, int n, ql_trials_options opt,
                ql_trials_facts *facts)
{
    ql_err err = {0};
    ql_rows rows = ql_rows_of_csr(counts);
    opt.seed = 5;
    assert_int_equal(
        ql_trials_run(&rows, trials, n, &opt, ql_kern_find(ql_kern_isa_name()), facts, &err),
        QL_OK);
}

static void fill(ql_trial *trials, int n)
{
    for (int i = 0; i < n; i++) trials[i] = (ql_trial){.options = options(0.002 * (i + 1), 8 + i)};
}

static uint64_t hash_of(const ql_csr *m)
{
    uint64_t h = 1;
    for (int64_t k = 0; k < ql_csr_nnz(m); k++)
        h = (h ^ (uint64_t)m->indices[k] ^ (uint64_t)m->data[k] << 32) * UINT64_C(1099511628211);
    return h;
}

static void threads_change_no_figure(void **state)
{
    (void)state;
    enum { N = 5 };
    ql_csr counts;
    ql_trial one[N], three[N];
    ql_trials_facts facts;
    simulate_counts(CELLS, GENES, 9, &counts);
    uint64_t before = hash_of(&counts);
    fill(one, N);
    fill(three, N);
    run(&counts, one, N, (ql_trials_options){.threads = 1, .first_epochs = 2}, &facts);
    run(&counts, three, N, (ql_trials_options){.threads = 3, .first_epochs = 2}, &facts);
    assert_int_equal(hash_of(&counts), before);
    assert_int_equal(facts.n_cells, CELLS);
    assert_int_equal(facts.n_rungs, 2);
    for (int i = 0; i < N; i++) {
        assert_true(one[i].select.value == three[i].select.value);
        assert_true(one[i].report.value == three[i].report.value);
        assert_memory_equal(one[i].select.cell, three[i].select.cell, CELLS * sizeof(double));
        assert_int_equal(one[i].rung, three[i].rung);
    }
    ql_trials_free(one, N);
    ql_trials_free(three, N);
    ql_csr_free(&counts);
}

/* Two of five go on; the first trial is among them even if it is the worst. */
static void the_best_go_on_and_the_first(void **state)
{
    (void)state;
    enum { N = 5 };
    ql_csr counts;
    ql_trial trials[N];
    ql_trials_facts facts;
    int last = 0, best = 1;
    simulate_counts(CELLS, GENES, 9, &counts);
    fill(trials, N);
    trials[0].options.ae.rate = 0.3;
    run(&counts, trials, N, (ql_trials_options){.threads = 1, .first_epochs = 2}, &facts);
    for (int i = 0; i < N; i++) {
        last += trials[i].rung == 1;
        assert_int_equal(trials[i].epochs, trials[i].rung == 1 ? EPOCHS : 2);
        if (i > 0 && trials[i].rung == 1) best = i;
    }
    assert_int_equal(last, 2);
    assert_int_equal(trials[0].rung, 1);
    for (int i = 1; i < N; i++) assert_true(trials[0].select.value < trials[i].select.value);
    assert_int_equal(ql_trials_best(trials, N, &facts), best);
    ql_trials_free(trials, N);
    ql_csr_free(&counts);
}

/* The parts are a tenth of the molecules each, and a cell's figures add up to the whole. */
static void parts_are_tenths(void **state)
{
    (void)state;
    ql_csr counts;
    ql_trial trials[1];
    ql_trials_facts facts;
    double total = 0;
    simulate_counts(CELLS, GENES, 9, &counts);
    for (int64_t k = 0; k < ql_csr_nnz(&counts); k++) total += (double)counts.data[k];
    for (int by = QL_BY_POSTERIOR; by <= QL_BY_LIKELIHOOD; by++) {
        fill(trials, 1);
        run(&counts, trials, 1, (ql_trials_options){.threads = 1, .by = (ql_trial_score)by},
            &facts);
        const ql_trial_part *parts[] = {&trials[0].select, &trials[0].report};
        for (int p = 0; p < 2; p++) {
            double sum = 0, sd = sqrt(total * 0.09);
            for (int i = 0; i < CELLS; i++) sum += parts[p]->cell[i];
            assert_true(fabs(parts[p]->molecules - 0.1 * total) < 6 * sd);
            assert_true(fabs(sum - parts[p]->value * parts[p]->molecules) < 1e-9 * fabs(sum));
        }
        ql_trials_free(trials, 1);
    }
    ql_csr_free(&counts);
}

static void few_cells_are_a_draw(void **state)
{
    (void)state;
    ql_csr counts;
    ql_trial trials[1];
    ql_trials_facts facts;
    simulate_counts(CELLS, GENES, 9, &counts);
    fill(trials, 1);
    run(&counts, trials, 1, (ql_trials_options){.threads = 1, .most_cells = 50}, &facts);
    assert_int_equal(facts.n_cells, 50);
    ql_trials_free(trials, 1);
    ql_csr_free(&counts);
}

static void differences_are_paired(void **state)
{
    (void)state;
    double a[] = {3, 5, 4}, b[] = {1, 4, 1}, error;
    const ql_trial_part x = {.molecules = 10, .cell = a}, y = {.molecules = 10, .cell = b};
    /* differences 2, 1, 3: sum 6, squares about their mean 2 */
    assert_true(fabs(ql_trial_difference(&x, &y, 3, &error) - 0.6) < 1e-12);
    assert_true(fabs(error - sqrt(2) / 10) < 1e-12);
}

static void a_small_gain_changes_nothing(void **state)
{
    (void)state;
    double first[] = {1, 1, 1, 1}, noise[] = {3, 0, 2, 0}, clear[] = {2, 2.1, 2, 1.9};
    ql_trial trials[2] = {{.select = {0.4, 10, first}}, {.select = {0.5, 10, noise}}};
    const ql_trials_facts facts = {.n_cells = 4, .n_rungs = 1};
    assert_int_equal(ql_trials_best(trials, 2, &facts), 0);
    trials[1].select = (ql_trial_part){0.8, 10, clear};
    assert_int_equal(ql_trials_best(trials, 2, &facts), 1);
    trials[1].diverged = true;
    assert_int_equal(ql_trials_best(trials, 2, &facts), 0);
}

static void a_diverging_trial_loses(void **state)
{
    (void)state;
    ql_csr counts;
    ql_trial trials[2];
    ql_trials_facts facts;
    simulate_counts(CELLS, GENES, 9, &counts);
    fill(trials, 2);
    trials[1].options.ae.optimizer = ql_opt_rule_find("sgd");
    trials[1].options.ae.rate = 1e30;
    run(&counts, trials, 2, (ql_trials_options){.threads = 2}, &facts);
    assert_true(trials[1].diverged);
    assert_true(isinf(trials[1].select.value));
    assert_int_equal(ql_trials_best(trials, 2, &facts), 0);
    ql_trials_free(trials, 2);
    ql_csr_free(&counts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_change_no_figure), cmocka_unit_test(the_best_go_on_and_the_first),
        cmocka_unit_test(parts_are_tenths),         cmocka_unit_test(few_cells_are_a_draw),
        cmocka_unit_test(differences_are_paired),   cmocka_unit_test(a_small_gain_changes_nothing),
        cmocka_unit_test(a_diverging_trial_loses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
