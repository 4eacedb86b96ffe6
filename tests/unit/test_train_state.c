/* Trainings that stop and go on: from the state kept after any minibatch the same bits follow, and
 * nothing of a state can be left out. Files: tests/python/test_checkpoint.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fixture_model.h"
#include "quell/trainer.h"

enum { MOST_STATES = 200 };

/* One training: its input, the states it keeps, and what came out. */
typedef struct {
    model_fixture model;
    ql_split split;
    ql_train_options opt;
    const ql_bundle *from; /* the state it is given; NULL: none */
    bool resumed, poisoned;
    int warnings;
    ql_bundle state[MOST_STATES];
    int n_states;
    ql_train_result result;
} training;

/* ---- keeping states in memory ---- */

static void copy_state(const ql_bundle *from, ql_bundle *to)
{
    *to = (ql_bundle){0};
    for (int i = 0; i < from->n; i++) {
        const ql_entry *e = &from->entries[i];
        ql_array a = {e->elem, e->n_rows, e->rank == 1 ? -1 : e->n_cols, e->values};
        if (e->kind == QL_ENTRY_INT)
            assert_int_equal(ql_bundle_put_int(to, e->name, e->i, NULL), QL_OK);
        else if (e->kind == QL_ENTRY_DOUBLE)
            assert_int_equal(ql_bundle_put_double(to, e->name, e->d, NULL), QL_OK);
        else
            assert_int_equal(ql_bundle_copy_array(to, e->name, a, NULL), QL_OK);
    }
}

static ql_status load(void *ctx, uint64_t origin, ql_bundle *state, bool *found, ql_err *err)
{
    training *t = ctx;
    (void)err;
    (void)origin;
    *found = t->from != NULL;
    if (t->from) copy_state(t->from, state);
    return QL_OK;
}

static void save(void *ctx, uint64_t origin, ql_bundle *state)
{
    training *t = ctx;
    (void)origin;
    assert_true(t->n_states < MOST_STATES);
    copy_state(state, &t->state[t->n_states++]);
}

static void resumed(void *ctx, uint64_t origin, const ql_train_point *at)
{
    training *t = ctx;
    (void)origin;
    (void)at;
    t->resumed = true;
}

static void warn(void *ctx, const char *text)
{
    training *t = ctx;
    (void)text;
    t->warnings++;
}

static void poison(void *ctx, int64_t number, const ql_epoch *epoch, bool best)
{
    training *t = ctx;
    (void)epoch;
    (void)best;
    if (t->poisoned && number == 2) t->model.ae.params.w[0] = (ql_real)NAN;
}

/* ---- trainings ---- */

typedef struct {
    const char *optimizer;
    double rate, thin, every; /* every < 0: without a keeper */
    int threads;
    int64_t epochs;
    bool poisoned; /* a weight is NaN after the second epoch */
    const char *corrupt;
    int64_t corrupt_epochs;
    bool of_inputs, conv, tied;
} settings;

static const settings usual = {.optimizer = "adam", .rate = 0.01, .every = 1e-9, .epochs = 4};

static void run_training(training *t, settings s, const ql_bundle *from)
{
    ql_ae_config c = adam_config("nb");
    c.optimizer = ql_opt_rule_find(s.optimizer);
    c.rate = s.rate;
    c.dropout = 0.2;
    if (s.corrupt) {
        c.corrupt.kind = ql_corruption_find(s.corrupt);
        c.corrupt.strength = c.corrupt.kind->usual;
    }
    if (s.of_inputs) c.likelihood = &ql_gaussian;
    if (s.conv) c.conv = (ql_conv_shape){4, 6, 3};
    if (s.tied) {
        c.tied = true;
        c.contractive = c.orthogonal = 0.01;
    }
    ql_err err = {0};
    *t = (training){.from = from, .poisoned = s.poisoned};
    t->opt = (ql_train_options){.epochs = s.epochs,
                                .batch_size = 32,
                                .validation = 0.2,
                                .molecules = true,
                                .thinned = !s.of_inputs,
                                .corrupt_epochs = s.corrupt_epochs,
                                .restore_best = true,
                                .rate_patience = 1,
                                .rate_factor = 0.5,
                                .min_gain = 0.05,
                                .patience = 3,
                                .input_thin = s.thin,
                                .seed = 3};
    model_new(&t->model, &c,
              (model_shape){.cells = 150,
                            .genes = 60,
                            .batch_size = 32,
                            .threads = s.threads,
                            .separate = true,
                            .seed = 5});
    assert_int_equal(
        ql_split_cells(ROWS_OF(&t->model.counts), &t->model.prep, &t->opt, &t->split, &err), QL_OK);
    const ql_train_keeper keeper = {s.every, load, save, resumed, t};
    const ql_train_listener listener = {poison, warn, t, s.every < 0 ? NULL : &keeper};
    if (ql_train(&t->model.ae, ROWS_OF(&t->model.counts), &t->split, &t->opt, &listener, &t->result,
                 &err) != QL_OK)
        fail_msg("%s", err.msg);
}

static void free_training(training *t)
{
    for (int i = 0; i < t->n_states; i++) ql_bundle_free(&t->state[i]);
    ql_train_result_free(&t->result);
    ql_split_free(&t->split);
    model_free(&t->model);
}

static bool same_epochs(const ql_train_result *a, const ql_train_result *b)
{
    if (a->n_epochs != b->n_epochs) return false;
    for (int64_t i = 0; i < a->n_epochs; i++) {
        const ql_epoch *x = &a->history[i], *y = &b->history[i];
        if (x->loss != y->loss || x->validation != y->validation || x->rate != y->rate)
            return false;
    }
    return a->best == b->best && a->restarts == b->restarts && !strcmp(a->stopped, b->stopped);
}

static bool same_result(const training *a, const training *b)
{
    const ql_ae *x = &a->model.ae, *y = &b->model.ae;
    return same_epochs(&a->result, &b->result) &&
           !memcmp(x->params.w, y->params.w, (size_t)x->params.size * sizeof(ql_real));
}

/* ---- the same bits ---- */

/* Goes on from every step-th state. An epoch has four minibatches: with a step of 3 each of them
 * has its turn. */
static void from_states(settings s, int step)
{
    training whole, kept, later;
    settings alone = s;
    alone.every = -1;
    run_training(&whole, alone, NULL);
    run_training(&kept, s, NULL);
    assert_true(same_result(&whole, &kept));
    assert_true(kept.n_states > whole.result.n_epochs);
    for (int i = 0; i < kept.n_states; i += step) {
        s.threads = 1 + i / step % 3;
        run_training(&later, s, &kept.state[i]);
        assert_true(later.resumed);
        if (!same_result(&whole, &later)) fail_msg("going on from state %d", i);
        free_training(&later);
    }
    free_training(&whole);
    free_training(&kept);
}

static void states_of_all_minibatches_lead_to_the_same_weights(void **state)
{
    (void)state;
    settings s = usual;
    from_states(s, 1);
    s.thin = 0.2;
    from_states(s, 3);
    s = usual;
    s.optimizer = "rmsprop";
    from_states(s, 3);
    s.optimizer = "sgd";
    from_states(s, 3);
}

/* What befalls an input is a function of seed, epoch, cell and gene, and whether it is an epoch of
 * the pretraining one of its number. */
static void states_of_damaged_inputs(void **state)
{
    (void)state;
    static const settings kinds[] = {
        {.corrupt = "mask"},
        {.corrupt = "thin"},
        {.corrupt = "gaussian", .corrupt_epochs = 2},
        {.corrupt = "thin", .corrupt_epochs = 2},
        {.corrupt = "dropout", .of_inputs = true},
        {.corrupt = "salt-pepper", .conv = true},
        {.corrupt = "mask", .tied = true},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        settings s = kinds[i];
        s.optimizer = usual.optimizer;
        s.rate = usual.rate;
        s.every = usual.every;
        s.epochs = usual.epochs;
        from_states(s, 3);
    }
}

static void states_of_epochs_too(void **state)
{
    (void)state;
    settings s = usual;
    training kept;
    s.every = 0;
    run_training(&kept, s, NULL);
    assert_int_equal(kept.n_states, kept.result.n_epochs); /* the last one is the finished one */
    free_training(&kept);
    s.epochs = 6;
    training whole, later;
    run_training(&whole, s, NULL);
    run_training(&later, s, &whole.state[2]);
    assert_true(later.resumed);
    assert_true(same_result(&whole, &later));
    free_training(&whole);
    free_training(&later);
}

/* Rolled back on the way: the rate and the number of restarts are part of the state. */
static void states_of_a_run_that_diverged(void **state)
{
    (void)state;
    settings s = usual;
    training whole;
    s.poisoned = true;
    run_training(&whole, s, NULL);
    assert_int_equal(whole.result.restarts, 1);
    free_training(&whole);
    from_states(s, 1);
}

/* A state in the middle of the second epoch. */
static const ql_bundle *middle(const training *t)
{
    for (int i = 0; i < t->n_states; i++) {
        int64_t epochs = 0, cells = 0;
        assert_int_equal(ql_bundle_int(&t->state[i], "epochs", 0, 99, &epochs, NULL), QL_OK);
        assert_int_equal(ql_bundle_int(&t->state[i], "cells", 0, 999, &cells, NULL), QL_OK);
        if (epochs == 2 && cells > 32) return &t->state[i];
    }
    fail_msg("no state in the middle of an epoch");
    return NULL;
}

/* ---- nothing is superfluous ---- */

/* Loss and rate of an epoch, but not its time. */
static void change_array(const ql_entry *e)
{
    if (e->elem == QL_ELEM_F32) {
        float *x = (float *)(uintptr_t)e->values;
        for (int64_t i = 0; i < 8; i++) x[i] += 0.01F;
    } else {
        ((double *)(uintptr_t)e->values)[0] += 0.01;
    }
}

static void change(ql_entry *e)
{
    bool flag = strstr(e->name, "seen") || strstr(e->name, "finished");
    if (e->kind == QL_ENTRY_INT) e->i = flag ? !e->i : e->i + 1;
    if (e->kind == QL_ENTRY_DOUBLE) e->d = e->d * 1.5 + 0.01;
    if (e->kind == QL_ENTRY_ARRAY) change_array(e);
}

/* All but the times of epochs. */
static bool same_states(const ql_bundle *a, const ql_bundle *b)
{
    for (int i = 0; i < a->n; i++) {
        const ql_entry *x = &a->entries[i], *y = ql_bundle_find(b, x->name);
        if (!y || x->i != y->i || x->d != y->d || x->n_rows != y->n_rows) return false;
        if (x->kind != QL_ENTRY_ARRAY || !strcmp(x->name, "history")) continue;
        if (memcmp(x->values, y->values, (size_t)x->n_rows * ql_elem_size(x->elem)) != 0)
            return false;
    }
    return a->n == b->n;
}

/* The later run's states are the last ones of the whole one. */
static bool same_way(const training *whole, const training *later)
{
    int skipped = whole->n_states - later->n_states;
    if (skipped < 0 || !same_result(whole, later)) return false;
    for (int i = 0; i < later->n_states; i++)
        if (!same_states(&whole->state[skipped + i], &later->state[i])) return false;
    return true;
}

static void every_field_matters(void **state)
{
    (void)state;
    training whole, later;
    run_training(&whole, usual, NULL);
    const ql_bundle *from = middle(&whole);
    run_training(&later, usual, from);
    assert_true(same_way(&whole, &later));
    free_training(&later);
    for (int i = 0; i < from->n; i++) {
        ql_bundle changed;
        copy_state(from, &changed);
        change(&changed.entries[i]);
        run_training(&later, usual, &changed);
        const char *name = from->entries[i].name;
        bool known = strcmp(name, "ended") != 0; /* says something of a finished one only */
        if (known && later.resumed && same_way(&whole, &later))
            fail_msg("%s makes no difference", name);
        if (!later.resumed && (later.warnings != 1 || !same_way(&whole, &later)))
            fail_msg("%s: not taken up, but not begun anew either", name);
        ql_bundle_free(&changed);
        free_training(&later);
    }
    free_training(&whole);
}

static void a_finished_state_is_not_trained_on(void **state)
{
    (void)state;
    training whole, later;
    run_training(&whole, usual, NULL);
    const ql_bundle *from = &whole.state[whole.n_states - 1];
    assert_null(ql_bundle_find(from, "optimizer/first"));
    run_training(&later, usual, from);
    assert_true(later.resumed && later.n_states == 0);
    assert_true(same_result(&whole, &later));
    free_training(&later);
    ql_bundle other;
    copy_state(from, &other);
    for (int i = 0; i < other.n; i++)
        if (!strcmp(other.entries[i].name, "ended")) other.entries[i].i = !other.entries[i].i;
    run_training(&later, usual, &other);
    assert_false(same_result(&whole, &later)); /* another reason */
    free_training(&later);
    ql_bundle_free(&other);
    free_training(&whole);
}

/* Numbers that index something, out of bounds; entries that are not there. */
/* A state of so many epochs, with a history that long. */
static void lengthen(ql_bundle *b, int64_t epochs)
{
    for (int i = 0; i < b->n; i++) {
        ql_entry *e = &b->entries[i];
        if (!strcmp(e->name, "epochs")) e->i = epochs;
        if (strcmp(e->name, "history") != 0) continue;
        double *longer = ql_alloc(epochs * e->n_cols, sizeof *longer);
        assert_non_null(longer);
        memcpy(longer, e->values, (size_t)(e->n_rows * e->n_cols) * sizeof *longer);
        ql_free(e->own);
        e->own = longer;
        e->values = longer;
        e->n_rows = epochs;
    }
}

static void more_epochs_than_there_are_to_be(void **state)
{
    (void)state;
    training whole, later;
    ql_bundle changed;
    run_training(&whole, usual, NULL);
    copy_state(middle(&whole), &changed);
    lengthen(&changed, 100);
    run_training(&later, usual, &changed);
    assert_true(!later.resumed && later.warnings == 1 && same_way(&whole, &later));
    ql_bundle_free(&changed);
    free_training(&later);
    free_training(&whole);
}

static void states_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int64_t value;
    } bad[] = {{"epochs", 5}, {"epochs", -1},    {"epochs", INT64_MAX}, {"cells", 9999},
               {"cells", -1}, {"best_epoch", 4}, {"best_epoch", -1},    {"restarts", INT64_MAX},
               {"ended", 2},  {"ended", -1},     {"stop/wait", -1},     {"origin", 1}};
    training whole, later;
    run_training(&whole, usual, NULL);
    const ql_bundle *from = middle(&whole);
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        ql_bundle changed;
        copy_state(from, &changed);
        for (int i = 0; i < changed.n; i++)
            if (!strcmp(changed.entries[i].name, bad[k].name)) changed.entries[i].i = bad[k].value;
        run_training(&later, usual, &changed);
        if (later.resumed || later.warnings != 1 || !same_way(&whole, &later))
            fail_msg("%s %lld", bad[k].name, (long long)bad[k].value);
        ql_bundle_free(&changed);
        free_training(&later);
    }
    for (int without = 0; without < from->n; without++) {
        ql_bundle changed;
        copy_state(from, &changed);
        changed.entries[without].name[0] = '#';
        run_training(&later, usual, &changed);
        if (later.resumed || later.warnings != 1 || !same_way(&whole, &later))
            fail_msg("without %s", from->entries[without].name);
        ql_bundle_free(&changed);
        free_training(&later);
    }
    free_training(&whole);
}

/* ---- windows ---- */

static const char *folder(void)
{
    const char *dir = getenv("TMPDIR");
    return dir && *dir ? dir : P_tmpdir;
}

static bool always(void *ctx)
{
    (void)ctx;
    return true;
}

static ql_row_store *store_of(const ql_csr *m)
{
    ql_row_store *s = NULL;
    assert_int_equal(ql_store_new(folder(), m->n_rows, m->n_cols, &s, NULL), QL_OK);
    assert_int_equal(ql_store_add(s, m, NULL), QL_OK);
    assert_int_equal(ql_store_finish(s, 1 << 20, NULL), QL_OK);
    return s;
}

/* Counts in a file, windows whose ends fall within minibatches and on them: a pause after each. */
static void parts_of_a_streamed_epoch_are_the_epoch(void **state)
{
    (void)state;
    static const int64_t ends[] = {37, 64, 70, 128, 150};
    ql_ae_config c = adam_config("zinb-conddisp");
    const model_shape shape = {
        .cells = 150, .genes = 700, .batch_size = 32, .threads = 2, .seed = 9};
    model_fixture whole, parts;
    double loss;
    model_new(&whole, &c, shape);
    model_new(&parts, &c, shape);
    assert_int_equal(whole.n, 150);
    ql_row_store *store = store_of(&parts.counts);
    ql_rows rows = ql_rows_of_store(store);
    ql_batch_source source = {.counts = ROWS_OF(&whole.counts), .window = ends, .n_windows = 5};
    assert_int_equal(ql_ae_train_epoch(&whole.ae, &source, whole.rows, 150, 32, &loss, NULL),
                     QL_OK);
    source.counts = &rows;
    ql_ae_progress p = {0};
    const ql_ae_pause pause = {always, NULL};
    int64_t n_parts = 0;
    for (int64_t before = -1; p.at < 150; n_parts++) {
        assert_true(p.at > before);
        before = p.at;
        assert_int_equal(
            ql_ae_train_part(&parts.ae, &source, parts.rows, 150, 32, &p, &pause, NULL), QL_OK);
    }
    assert_int_equal(n_parts, 5);
    assert_true(loss == p.loss / (150.0 * (double)parts.ae.n_genes));
    assert_memory_equal(whole.ae.params.w, parts.ae.params.w,
                        (size_t)whole.ae.params.size * sizeof(ql_real));
    model_free(&whole);
    model_free(&parts);
    ql_store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_of_all_minibatches_lead_to_the_same_weights),
        cmocka_unit_test(states_of_damaged_inputs),
        cmocka_unit_test(states_of_epochs_too),
        cmocka_unit_test(states_of_a_run_that_diverged),
        cmocka_unit_test(every_field_matters),
        cmocka_unit_test(a_finished_state_is_not_trained_on),
        cmocka_unit_test(more_epochs_than_there_are_to_be),
        cmocka_unit_test(states_that_cannot_be_are_refused),
        cmocka_unit_test(parts_of_a_streamed_epoch_are_the_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
