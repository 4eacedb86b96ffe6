/* scDHA: inputs, choice of genes, noise, sizes, and a whole fit with any number of threads and from
 * any of its states. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/scdha_dispersion.h"
#include "quell/scdha_fit.h"

#include "fixture_random.h"
#include "fixture_rows.h"

static const ql_kern *kern(void)
{
    return ql_kern_find(ql_kern_isa_name());
}

/* A matrix of small numbers, zeros not stored. */
static void matrix(const float *x, int64_t rows, int64_t cols, ql_csr *m)
{
    ql_err err = {0};
    int64_t at = 0;
    assert_int_equal(ql_csr_alloc(m, rows, cols, rows * cols, &err), QL_OK);
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t g = 0; g < cols; g++) {
            if (x[i * cols + g] == 0) continue;
            m->indices[at] = (int32_t)g;
            m->data[at++] = x[i * cols + g];
        }
        m->indptr[i + 1] = at;
    }
}

/* The inputs of all rows, dense over the kept genes. */
static void inputs(const float *x, int64_t rows, int64_t cols, ql_scdha_scale *s, double *out)
{
    ql_csr m, taken;
    int64_t *list;
    ql_err err = {0};
    matrix(x, rows, cols, &m);
    assert_int_equal(ql_scdha_scale_make(ROWS_OF(&m), s, &err), QL_OK);
    assert_int_equal(ql_rows_list(rows, &list, &err), QL_OK);
    assert_int_equal(
        ql_scdha_take(s, kern(), ROWS_OF(&m), list, rows, NULL, s->n_kept, &taken, &err), QL_OK);
    memset(out, 0, (size_t)(rows * s->n_kept) * sizeof *out);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = taken.indptr[i]; k < taken.indptr[i + 1]; k++)
            out[i * s->n_kept + taken.indices[k]] = (double)taken.data[k];
    ql_free(list);
    ql_csr_free(&m);
    ql_csr_free(&taken);
}

static void assert_near(double a, double b)
{
    if (!(fabs(a - b) < 1e-6)) fail_msg("%.9g is not %.9g", a, b);
}

/* ---- inputs ---- */

static void logarithms_from_a_range_above_100(void **state)
{
    (void)state;
    const float at[] = {100, 50, 0, 10, 0, 20}, above[] = {101, 50, 0, 10, 0, 20};
    ql_scdha_scale s;
    double x[6];
    inputs(at, 2, 3, &s, x);
    assert_false(s.log);
    assert_near(x[1], 0.5);
    ql_scdha_scale_free(&s);
    inputs(above, 2, 3, &s, x);
    assert_true(s.log);
    assert_near(x[0], 1);
    assert_near(x[1], log2(51) / log2(102));
    assert_near(x[3], log2(11) / log2(21));
    ql_scdha_scale_free(&s);
}

/* No implicit zeros in row 2, so that its least value is the one that becomes 0. */
static void cells_are_stretched_between_their_own_bounds(void **state)
{
    (void)state;
    const float values[] = {4, 0, 8, 0, /* gene 1 is 0 in every cell */
                            3, 0, 3, 3, /* a constant cell */
                            1, 0, 2, 5, /**/
                            0, 0, 0, 0};
    const double expected[] = {0.5, 1, 0, 0, 0, 0, 0, 0.25, 1, 0, 0, 0};
    ql_scdha_scale s;
    double x[16];
    inputs(values, 4, 4, &s, x);
    assert_int_equal(s.n_kept, 3);
    assert_int_equal(s.place[1], -1);
    assert_int_equal(s.place[3], 2);
    for (int i = 0; i < 12; i++) assert_near(x[i], expected[i]);
    ql_scdha_scale_free(&s);
}

/* Column minima go before the logarithm; without it, values are stretched as they are. */
/* Three cells and genes whose lowest values, with zeros that are not stored, are these. */
static void logs_above_the_lowest(const float wide[9], const double lowest[3])
{
    ql_scdha_scale s;
    double x[9];
    inputs(wide, 3, 3, &s, x);
    assert_true(s.log && s.negative);
    for (int i = 0; i < 3; i++) {
        double v[3], least = INFINITY, most = -INFINITY;
        for (int g = 0; g < 3; g++) {
            v[g] = log2((double)wide[3 * i + g] - lowest[g] + 1);
            least = fmin(least, v[g]);
            most = fmax(most, v[g]);
        }
        for (int g = 0; g < 3; g++) assert_near(x[3 * i + g], (v[g] - least) / (most - least));
    }
    ql_scdha_scale_free(&s);
}

static void negative_values(void **state)
{
    (void)state;
    const float wide[] = {-10, 0, 60, 5, 20, 200, 0, -4, 100};
    const float no_count[] = {-10, 0, 0, 5, 20, 200, 0, -4, 100};
    const float narrow[] = {-1, 0, 3, 1, 2, 0};
    ql_scdha_scale s;
    double x[6];
    logs_above_the_lowest(wide, (const double[]){-10, -4, 60});
    logs_above_the_lowest(no_count, (const double[]){-10, -4, 0});
    inputs(narrow, 2, 3, &s, x);
    const double expected[] = {0, 0.25, 1, 0.5, 1, 0};
    for (int i = 0; i < 6; i++) assert_near(x[i], expected[i]);
    ql_scdha_scale_free(&s);
}

/* ---- the choice of genes ---- */

static void genes_strictly_above_the_quantile_are_kept(void **state)
{
    (void)state;
    enum { N = 37 };
    double score[N];
    uint8_t keep[N];
    int64_t n;
    ql_err err = {0};
    for (int wanted = 1; wanted < N; wanted++) {
        for (int g = 0; g < N; g++) score[g] = (g * 11) % N / (double)N;
        assert_int_equal(ql_scdha_select(score, N, wanted, keep, &n, &err), QL_OK);
        assert_int_equal(n, wanted);
        for (int g = 0; g < N; g++) assert_int_equal(keep[g], (g * 11) % N >= N - wanted);
    }
    for (int g = 0; g < N; g++) score[g] = g < 5 ? 1 : g < 15 ? 0.5 : 0.1; /* a tie at the cut */
    assert_int_equal(ql_scdha_select(score, N, 10, keep, &n, &err), QL_OK);
    assert_int_equal(n, 5);
    for (int g = 0; g < N; g++) score[g] = 0.5;
    assert_int_equal(ql_scdha_select(score, N, 10, keep, &n, &err), QL_OK);
    assert_int_equal(n, 0);
}

/* ---- simulated counts ---- */

/* Three groups of cells that differ in every third gene. */
static void simulate(int64_t cells, int64_t genes, ql_csr *m)
{
    ql_rng r = random_start(17);
    ql_err err = {0};
    int64_t at = 0;
    assert_int_equal(ql_csr_alloc(m, cells, genes, cells * genes, &err), QL_OK);
    for (int64_t i = 0; i < cells; i++) {
        for (int64_t g = 0; g < genes; g++) {
            const double mean = (double)(g % 7 + 1) * (g % 3 == i % 3 ? 6 : 0.5);
            const uint32_t y = random_nb(&r, mean, 2);
            if (y == 0) continue;
            m->indices[at] = (int32_t)g;
            m->data[at++] = (float)y;
        }
        m->indptr[i + 1] = at;
    }
    m->data[0] = 150; /* so that logarithms are taken */
}

/* So many cells scaled to 1 at most, m, and a minibatch of all of them. */
static void simulate_batch(int64_t cells, int64_t genes, ql_csr *m, ql_wide_batch *x)
{
    int64_t list[40];
    assert_true(cells <= 40);
    simulate(cells, genes, m);
    for (int64_t i = 0; i < ql_csr_nnz(m); i++) m->data[i] /= 150;
    for (int64_t i = 0; i < cells; i++) list[i] = i;
    assert_int_equal(ql_wide_batch_new(x, cells, ql_csr_max_row(m), NULL), QL_OK);
    ql_wide_batch_fill(x, m, list, cells);
}

static void the_encoder_of_the_filter_is_never_negative(void **state)
{
    (void)state;
    const ql_scdha_filter_config cfg = {
        .n_genes = 90, .width = 32, .rate = 0.05, .weight_decay = 1e-6, .seed = 1};
    ql_scdha_filter f;
    ql_wide_batch x;
    ql_csr m;
    double loss, first = 0;
    int64_t zeros = 0;
    ql_err err = {0};
    simulate_batch(40, 90, &m, &x);
    assert_int_equal(ql_scdha_filter_new(&cfg, 40, kern(), &f, &err), QL_OK);
    const ql_tensor *t = ql_params_find(&f.params, "encoder/weight");
    const ql_real *w = f.params.w + t->offset;
    int64_t negative = 0;
    for (int64_t k = 0; k < 90 * 32; k++) negative += w[k] < 0;
    assert_in_range(negative, 1000, 1900); /* they may start so */
    for (int step = 0; step < 30; step++) {
        assert_true(ql_scdha_filter_step(&f, &x, &loss));
        if (step == 0) first = loss;
        for (int64_t k = 0; k < 90 * 32; k++) assert_true(w[k] >= 0);
    }
    for (int64_t k = 0; k < 90 * 32; k++) zeros += w[k] == 0;
    assert_true(zeros > 100);
    assert_true(loss < 0.5 * first);
    /* the decoder and the biases are free */
    const ql_tensor *d = ql_params_find(&f.params, "decoder/weight");
    for (int64_t k = negative = 0; k < 90 * 32; k++) negative += f.params.w[d->offset + k] < 0;
    assert_true(negative > 100);
    x.value[0] = NAN; /* a step that is left out */
    const ql_real kept = w[5];
    assert_false(ql_scdha_filter_step(&f, &x, &loss));
    assert_true(w[5] == kept);
    ql_scdha_filter_free(&f);
    ql_wide_batch_free(&x);
    ql_csr_free(&m);
}

/* ---- the noise ---- */

/* mu of a cell with batch norm by moving statistics, unit by unit. */
static double mu_of(const ql_scdha_encoder *e, const ql_csr *m, int64_t cell, int64_t latent)
{
    double mu = (double)e->mu_bias[latent];
    for (int64_t h = 0; h < e->hidden; h++) {
        double x = (double)e->bias[h];
        for (int64_t k = m->indptr[cell]; k < m->indptr[cell + 1]; k++)
            x += (double)m->data[k] * (double)e->weight[m->indices[k] * e->hidden + h];
        x = ((double)x - (double)e->moving_mean[h]) /
            sqrt((double)e->moving_var[h] + QL_SCDHA_BN_EPS);
        x = x * (double)e->gamma[h] + (double)e->beta[h];
        mu += x * (double)e->mu_weight[h * e->latent + latent];
    }
    return mu;
}

static void assert_reads(const ql_scdha_net *net, const ql_csr *m, const ql_wide_batch *x)
{
    static ql_real work[QL_SCDHA_BLOCK * 3 * 64];
    float mu[20 * 15];
    ql_scdha_encoder e = {.n_genes = 60, .hidden = 64, .latent = 15, .batch_norm = true};
    ql_scdha_reader r;
    assert_int_equal(ql_scdha_encoder_new(&e, NULL), QL_OK);
    ql_scdha_net_encoder(net, &e);
    assert_int_equal(ql_scdha_reader_new(&r, &e, kern(), NULL), QL_OK);
    ql_scdha_read(&r, x, work, mu, 15);
    for (int64_t i = 0; i < 20; i++)
        for (int64_t k = 0; k < 15; k++)
            assert_true(fabs((double)mu[i * 15 + k] - mu_of(&e, m, i, k)) < 1e-4);
    ql_scdha_reader_free(&r);
    ql_scdha_encoder_free(&e);
}

/* The bias in front of batch norm has no effect, and does not walk by what rounding leaves of its
 * gradient; what is read has the statistics of the minibatches so far. */
static void batch_norm_takes_the_bias(void **state)
{
    (void)state;
    const ql_scdha_net_config cfg = {.n_genes = 60,
                                     .hidden = 64,
                                     .latent = 15,
                                     .batch_norm = true,
                                     .noise = 0.25,
                                     .beta = 100,
                                     .rate = 5e-3,
                                     .seed = 4};
    ql_scdha_net net;
    ql_wide_batch x;
    ql_csr m;
    double loss;
    simulate_batch(20, 60, &m, &x);
    assert_int_equal(ql_scdha_net_new(&cfg, 20, kern(), &net, NULL), QL_OK);
    for (int step = 0; step < 20; step++)
        assert_true(ql_scdha_net_step(&net, &x, QL_SCDHA_MAIN, &loss));
    const ql_real *bias = ql_param(&net.params, net.t.in_bias);
    for (int64_t k = 0; k < net.ld; k++) assert_true(bias[k] == 0);
    assert_reads(&net, &m, &x);
    ql_scdha_net_free(&net);
    ql_wide_batch_free(&x);
    ql_csr_free(&m);
}

static void the_noise_is_shared_or_not(void **state)
{
    (void)state;
    ql_csr m;
    ql_wide_batch x;
    ql_err err = {0};
    simulate_batch(20, 60, &m, &x);
    for (int own = 0; own < 2; own++) {
        const ql_scdha_net_config cfg = {.n_genes = 60,
                                         .hidden = 64,
                                         .latent = 15,
                                         .cell_noise = own,
                                         .noise = 0.25,
                                         .beta = 100,
                                         .rate = 5e-4,
                                         .weight_decay = 1e-3,
                                         .seed = 4};
        ql_scdha_net net;
        assert_int_equal(ql_scdha_net_new(&cfg, 20, kern(), &net, &err), QL_OK);
        (void)ql_scdha_net_loss(&net, &x, QL_SCDHA_MAIN);
        double xi[2][20][15], spread = 0, apart = 0;
        for (int j = 0; j < 2; j++)
            for (int i = 0; i < 20; i++) {
                const ql_scdha_latent l = ql_scdha_net_latent(&net, i, j);
                for (int k = 0; k < 15; k++)
                    xi[j][i][k] =
                        ((double)l.z[k] - (double)l.mu[k]) / (0.25 * sqrt((double)l.var[k]));
            }
        for (int i = 0; i < 20; i++)
            for (int k = 0; k < 15; k++) {
                spread = fmax(spread, fabs(xi[0][i][k] - xi[0][0][k]));
                apart = fmax(apart, fabs(xi[0][i][k] - xi[1][i][k]));
            }
        for (int i = 1; i < 20; i++) {
            double next = 0; /* from what the other decoder sees of the cell before */
            for (int k = 0; k < 15; k++) next = fmax(next, fabs(xi[0][i][k] - xi[1][i - 1][k]));
            assert_true(next > 0.1);
        }
        assert_true(own ? spread > 1 : spread < 1e-4);
        assert_true(apart > 1); /* the decoders see draws of their own */
        ql_scdha_net_free(&net);
    }
    ql_wide_batch_free(&x);
    ql_csr_free(&m);
}

/* ---- sizes ---- */

/* Quell's own settings differ from the reference's in two things. */
static void sizes_of_our_own(void **state)
{
    (void)state;
    ql_scdha_options own = ql_scdha_defaults(QL_SCDHA_OWN);
    ql_scdha_options like = ql_scdha_defaults(QL_SCDHA_REFERENCE);
    ql_scdha_resolve(&own, 44000);
    ql_scdha_resolve(&like, 44000);
    assert_int_equal(own.genes, 2000);
    assert_true(own.cell_noise);
    assert_int_equal(own.train_cells, like.train_cells);
    assert_int_equal(own.batch_size, like.batch_size);
    assert_true(own.beta == like.beta && own.rate == like.rate);
}

static void sizes_of_the_reference(void **state)
{
    (void)state;
    const int64_t batches[][2] = {{2, 2},   {75, 2},    {125, 2},   {175, 4},
                                  {274, 5}, {1556, 31}, {2000, 40}, {5000, 100}};
    const struct {
        int64_t cells, train, batch, latent;
        double decay, rate, beta;
        bool norm;
    } rows[] = {{400, 400, 8, 15, 1e-3, 5e-4, 100, false},
                {501, 501, 10, 15, 1e-3, 5e-4, 100, true},
                {2001, 2000, 40, 15, 1e-3, 5e-4, 100, true},
                {49999, 2000, 40, 15, 1e-3, 5e-4, 100, true},
                {50000, 5000, 100, 25, 1e-2, 1e-3, 50, true}};
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++)
        assert_int_equal(ql_scdha_batch_size(batches[i][0]), batches[i][1]);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ql_scdha_options o = ql_scdha_defaults(QL_SCDHA_REFERENCE);
        ql_scdha_resolve(&o, rows[i].cells);
        assert_int_equal(o.train_cells, rows[i].train);
        assert_int_equal(o.batch_size, rows[i].batch);
        assert_int_equal(o.latent, rows[i].latent);
        assert_true(o.weight_decay == rows[i].decay && o.rate == rows[i].rate);
        assert_true(o.beta == rows[i].beta && o.batch_norm == rows[i].norm && !o.cell_noise);
        assert_true(o.filter_decay == (rows[i].cells < 50000 ? 1e-6 : 1e-4));
        assert_int_equal(o.genes, 5000);
    }
}

/* ---- whole fits ---- */

static ql_scdha_options small_options(int threads)
{
    ql_scdha_options o = ql_scdha_defaults(QL_SCDHA_REFERENCE);
    o.genes = 40;
    o.train_cells = 50;
    o.batch_size = 12;
    o.filter_epochs = 3;
    o.warm_up = 2;
    o.epochs = 2;
    o.seed = 9;
    o.threads = threads;
    return o;
}

static void run(const ql_csr *m, int threads, const ql_scdha_listener *l, ql_scdha *out)
{
    const ql_scdha_options o = small_options(threads);
    ql_err err = {0};
    if (ql_scdha_run(ROWS_OF(m), &o, kern(), l, out, &err) != QL_OK) fail_msg("%s", err.msg);
}

static void assert_same(const ql_scdha *a, const ql_scdha *b)
{
    assert_int_equal(a->n_latents, 9);
    assert_int_equal(a->n_genes, b->n_genes);
    assert_memory_equal(a->column, b->column, (size_t)a->scale.n_kept * sizeof *a->column);
    assert_memory_equal(a->weight, b->weight, (size_t)a->scale.n_kept * sizeof *a->weight);
    for (int i = 0; i < 9; i++)
        assert_memory_equal(a->encoder[i].weight, b->encoder[i].weight,
                            (size_t)ql_scdha_encoder_size(&a->encoder[i]) * sizeof(float));
    assert_memory_equal(a->loss, b->loss,
                        (size_t)(a->opt.models * ql_scdha_epochs(&a->opt)) * sizeof(double));
    assert_memory_equal(a->filter_loss, b->filter_loss,
                        (size_t)(a->opt.filters * a->opt.filter_epochs) * sizeof(double));
}

static void threads_change_nothing(void **state)
{
    (void)state;
    ql_csr m;
    ql_scdha one, more;
    ql_err err = {0};
    float *x, *y;
    simulate(70, 130, &m);
    run(&m, 1, NULL, &one);
    assert_int_equal(one.n_genes, 40);
    assert_int_equal(QL_NEW(x, 70 * 15, "latents", &err), QL_OK);
    assert_int_equal(QL_NEW(y, 70 * 15, "latents", &err), QL_OK);
    assert_int_equal(ql_scdha_latents(&one, ROWS_OF(&m), 4, kern(), x, 15, &err), QL_OK);
    for (int threads = 2; threads <= 3; threads++) {
        run(&m, threads, NULL, &more);
        assert_same(&one, &more);
        assert_int_equal(ql_scdha_latents(&more, ROWS_OF(&m), 4, kern(), y, 15, &err), QL_OK);
        assert_memory_equal(x, y, 70 * 15 * sizeof *x);
        ql_scdha_free(&more);
    }
    ql_free(x);
    ql_free(y);
    ql_scdha_free(&one);
    ql_csr_free(&m);
}

enum { MOST_STATES = 16 };

typedef struct {
    ql_bundle state[MOST_STATES];
    int n, use; /* use: the state to begin with, or -1 */
} shelf;

static void put_copy(const ql_entry *e, ql_bundle *b)
{
    const ql_array a = {e->elem, e->n_rows, e->rank == 1 ? -1 : e->n_cols, e->values};
    ql_status st = e->kind == QL_ENTRY_INT      ? ql_bundle_put_int(b, e->name, e->i, NULL)
                   : e->kind == QL_ENTRY_DOUBLE ? ql_bundle_put_double(b, e->name, e->d, NULL)
                   : e->kind == QL_ENTRY_TEXT   ? ql_bundle_put_text(b, e->name, e->text, NULL)
                                                : ql_bundle_copy_array(b, e->name, a, NULL);
    assert_int_equal(st, QL_OK);
}

static void copy_state(const ql_bundle *from, ql_bundle *to)
{
    for (int i = 0; i < from->n; i++) put_copy(&from->entries[i], to);
}

static void keep(void *ctx, uint64_t origin, ql_bundle *b)
{
    shelf *s = ctx;
    (void)origin;
    if (s->use >= 0) return;
    assert_true(s->n < MOST_STATES);
    copy_state(b, &s->state[s->n++]);
}

static ql_status fetch(void *ctx, uint64_t origin, ql_bundle *b, bool *found, ql_err *err)
{
    const shelf *s = ctx;
    (void)origin;
    (void)err;
    *found = s->use >= 0;
    if (*found) copy_state(&s->state[s->use], b);
    return QL_OK;
}

/* From the state after any epoch of either stage: the same bytes. */
static void any_state_leads_to_the_same_end(void **state)
{
    (void)state;
    static shelf s = {.use = -1};
    const ql_train_keeper keeper = {.every = 0, .load = fetch, .save = keep, .ctx = &s};
    const ql_scdha_listener l = {.keeper = &keeper};
    ql_csr m;
    ql_scdha whole, rest;
    simulate(70, 130, &m);
    run(&m, 2, &l, &whole);
    assert_int_equal(s.n, 3 + 7);
    for (s.use = 0; s.use < s.n; s.use++) {
        run(&m, 1, &l, &rest);
        assert_same(&whole, &rest);
        ql_scdha_free(&rest);
    }
    for (int i = 0; i < s.n; i++) ql_bundle_free(&s.state[i]);
    ql_scdha_free(&whole);
    ql_csr_free(&m);
}

/* ---- which cells, which genes ---- */

/* R's sample.int: two of three cells of weights 1, 2, 3, one draw after the other. */
static void cells_are_drawn_by_their_weights(void **state)
{
    (void)state;
    enum { N = 3, RUNS = 6000 };
    const double weight[N] = {1, 2, 3}, none[N] = {0, 2, 0};
    int64_t count[N] = {0}, *list;
    ql_err err = {0};
    for (uint64_t seed = 0; seed < RUNS; seed++) {
        assert_int_equal(ql_scdha_draw(seed, N, 2, weight, &list, &err), QL_OK);
        assert_true(list[0] < list[1]);
        count[list[0]]++;
        count[list[1]]++;
        ql_free(list);
    }
    for (int i = 0; i < N; i++) {
        double p = weight[i] / 6;
        for (int j = 0; j < N; j++)
            if (j != i) p += weight[j] / 6 * weight[i] / (6 - weight[j]);
        assert_true(fabs((double)count[i] / RUNS - p) < 0.02); /* over three standard errors */
    }
    assert_int_equal(ql_scdha_draw(1, N, 1, none, &list, &err), QL_OK);
    assert_int_equal(list[0], 1);
    ql_free(list);
    assert_int_equal(ql_scdha_draw(1, N, 2, none, &list, &err), QL_EDATA);
    ql_free(list);
}

/* A gene that does not vary, one that is alone in its bin, and two of like means by hand. */
static void genes_are_held_against_those_of_like_mean(void **state)
{
    (void)state;
    /* every cell has 200 counts, so depths are all 1 */
    const float x[] = {5, 4, 0, 191, 5, 0, 6, 189, 5, 4, 3, 188, 5, 0, 3, 192};
    ql_csr m;
    ql_scdha_scale s;
    ql_err err = {0};
    double score[4];
    matrix(x, 4, 4, &m);
    assert_int_equal(ql_scdha_scale_make(ROWS_OF(&m), &s, &err), QL_OK);
    assert_int_equal(ql_scdha_dispersion(&s, ROWS_OF(&m), score, &err), QL_OK);
    /* variances 16/3 and 6 over means 2 and 3: one bin's width is (ln 191 - ln 3) / 20 = 0.21, and
     * ln 4 - ln 3 = 0.29, so that they are alone as well */
    assert_true(score[1] == 1 && score[2] == 1 && score[3] == 1);
    assert_true(score[0] == 1); /* the smallest of all */
    ql_scdha_scale_free(&s);
    ql_csr_free(&m);
}

static void too_little_to_learn_from(void **state)
{
    (void)state;
    const float nothing[6] = {0}, one[] = {1, 2, 3};
    const ql_scdha_options o = small_options(1);
    ql_csr m;
    ql_scdha f;
    ql_err err = {0};
    matrix(nothing, 2, 3, &m);
    assert_int_equal(ql_scdha_run(ROWS_OF(&m), &o, kern(), NULL, &f, &err), QL_EDATA);
    ql_scdha_free(&f);
    ql_csr_free(&m);
    matrix(one, 1, 3, &m);
    assert_int_equal(ql_scdha_run(ROWS_OF(&m), &o, kern(), NULL, &f, &err), QL_EDATA);
    assert_non_null(strstr(err.msg, "two at least"));
    ql_scdha_free(&f);
    ql_csr_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logarithms_from_a_range_above_100),
        cmocka_unit_test(cells_are_stretched_between_their_own_bounds),
        cmocka_unit_test(negative_values),
        cmocka_unit_test(genes_strictly_above_the_quantile_are_kept),
        cmocka_unit_test(the_encoder_of_the_filter_is_never_negative),
        cmocka_unit_test(batch_norm_takes_the_bias),
        cmocka_unit_test(the_noise_is_shared_or_not),
        cmocka_unit_test(sizes_of_our_own),
        cmocka_unit_test(sizes_of_the_reference),
        cmocka_unit_test(threads_change_nothing),
        cmocka_unit_test(any_state_leads_to_the_same_end),
        cmocka_unit_test(cells_are_drawn_by_their_weights),
        cmocka_unit_test(genes_are_held_against_those_of_like_mean),
        cmocka_unit_test(too_little_to_learn_from),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
