/* Seconds per epoch of the training loop, and where they go.
 *
 *   train_bench FILE [type=nb-conddisp] [hidden=64,32,64] [batch=32] [threads=1] [epochs=5]
 *               [optimizer=rmsprop] [dropout=0] [bf16=0] [profile=0] [vae=0]
 *
 * vae=1: a variational model of that type (zinb or nb, a dispersion per gene) with the update rule
 * and the minibatches of scvi-tools; hidden=128,10,128 batch=128 dropout=0.1 are its defaults.
 * Prints one JSON object. profile=1 times every kernel call (one thread): products, likelihood,
 * optimizer, input layer; the timers themselves cost some per cent. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "quell/alloc.h"
#include "quell/autoencoder.h"
#include "quell/clock.h"
#include "quell/optimizer.h"
#include "quell/preprocess.h"
#include "quell/reader.h"
#include "quell/rows.h"

typedef struct {
    const char *file, *type, *optimizer;
    int64_t hidden[QL_MAX_HIDDEN];
    int n_hidden;
    double batch, threads, epochs, profile, dropout, bf16, vae;
} settings;

/* ---- the kernels, timed ---- */

enum { PRODUCTS, LIKELIHOOD, OPTIMIZER, INPUT, N_PARTS };
static const char *const part_names[N_PARTS] = {"products", "likelihood", "optimizer", "input"};
static double spent[N_PARTS];
static const ql_kern *plain;

#define TIMED(part, call)                                                                          \
    do {                                                                                           \
        double start_ = ql_clock_wall();                                                           \
        call;                                                                                      \
        spent[part] += ql_clock_wall() - start_;                                                   \
    } while (0)

static void timed_gemm(const ql_gemm *g)
{
    TIMED(PRODUCTS, plain->gemm(g));
}

static void timed_gather(int64_t n, const int32_t *index, int32_t first, const ql_real *value,
                         const ql_real *w, int64_t h, ql_real *acc)
{
    TIMED(INPUT, plain->gather(n, index, first, value, w, h, acc));
}

static void timed_scatter(int64_t n, const int32_t *index, int32_t first, const ql_real *value,
                          ql_real *w, int64_t h, const ql_real *d)
{
    TIMED(INPUT, plain->scatter(n, index, first, value, w, h, d));
}

static void timed_rmsprop(int64_t n, ql_real *w, const ql_real *grad, ql_real *m, ql_real *v,
                          const ql_opt_step *step)
{
    TIMED(OPTIMIZER, plain->rmsprop(n, w, grad, m, v, step));
}

static void timed_adam(int64_t n, ql_real *w, const ql_real *grad, ql_real *m, ql_real *v,
                       const ql_opt_step *step)
{
    TIMED(OPTIMIZER, plain->adam(n, w, grad, m, v, step));
}

#define X(name, kind)                                                                              \
    static void timed_sweep_##name##_##kind(const ql_lik_args *a)                                  \
    {                                                                                              \
        TIMED(LIKELIHOOD, plain->name##_##kind.sweep(a));                                          \
    }                                                                                              \
    static void timed_list_##name##_##kind(const ql_lik_args *a)                                   \
    {                                                                                              \
        TIMED(LIKELIHOOD, plain->name##_##kind.list(a));                                           \
    }
QL_LIK_MAP(X)
QL_LIK_SHARE_MAP(X)
#undef X

static void timed_soft_exp(int64_t rows, int64_t ld, ql_real *x, ql_real *most, ql_real *sum)
{
    TIMED(LIKELIHOOD, plain->soft_exp(rows, ld, x, most, sum));
}

static void timed_share_gradient(int64_t rows, int64_t ld, const ql_real *e, const ql_real *pull,
                                 const ql_real *x, ql_real *y)
{
    TIMED(LIKELIHOOD, plain->share_gradient(rows, ld, e, pull, x, y));
}

static ql_kern timed_table(const ql_kern *kern)
{
    ql_kern k = *kern;
    plain = kern;
    k.gemm = timed_gemm;
    k.gather = timed_gather;
    k.scatter = timed_scatter;
    k.rmsprop = timed_rmsprop;
    k.adam = timed_adam;
#define X(name, kind)                                                                              \
    k.name##_##kind.sweep = timed_sweep_##name##_##kind;                                           \
    k.name##_##kind.list = timed_list_##name##_##kind;
    QL_LIK_MAP(X)
    QL_LIK_SHARE_MAP(X)
#undef X
    k.soft_exp = timed_soft_exp;
    k.share_gradient = timed_share_gradient;
    return k;
}

/* ---- arithmetic that cannot be left out ---- */

static const ql_likelihood *likelihood_of(const settings *s)
{
    return s->vae != 0 ? ql_vae_likelihood_find(s->type, QL_THETA_GENE)
                       : ql_likelihood_find(s->type);
}

/* Floating-point operations of an epoch: two per multiply-add of the products of all layers,
 * forward and backward (the input layer by its entries with counts, without a gradient by the
 * input). */
static double useful_flops(const settings *s, int64_t cells, int64_t genes, int64_t nnz)
{
    double mac = 2.0 * (double)nnz * (double)s->hidden[0];
    const ql_likelihood *lik = likelihood_of(s);
    double heads = 1 + (lik->disp == QL_DISP_CELL) + lik->has_pi;
    for (int i = 1; i < s->n_hidden; i++)
        mac += 3.0 * (double)cells * (double)(s->hidden[i - 1] * s->hidden[i]);
    mac += 3.0 * heads * (double)cells * (double)genes * (double)s->hidden[s->n_hidden - 1];
    return 2 * mac;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void set_hidden(settings *s, char *text)
{
    s->n_hidden = 0;
    for (char *w = strtok(text, ","); w && s->n_hidden < QL_MAX_HIDDEN; w = strtok(NULL, ","))
        s->hidden[s->n_hidden++] = atoll(w);
}

/* One word name=value; false for an unknown name. */
static bool set_word(settings *s, const char *name, char *value)
{
    const struct {
        const char *name;
        double *at;
    } numbers[] = {{"batch", &s->batch},     {"threads", &s->threads}, {"epochs", &s->epochs},
                   {"profile", &s->profile}, {"dropout", &s->dropout}, {"bf16", &s->bf16},
                   {"vae", &s->vae}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (strcmp(numbers[i].name, name) != 0) continue;
        *numbers[i].at = atof(value);
        return true;
    }
    if (!strcmp(name, "type"))
        s->type = value;
    else if (!strcmp(name, "optimizer"))
        s->optimizer = value;
    else if (!strcmp(name, "hidden"))
        set_hidden(s, value);
    else
        return false;
    return true;
}

static void parse(int argc, char **argv, settings *s)
{
    *s = (settings){.file = argv[1],
                    .type = "nb-conddisp",
                    .optimizer = "rmsprop",
                    .hidden = {64, 32, 64},
                    .n_hidden = 3,
                    .threads = 1,
                    .epochs = 5,
                    .batch = 32};
    for (int i = 2; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value) *value++ = '\0';
        if (!value || !set_word(s, argv[i], value)) {
            fprintf(stderr, "train_bench: no setting '%s'\n", argv[i]);
            exit(64);
        }
    }
}

/* ---- the run ---- */

/* What scvi-tools trains with. */
static void be_variational(ql_ae_config *cfg)
{
    cfg->vae =
        (ql_vae_config){.on = true, .kl = {.beta = 1, .course = QL_KL_LINEAR, .period = 400}};
    cfg->vae.kl.epochs = true;
    cfg->optimizer = ql_opt_rule_find("torch-adam");
    cfg->init = ql_init_find("torch");
    cfg->eps = 0.01;
    cfg->weight_decay = 1e-6;
    cfg->clip = 0;
    cfg->linear_latent = cfg->norm_gain = cfg->theta_normal = true;
    cfg->mean_loss = false;
}

static ql_ae_config config_of(const settings *s)
{
    ql_ae_config cfg = {.n_hidden = s->n_hidden,
                        .likelihood = likelihood_of(s),
                        .act = ql_activation_find("relu"),
                        .batch_norm = true,
                        .optimizer = ql_opt_rule_find(s->optimizer),
                        .clip = 5,
                        .bf16 = s->bf16 != 0,
                        .dropout = s->dropout,
                        .disp_rate = 1,
                        .start_theta = 1,
                        .mean_loss = true,
                        .keep_short_batch = true,
                        .seed = 1};
    memcpy(cfg.hidden, s->hidden, sizeof s->hidden);
    if (s->vae != 0) be_variational(&cfg);
    return cfg;
}

typedef struct {
    const ql_kern *kern;
    ql_kern timed, bf16;
    ql_dataset ds;
    ql_rows rows; /* of ds.counts */
    ql_prep prep;
    ql_ae ae;
    int64_t *order;
    double *seconds, loss;
    const char *bf16_how;
} bench;

static ql_status prepare(bench *b, const settings *s, ql_err *err)
{
    ql_notes notes = {0};
    ql_read_options read = {.threads = (int)s->threads};
    ql_prep_options prep = {true, true, true, true};
    if (s->vae != 0) prep = (ql_prep_options){.log = true};
    ql_ae_config cfg = config_of(s);
    QL_TRY(ql_kern_select(&b->kern, err));
    if (!ql_kern_bf16(b->kern, &b->bf16, &b->bf16_how)) b->bf16_how = NULL;
    QL_TRY(ql_read_counts(s->file, &read, &b->ds, &notes, err));
    b->rows = ql_rows_of_csr(&b->ds.counts);
    QL_TRY(ql_prep_counts(&b->rows, prep, b->kern, (int)s->threads, &b->prep, err));
    ql_ae_sizes sizes = {.n_genes = b->ds.counts.n_cols,
                         .max_row_nnz = ql_csr_max_row(&b->ds.counts),
                         .batch_size = (int64_t)s->batch,
                         .n_threads = (int)s->threads};
    b->timed = timed_table(b->kern);
    QL_TRY(QL_NEW(b->order, b->prep.n_kept_cells, "cell order", err));
    QL_TRY(QL_NEW(b->seconds, (int64_t)s->epochs, "seconds", err));
    return ql_ae_new(&b->ae, &cfg, &sizes, ql_prep_map(&b->prep), b->prep.log_rate,
                     s->profile != 0 ? &b->timed : b->kern, err);
}

/* The first epoch only warms up. */
static ql_status train(bench *b, const settings *s, ql_err *err)
{
    const int64_t n = b->prep.n_kept_cells;
    ql_batch_source source = {.counts = &b->rows};
    for (int e = -1; e < (int)s->epochs; e++) {
        ql_rng rng = ql_rng_start(1, QL_RNG_SHUFFLE, (uint64_t)(e + 1), 0);
        memcpy(b->order, b->prep.kept_cell, (size_t)n * sizeof *b->order);
        ql_rng_shuffle(&rng, b->order, n);
        if (e == 0) memset(spent, 0, sizeof spent);
        double start = ql_clock_wall();
        QL_TRY(ql_ae_train_epoch(&b->ae, &source, b->order, n, (int64_t)s->batch, &b->loss, err));
        if (e >= 0) b->seconds[e] = ql_clock_wall() - start;
    }
    return QL_OK;
}

static void report_shares(double total)
{
    double rest = total;
    printf(",\"share\":{");
    for (int p = 0; p < N_PARTS; p++) {
        rest -= spent[p];
        printf("\"%s\":%.4f,", part_names[p], spent[p] / total);
    }
    printf("\"rest\":%.4f}", rest / total);
}

static void report(bench *b, const settings *s)
{
    const int64_t n = b->prep.n_kept_cells, genes = b->ds.counts.n_cols;
    const int64_t nnz = ql_csr_nnz(&b->ds.counts);
    const int epochs = (int)s->epochs;
    struct rusage usage;
    double total = 0;
    for (int e = 0; e < epochs; e++) total += b->seconds[e];
    qsort(b->seconds, (size_t)epochs, sizeof *b->seconds, by_value);
    const double median = b->seconds[epochs / 2], gflop = 1e-9 * useful_flops(s, n, genes, nnz);
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"type\":\"%s\",\"cells\":%lld,\"genes\":%lld,\"nnz\":%lld,\"batch\":%.0f,"
           "\"threads\":%.0f,\"isa\":\"%s\",\"bf16\":\"%s\",",
           s->type, (long long)n, (long long)genes, (long long)nnz, s->batch, s->threads,
           b->kern->isa, b->bf16_how ? b->bf16_how : "");
    printf("\"s_per_epoch\":%.6g,\"fastest\":%.6g,\"slowest\":%.6g,\"total_s\":%.6g,"
           "\"gflop_per_epoch\":%.6g,\"gflops\":%.6g,\"peak_mib\":%.1f,\"loss\":%.9g",
           median, b->seconds[0], b->seconds[epochs - 1], total, gflop, gflop / median,
           (double)usage.ru_maxrss / 1024, b->loss);
    if (s->profile != 0) report_shares(total);
    printf("}\n");
}

int main(int argc, char **argv)
{
    static bench b;
    settings s;
    ql_err err = {0};
    if (argc < 2) {
        fputs("usage: train_bench FILE [name=value ...]\n", stderr);
        return 64;
    }
    parse(argc, argv, &s);
    if (prepare(&b, &s, &err) != QL_OK || train(&b, &s, &err) != QL_OK) {
        fprintf(stderr, "train_bench: %s\n", err.msg);
        return 1;
    }
    report(&b, &s);
    return 0;
}
