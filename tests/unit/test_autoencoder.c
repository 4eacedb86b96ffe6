/* The autoencoder as a whole, in the program's own precision: the same bits however it is computed,
 * values that follow from the weights, failures that are noticed. Gradients: test64_gradient.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "fixture_model.h"
#include "fixture_rows.h"

static void train(model_fixture *f, int64_t batch, int epochs, double thin, double *loss)
{
    ql_err err = {0};
    for (int e = 0; e < epochs; e++) {
        ql_batch_source source = {.counts = ROWS_OF(&f->counts),
                                  .thin = thin,
                                  .lose = ql_corrupt_lost(&f->ae.cfg.corrupt),
                                  .target_input = f->ae.cfg.likelihood->of_inputs,
                                  .seed = 2,
                                  .epoch = (uint64_t)e};
        if (ql_ae_train_epoch(&f->ae, &source, f->rows, f->n, batch, &loss[e], &err) != QL_OK)
            fail_msg("%s", err.msg);
    }
}

/* ---- predictions, collected ---- */

typedef struct {
    int64_t n_genes;
    ql_real *mean, *theta, *pi; /* [cells, genes]; cells in the order of the visit */
    float *latent;              /* [cells, width] */
    int64_t done;               /* cells whose batches were reported done */
    ql_real *size;              /* [cells] */
} predictions;

static void collect_tile(void *ctx, const ql_ae_tile *t)
{
    predictions *p = ctx;
    for (int64_t g = 0; g < t->genes.count; g++) {
        for (int64_t i = 0; i < t->n; i++) {
            int64_t to = (t->first_row + t->first + i) * p->n_genes + t->genes.first + g;
            p->mean[to] = t->mean[g * t->ld + i];
            if (t->theta) p->theta[to] = t->theta[g * t->ld + i];
            if (t->pi) p->pi[to] = t->pi[g * t->ld + i];
        }
    }
    for (int64_t i = 0; i < t->n && t->tile == 0; i++)
        p->size[t->first_row + t->first + i] = t->batch->size[t->first + i];
}

static ql_status collect_cells(void *ctx, const ql_ae *ae, int64_t first_row, int64_t n,
                               ql_err *err)
{
    predictions *p = ctx;
    (void)err;
    for (int64_t i = 0; i < n; i++)
        ql_ae_latent(ae, QL_LATENT_LINEAR, i, p->latent + (first_row + i) * ql_ae_latent_width(ae));
    return QL_OK;
}

static ql_status collect_done(void *ctx, int64_t first_row, int64_t n, ql_err *err)
{
    predictions *p = ctx;
    (void)err;
    assert_int_equal(first_row, p->done);
    p->done += n;
    return QL_OK;
}

static void predict(model_fixture *f, int64_t block, predictions *p)
{
    ql_err err = {0};
    *p = (predictions){.n_genes = f->ae.n_genes};
    int64_t size = f->n * f->ae.n_genes;
    assert_int_equal(QL_NEW(p->mean, size, "means", &err), QL_OK);
    assert_int_equal(QL_NEW(p->theta, size, "thetas", &err), QL_OK);
    assert_int_equal(QL_NEW(p->pi, size, "pis", &err), QL_OK);
    assert_int_equal(QL_NEW(p->latent, f->n * ql_ae_latent_width(&f->ae), "latent", &err), QL_OK);
    assert_int_equal(QL_NEW(p->size, f->n, "sizes", &err), QL_OK);
    ql_batch_source source = {.counts = ROWS_OF(&f->counts)};
    const ql_ae_visitor visitor = {collect_tile, collect_cells, collect_done, p};
    assert_int_equal(ql_ae_visit(&f->ae, &source, f->rows, f->n, block, &visitor, &err), QL_OK);
    assert_int_equal(p->done, f->n);
}

static void predictions_free(predictions *p)
{
    ql_free(p->mean);
    ql_free(p->theta);
    ql_free(p->pi);
    ql_free(p->latent);
    ql_free(p->size);
}

static void same_predictions(const model_fixture *f, const predictions *a, const predictions *b)
{
    size_t bytes = (size_t)(f->n * f->ae.n_genes) * sizeof(ql_real);
    assert_memory_equal(a->mean, b->mean, bytes);
    assert_memory_equal(a->theta, b->theta, bytes);
    assert_memory_equal(a->pi, b->pi, bytes);
    assert_memory_equal(a->latent, b->latent,
                        (size_t)(f->n * ql_ae_latent_width(&f->ae)) * sizeof(float));
}

/* ---- the same bits ---- */

typedef struct {
    model_fixture model;
    predictions out;
    double loss[3], *cell_loss;
} run;

static const model_shape some_tiles = {.cells = 150, .genes = 400, .batch_size = 48, .seed = 31};

static void run_start(run *r, const ql_ae_config *c, const char *isa, int threads, double thin)
{
    model_shape shape = some_tiles;
    shape.isa = isa;
    shape.threads = threads;
    shape.separate = thin > 0 || ql_corrupt_lost(&c->corrupt) > 0;
    model_new(&r->model, c, shape);
    train(&r->model, 48, 3, thin, r->loss);
    predict(&r->model, 0, &r->out);
    ql_batch_source source = {.counts = ROWS_OF(&r->model.counts)};
    assert_int_equal(QL_NEW(r->cell_loss, r->model.n, "losses", NULL), QL_OK);
    assert_int_equal(
        ql_ae_cell_loss(&r->model.ae, &source, r->model.rows, r->model.n, r->cell_loss, NULL),
        QL_OK);
}

static void run_end(run *r)
{
    predictions_free(&r->out);
    ql_free(r->cell_loss);
    model_free(&r->model);
}

static void same_run(const run *a, const run *b)
{
    size_t bytes = (size_t)a->model.ae.params.size * sizeof(ql_real);
    assert_memory_equal(a->model.ae.params.w, b->model.ae.params.w, bytes);
    if (a->model.ae.params.v)
        assert_memory_equal(a->model.ae.params.v, b->model.ae.params.v, bytes);
    if (a->model.ae.params.m)
        assert_memory_equal(a->model.ae.params.m, b->model.ae.params.m, bytes);
    assert_memory_equal(a->loss, b->loss, sizeof a->loss);
    assert_memory_equal(a->cell_loss, b->cell_loss, (size_t)a->model.n * sizeof(double));
    same_predictions(&a->model, &a->out, &b->out);
}

/* Runs with every kernel table and the given numbers of threads are the scalar one's with one. */
static void same_everywhere(const ql_ae_config *c, double thin, const int *threads, size_t n)
{
    run first, other;
    run_start(&first, c, "scalar", 1, thin);
    for (int i = 0; ql_kern_names[i]; i++) {
        if (!ql_kern_find(ql_kern_names[i])) continue;
        for (size_t t = 0; t < n; t++) {
            if (ql_kern_find(ql_kern_names[i])->isa[0] == 's' && threads[t] == 3 && n > 1) continue;
            run_start(&other, c, ql_kern_names[i], threads[t], thin);
            same_run(&first, &other);
            run_end(&other);
        }
    }
    run_end(&first);
}

static void threads_and_processors_change_no_bit(void **state)
{
    (void)state;
    static const int threads[] = {1, 2, 3, 7};
    const char *const likelihoods[] = {"zinb-conddisp", "nb"};
    for (int l = 0; l < 2; l++) {
        ql_ae_config c = adam_config(likelihoods[l]);
        c.dropout = 0.1;
        c.match_depth = l == 1;
        same_everywhere(&c, l * 0.2, threads, sizeof threads / sizeof *threads);
    }
}

/* What the genes share is summed over strips that run on any thread. */
static void shared_heads_change_no_bit(void **state)
{
    (void)state;
    static const char *const types[] = {"zinb-shared", "zinb-fork", "zinb-elempi", "zinb-elempi",
                                        "normal"};
    static const int threads[] = {3};
    for (int l = 0; l < 5; l++) {
        ql_ae_config c = adam_config(types[l]);
        c.shared_pi = l == 3;
        same_everywhere(&c, 0, threads, 1);
    }
}

static void corrupted_inputs_change_no_bit(void **state)
{
    (void)state;
    for (int k = 0; ql_corruptions[k]; k++) {
        run first, other;
        ql_ae_config c = adam_config("nb");
        c.corrupt = (ql_corrupt){ql_corruptions[k], ql_corruptions[k]->usual};
        if (k % 2) c.likelihood = &ql_gaussian;
        run_start(&first, &c, "scalar", 1, 0);
        for (int i = 0; ql_kern_names[i]; i++) {
            if (!ql_kern_find(ql_kern_names[i])) continue;
            run_start(&other, &c, ql_kern_names[i], i + 2, 0);
            same_run(&first, &other);
            run_end(&other);
        }
        run_end(&first);
    }
}

/* Every entry has a count: the lists of a tile and block are as long as they get, and a minibatch's
 * arrays full to the end. */
static void dense_counts_change_no_bit(void **state)
{
    (void)state;
    enum { CELLS = 2 * QL_BLOCK + 5, GENES = QL_TILE + 37 };
    ql_real *first = NULL;
    for (int t = 0; ql_kern_names[t]; t++) {
        if (!ql_kern_find(ql_kern_names[t])) continue;
        model_fixture f;
        ql_ae_config c = adam_config("zinb-conddisp");
        double loss[2];
        model_new(&f, &c,
                  (model_shape){.cells = CELLS,
                                .genes = GENES,
                                .threads = 2,
                                .seed = 43,
                                .isa = ql_kern_names[t],
                                .full = true});
        assert_int_equal(ql_csr_nnz(&f.counts), f.n * f.prep.n_kept_genes);
        train(&f, f.n, 2, 0, loss);
        size_t bytes = (size_t)f.ae.params.size * sizeof *first;
        if (!first) {
            first = malloc(bytes);
            assert_non_null(first);
            memcpy(first, f.ae.params.w, bytes);
        }
        assert_true(loss[1] < loss[0]);
        assert_memory_equal(first, f.ae.params.w, bytes);
        model_free(&f);
    }
    free(first);
}

static void another_seed_is_another_run(void **state)
{
    (void)state;
    run a, b;
    ql_ae_config c = adam_config("nb");
    run_start(&a, &c, NULL, 1, 0);
    c.seed++;
    run_start(&b, &c, NULL, 1, 0);
    assert_true(memcmp(a.model.ae.params.w, b.model.ae.params.w,
                       (size_t)a.model.ae.params.size * sizeof(ql_real)) != 0);
    run_end(&a);
    run_end(&b);
}

/* A cell's values do not depend on the cells that are computed along with it. */
static void blocks_change_no_bit(void **state)
{
    (void)state;
    run r;
    ql_ae_config c = adam_config("zinb");
    c.match_depth = true;
    run_start(&r, &c, NULL, 1, 0);
    for (int64_t block = 1; block <= 64; block = block * 3 + 2) {
        predictions p;
        predict(&r.model, block, &p);
        same_predictions(&r.model, &r.out, &p);
        predictions_free(&p);
    }
    run_end(&r);
}

/* ---- training ---- */

static void the_loss_falls(void **state)
{
    (void)state;
    for (int l = 0; ql_likelihoods[l]; l++) {
        for (int o = 0; ql_opt_rules[o]; o++) {
            model_fixture f;
            double loss[15];
            ql_ae_config c = adam_config(ql_likelihoods[l]->name);
            c.optimizer = ql_opt_rules[o];
            c.rate = strcmp(ql_opt_rules[o]->name, "sgd") ? 0.005 : 1e-4;
            c.clip = 5;
            model_new(&f, &c,
                      (model_shape){.cells = 100,
                                    .genes = 60,
                                    .batch_size = 32,
                                    .seed = 32,
                                    .isa = ql_kern_isa_name()});
            train(&f, 32, 15, 0, loss);
            if (!(loss[14] < loss[0] && loss[14] < loss[5]))
                fail_msg("%s, %s: %g, then %g", ql_likelihoods[l]->name, ql_opt_rules[o]->name,
                         loss[0], loss[14]);
            model_free(&f);
        }
    }
}

/* Pads of the parameters are zero before and after. */
static void pads_stay_zero(void **state)
{
    (void)state;
    model_fixture f;
    double loss[2];
    ql_ae_config c = adam_config("zinb-conddisp");
    c.l1 = c.l2 = 1e-3;
    c.weight_decay = 0.01;
    model_new(&f, &c, (model_shape){.cells = 60, .genes = 150, .batch_size = 20, .seed = 33});
    train(&f, 20, 2, 0, loss);
    for (int i = 0; i < f.ae.params.n_tensors; i++) {
        const ql_tensor *t = &f.ae.params.tensor[i];
        for (int64_t row = 0; row < t->rows; row++)
            for (int64_t j = t->cols; j < t->ld; j++)
                if (f.ae.params.w[t->offset + row * t->ld + j] != 0)
                    fail_msg("%s has a pad that is not 0", t->name);
    }
    model_free(&f);
}

/* Minibatches of an epoch over n cells: a last one below half is merged with its neighbour. */
static void short_minibatches_are_merged(void **state)
{
    (void)state;
    static const struct {
        int64_t n, batch, steps;
    } cases[] = {{100, 32, 3}, {64, 32, 2}, {79, 32, 2}, {80, 32, 3}, {10, 32, 1}, {1, 32, 1},
                 {33, 32, 1},  {32, 1, 32}, {20, 3, 7},  {19, 3, 6},  {7, 2, 4},   {100, 100, 1}};
    model_fixture f;
    ql_ae_config c = adam_config("nb");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double loss;
        model_new(
            &f, &c,
            (model_shape){.cells = 110, .genes = 40, .batch_size = cases[i].batch, .seed = 34});
        ql_batch_source source = {.counts = ROWS_OF(&f.counts)};
        assert_true(f.n >= cases[i].n);
        assert_int_equal(
            ql_ae_train_epoch(&f.ae, &source, f.rows, cases[i].n, cases[i].batch, &loss, NULL),
            QL_OK);
        if ((int64_t)f.ae.step != cases[i].steps)
            fail_msg("%lld cells by %lld: %lld steps", (long long)cases[i].n,
                     (long long)cases[i].batch, (long long)f.ae.step);
        model_free(&f);
    }
}

/* The reference keeps a short last minibatch as it is. */
static void short_minibatches_may_stay(void **state)
{
    (void)state;
    model_fixture f;
    double loss;
    ql_ae_config c = adam_config("nb");
    c.keep_short_batch = true;
    model_new(&f, &c, (model_shape){.cells = 110, .genes = 40, .batch_size = 32, .seed = 34});
    ql_batch_source source = {.counts = ROWS_OF(&f.counts)};
    for (int64_t n = 1; n <= 100; n += 9) {
        f.ae.step = 0;
        assert_int_equal(ql_ae_train_epoch(&f.ae, &source, f.rows, n, 32, &loss, NULL), QL_OK);
        assert_int_equal(f.ae.step, (n + 31) / 32);
    }
    model_free(&f);
}

/* Blocks allocated by two epochs in minibatches of this size. */
static int64_t blocks_of_two_epochs(model_fixture *f, int64_t batch, double thin)
{
    double loss[2];
    int64_t start = ql_alloc_count();
    train(f, batch, 2, thin, loss);
    return ql_alloc_count() - start;
}

/* Nothing is allocated in a step: epochs of many take as many blocks as epochs of one. */
static void steps_allocate_nothing(void **state)
{
    (void)state;
    for (int thinned = 0; thinned < 2; thinned++) {
        model_fixture f;
        ql_ae_config c = adam_config("zinb");
        double loss[1], thin = thinned * 0.2;
        c.dropout = 0.2;
        model_new(&f, &c,
                  (model_shape){.cells = 120,
                                .genes = 200,
                                .batch_size = 120,
                                .threads = 2,
                                .separate = thinned,
                                .seed = 35});
        train(&f, 120, 1, thin, loss);
        int64_t bytes = ql_alloc_bytes(), one = blocks_of_two_epochs(&f, 120, thin);
        assert_true(one <= 4);
        for (int64_t batch = 1; batch < 120; batch = 3 * batch + 1)
            assert_int_equal(blocks_of_two_epochs(&f, batch, thin), one);
        assert_int_equal(ql_alloc_bytes(), bytes);
        model_free(&f);
    }
}

static void memory_is_planned(void **state)
{
    (void)state;
    static const int64_t genes[] = {40, 700, 5000}, batch[] = {16, 128, 300};
    for (int l = 0; ql_likelihoods[l]; l++) {
        for (int i = 0; i < 3; i++) {
            ql_ae ae;
            ql_ae_config c = adam_config(ql_likelihoods[l]->name);
            const ql_ae_sizes sizes = {.n_genes = genes[i],
                                       .max_row_nnz = genes[i] / 3,
                                       .batch_size = batch[i],
                                       .n_threads = 1 + i,
                                       .separate_targets = l % 2};
            const ql_real *no_rates = NULL;
            c.start_at_means = false;
            int64_t before = ql_alloc_bytes(), plan = ql_ae_bytes(&c, &sizes);
            assert_int_equal(ql_ae_new(&ae, &c, &sizes, (ql_input_map){0}, no_rates,
                                       ql_kern_find("scalar"), NULL),
                             QL_OK);
            int64_t taken = ql_alloc_bytes() - before;
            if (taken > plan + plan / 20 + 16384 || taken < plan - plan / 5)
                fail_msg("%lld bytes planned, %lld taken", (long long)plan, (long long)taken);
            ql_ae_free(&ae);
            assert_int_equal(ql_alloc_bytes(), before);
        }
    }
}

static void failed_allocations_release_everything(void **state)
{
    (void)state;
    ql_ae_config c = adam_config("zinb-fork");
    c.start_at_means = false;
    model_lacks_memory(&c, true);
}

static void the_deepest_network(void **state)
{
    (void)state;
    model_fixture f;
    int64_t widths[QL_MAX_HIDDEN];
    double loss[2];
    for (int i = 0; i < QL_MAX_HIDDEN; i++) widths[i] = 6;
    ql_ae_config c = model_config("zinb-fork", QL_MAX_HIDDEN, widths);
    c.optimizer = ql_opt_rule_find("rmsprop");
    c.rate = 1e-3;
    model_new(&f, &c, (model_shape){.cells = 50, .genes = 40, .batch_size = 50, .seed = 36});
    assert_true(f.ae.params.n_tensors <= QL_MAX_TENSORS);
    train(&f, 50, 2, 0, loss);
    model_free(&f);
}

/* ---- failures ---- */

/* NaN or infinity in any weight ends the epoch. */
static void weights_that_are_not_finite_are_noticed(void **state)
{
    (void)state;
    for (int l = 0; ql_likelihoods[l]; l++) {
        for (int a = 0; ql_activations[a]; a++) {
            model_fixture f;
            ql_ae_config c = adam_config(ql_likelihoods[l]->name);
            c.act = ql_activations[a];
            c.batch_norm = a % 2;
            model_new(&f, &c, (model_shape){.cells = 40, .genes = 30, .seed = 37});
            size_t bytes = (size_t)f.ae.params.size * sizeof(ql_real);
            ql_real *keep;
            assert_int_equal(QL_NEW(keep, f.ae.params.size, "weights", NULL), QL_OK);
            memcpy(keep, f.ae.params.w, bytes);
            for (int i = 0; i < f.ae.params.n_tensors; i++) {
                const ql_tensor *t = &f.ae.params.tensor[i];
                ql_err err = {0};
                double loss;
                ql_batch_source source = {.counts = ROWS_OF(&f.counts)};
                if (!t->trained) continue;
                memcpy(f.ae.params.w, keep, bytes);
                f.ae.params.w[t->offset + t->cols - 1] = (ql_real)NAN;
                ql_status st = ql_ae_train_epoch(&f.ae, &source, f.rows, f.n, f.n, &loss, &err);
                if (st != QL_EDIVERGED)
                    fail_msg("%s, %s: NaN in %s is not noticed", ql_likelihoods[l]->name,
                             ql_activations[a]->name, t->name);
                assert_non_null(strstr(err.msg, "not finite"));
            }
            ql_free(keep);
            model_free(&f);
        }
    }
}

/* ---- values ---- */

static double tensor_at(const ql_ae *ae, int tensor, int64_t row, int64_t col)
{
    return (double)ql_param(&ae->params, tensor)[row * ae->params.tensor[tensor].ld + col];
}

static double elu(double x)
{
    return x > 0 ? x : expm1(x);
}

/* What layer `i` makes of its dense output, in inference. */
static double pass_unit(const ql_hidden *h, const ql_ae *ae, int64_t u, double x)
{
    if (h->batch_norm)
        x = (x - tensor_at(ae, h->mean, 0, u)) / sqrt(tensor_at(ae, h->var, 0, u) + 1e-3) +
            tensor_at(ae, h->beta, 0, u);
    return h->act == ql_activation_find("linear") ? x : elu(x);
}

/* Dense output of the first layer for a row of counts, from the definition of the input. */
static void first_layer(const model_fixture *f, int64_t row, double *pre)
{
    const ql_ae *ae = &f->ae;
    const ql_prep *p = &f->prep;
    double size = p->total[row] / p->median_total;
    for (int64_t u = 0; u < ae->hidden[0].n_out; u++)
        pre[u] = tensor_at(ae, ae->hidden[0].bias, 0, u);
    for (int64_t g = 0, k = f->counts.indptr[row]; g < ae->n_genes; g++) {
        double y = 0;
        if (k < f->counts.indptr[row + 1] && f->counts.indices[k] == g)
            y = (double)f->counts.data[k++];
        double z = (log1p(y / size) - (double)p->mean[g]) / (double)p->sd[g];
        for (int64_t u = 0; u < ae->hidden[0].n_out; u++)
            pre[u] += z * tensor_at(ae, ae->input.weight, g, u);
    }
}

typedef struct {
    double latent[16], last[QL_MAX_HEADS][16]; /* dense output of the bottleneck; output of the last
                                                  layer of each branch */
} by_hand;

static const ql_hidden *layer_of(const ql_ae *ae, int branch, int i)
{
    return branch > 0 && i > ae->center ? &ae->fork[branch - 1][i] : &ae->hidden[i];
}

static void branch_by_hand(const model_fixture *f, int64_t row, int branch, by_hand *out)
{
    const ql_ae *ae = &f->ae;
    double x[16], pre[16];
    first_layer(f, row, pre);
    for (int i = 0; i < ae->n_hidden; i++) {
        const ql_hidden *h = layer_of(ae, branch, i);
        for (int64_t u = 0; i > 0 && u < h->n_out; u++) {
            pre[u] = tensor_at(ae, h->bias, 0, u);
            for (int64_t v = 0; v < h->n_in; v++) pre[u] += tensor_at(ae, h->weight, u, v) * x[v];
        }
        if (i == ae->center) memcpy(out->latent, pre, sizeof pre);
        for (int64_t u = 0; u < h->n_out; u++) x[u] = pass_unit(h, ae, u, pre[u]);
    }
    memcpy(out->last[branch], x, sizeof x);
}

/* Pre-activation of a head, from what kind of head it is. */
static double head_by_hand(const ql_ae *ae, int head, int64_t gene, const by_hand *h)
{
    const ql_heads *heads = &ae->heads;
    const double *x = h->last[heads->branch[head]];
    int64_t row = heads->kind[head] == QL_KIND_UNIT ? 0 : gene;
    if (heads->kind[head] == QL_KIND_ELEMENT)
        return tensor_at(ae, heads->weight[head], 0, gene) *
                   head_by_hand(ae, QL_HEAD_MEAN, gene, h) +
               tensor_at(ae, heads->bias[head], 0, gene);
    double a = tensor_at(ae, heads->bias[head], 0, row);
    for (int64_t v = 0; v < heads->n_in; v++)
        a += tensor_at(ae, heads->weight[head], row, v) * x[v];
    return a;
}

static void near(const char *what, double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance * (1 + fabs(want))))
        fail_msg("%s: %.8g instead of %.8g", what, got, want);
}

static void like_hand(const model_fixture *f, const predictions *p, int64_t i)
{
    by_hand h;
    const ql_ae *ae = &f->ae;
    double size = f->prep.total[f->rows[i]] / f->prep.median_total;
    for (int b = 0; b < ae->heads.n_branches; b++) branch_by_hand(f, f->rows[i], b, &h);
    for (int64_t u = 0; u < ql_ae_latent_width(ae); u++)
        near("latent", (double)p->latent[i * ql_ae_latent_width(ae) + u], h.latent[u], 2e-5);
    for (int64_t g = 0; g < ae->n_genes; g++) {
        int64_t at = i * ae->n_genes + g;
        double mean = head_by_hand(ae, QL_HEAD_MEAN, g, &h);
        near("mean / size", (double)p->mean[at] / size,
             ae->cfg.likelihood->gaussian ? mean : exp(mean), 5e-5);
        if (ae->cfg.likelihood->disp == QL_DISP_CELL)
            near("theta", (double)p->theta[at], log1p(exp(head_by_hand(ae, QL_HEAD_DISP, g, &h))),
                 5e-5);
        if (ae->cfg.likelihood->disp == QL_DISP_GENE)
            near("theta", (double)p->theta[at], exp(tensor_at(ae, ae->heads.disp_gene, 0, g)),
                 1e-6);
        if (ae->cfg.likelihood->has_pi)
            near("pi", (double)p->pi[at], 1 / (1 + exp(-head_by_hand(ae, QL_HEAD_PI, g, &h))),
                 5e-5);
    }
}

static void values_follow_from_the_weights(void **state)
{
    (void)state;
    for (int l = 0; ql_likelihoods[l]; l++) {
        model_fixture f;
        predictions p;
        double loss[3];
        ql_ae_config c = adam_config(ql_likelihoods[l]->name);
        c.linear_latent = l % 2;
        model_new(&f, &c, (model_shape){.cells = 60, .genes = 150, .batch_size = 20, .seed = 38});
        train(&f, 20, 3, 0, loss);
        predict(&f, 25, &p);
        for (int64_t i = 0; i < f.n; i += 7) like_hand(&f, &p, i);
        predictions_free(&p);
        model_free(&f);
    }
}

/* Loss of a cell: the registry's formula at the predicted values, summed over genes, without ln y!.
 */
static void losses_follow_from_the_values(void **state)
{
    (void)state;
    for (int l = 0; ql_likelihoods[l]; l++) {
        run r;
        ql_ae_config c = adam_config(ql_likelihoods[l]->name);
        c.ridge = 0.1;
        run_start(&r, &c, ql_kern_isa_name(), 2, 0);
        for (int64_t i = 0; i < r.model.n; i += 11) {
            int64_t row = r.model.rows[i], k = r.model.counts.indptr[row];
            double want = 0, size = 0;
            for (int64_t g = 0; g < r.model.ae.n_genes; g++) {
                int64_t at = i * r.model.ae.n_genes + g;
                double y = 0, pi = (double)r.out.pi[at];
                if (k < r.model.counts.indptr[row + 1] && r.model.counts.indices[k] == g)
                    y = (double)r.model.counts.data[k++];
                double term =
                    ql_likelihoods[l]->nll(y, (double)r.out.mean[at], (double)r.out.theta[at], pi) -
                    (ql_likelihoods[l]->gaussian ? 0 : lgamma(y + 1)) + 0.1 * pi * pi;
                want += term;
                size += fabs(term) + fabs((double)r.out.mean[at]) * (1 + y);
            }
            if (!(fabs(r.cell_loss[i] - want) <= 1e-6 * size))
                fail_msg("%s: %.8g instead of %.8g", ql_likelihoods[l]->name, r.cell_loss[i], want);
        }
        run_end(&r);
    }
}

static void means_add_up_to_the_depth(void **state)
{
    (void)state;
    run r;
    ql_ae_config c = adam_config("nb");
    c.match_depth = true;
    run_start(&r, &c, ql_kern_isa_name(), 2, 0);
    predictions plain;
    r.model.ae.cfg.match_depth = false;
    predict(&r.model, 0, &plain);
    for (int64_t i = 0; i < r.model.n; i++) {
        double sum = 0, raw = 0, total = r.model.prep.total[r.model.rows[i]];
        for (int64_t g = 0; g < r.model.ae.n_genes; g++) {
            sum += (double)r.out.mean[i * r.model.ae.n_genes + g];
            raw += (double)plain.mean[i * r.model.ae.n_genes + g];
        }
        near("sum of means", sum, total, 1e-5);
        int64_t at = i * r.model.ae.n_genes + 5;
        near("a scaled mean", (double)r.out.mean[at], (double)plain.mean[at] * total / raw, 1e-5);
    }
    predictions_free(&plain);
    run_end(&r);
}

/* Before the first step the mean head says the genes' means where it starts there. */
static void biases_start_at_the_gene_means(void **state)
{
    (void)state;
    model_fixture f;
    ql_ae_config c = adam_config("nb");
    model_new(&f, &c, (model_shape){.cells = 60, .genes = 50, .seed = 39});
    for (int64_t g = 0; g < f.ae.n_genes; g++) {
        near("bias", tensor_at(&f.ae, f.ae.heads.bias[QL_HEAD_MEAN], 0, g),
             (double)f.prep.log_rate[g], 0);
        near("theta", exp(tensor_at(&f.ae, f.ae.heads.disp_gene, 0, g)), c.start_theta, 1e-6);
    }
    model_free(&f);
}

/* ---- weight decay ---- */

/* A network trained with AdamW ends with smaller weights than with Adam; only weights proper decay,
 * neither biases nor dispersions. */
static void adamw_shrinks_weights_only(void **state)
{
    (void)state;
    double size[2];
    for (int decays = 0; decays < 2; decays++) {
        model_fixture f;
        ql_ae_config c = adam_config("zinb");
        double loss[20];
        c.optimizer = ql_opt_rule_find(decays ? "adamw" : "adam");
        c.weight_decay = decays ? 0.5 : NAN;
        model_new(&f, &c, (model_shape){.cells = 60, .genes = 150, .seed = 44});
        train(&f, 30, 20, 0, loss);
        size[decays] = 0;
        for (int i = 0; i < f.ae.params.n_tensors; i++) {
            const ql_tensor *t = &f.ae.params.tensor[i];
            bool kernel = strstr(t->name, "/weight") != NULL;
            assert_int_equal(t->decays, kernel);
            for (int64_t k = 0; kernel && k < t->rows * t->ld; k++)
                size[decays] += fabs((double)f.ae.params.w[t->offset + k]);
        }
        model_free(&f);
    }
    assert_true(size[1] < 0.95 * size[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_and_processors_change_no_bit),
        cmocka_unit_test(shared_heads_change_no_bit),
        cmocka_unit_test(corrupted_inputs_change_no_bit),
        cmocka_unit_test(dense_counts_change_no_bit),
        cmocka_unit_test(another_seed_is_another_run),
        cmocka_unit_test(blocks_change_no_bit),
        cmocka_unit_test(the_loss_falls),
        cmocka_unit_test(pads_stay_zero),
        cmocka_unit_test(short_minibatches_are_merged),
        cmocka_unit_test(short_minibatches_may_stay),
        cmocka_unit_test(steps_allocate_nothing),
        cmocka_unit_test(memory_is_planned),
        cmocka_unit_test(failed_allocations_release_everything),
        cmocka_unit_test(the_deepest_network),
        cmocka_unit_test(weights_that_are_not_finite_are_noticed),
        cmocka_unit_test(values_follow_from_the_weights),
        cmocka_unit_test(losses_follow_from_the_values),
        cmocka_unit_test(means_add_up_to_the_depth),
        cmocka_unit_test(biases_start_at_the_gene_means),
        cmocka_unit_test(adamw_shrinks_weights_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
