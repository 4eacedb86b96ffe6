/* Seconds per epoch of the training loop, and where they go.
 *
 *   train_bench FILE [type=nb-conddisp] [hidden=64,32,64] [batch=32] [threads=1] [epochs=5]
 *               [optimizer=rmsprop] [profile=0]
 *
 * Prints one JSON object. profile=1 times every kernel call (one thread): products, likelihood,
 * optimizer, input, rest; the timers cost a few per cent, so seconds are taken without them. */
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
#include "../unit/fixture_rows.h"

typedef struct {
    const char *file, *type, *optimizer;
    int64_t hidden[QL_MAX_HIDDEN];
    int n_hidden, threads, epochs, profile;
    int64_t batch;
    double dropout;
    bool bf16;
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
#undef X

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
#undef X
    return k;
}

/* ---- arithmetic that cannot be left out ---- */

/* Floating-point operations of an epoch: two per multiply-add of the products of all layers, forward
 * and backward (the input layer by its entries with counts, without a gradient by the input). */
static double useful_flops(const settings *s, int64_t cells, int64_t genes, int64_t nnz)
{
    double mac = 2.0 * (double)nnz * (double)s->hidden[0];
    const ql_likelihood *lik = ql_likelihood_find(s->type);
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

static void fail(const ql_err *err)
{
    fprintf(stderr, "train_bench: %s\n", err->msg);
    exit(1);
}

static void parse(int argc, char **argv, settings *s)
{
    *s = (settings){.type = "nb-conddisp",
                    .optimizer = "rmsprop",
                    .hidden = {64, 32, 64},
                    .n_hidden = 3,
                    .threads = 1,
                    .epochs = 5,
                    .batch = 32};
    s->file = argv[1];
    for (int i = 2; i < argc; i++) {
        char *v = strchr(argv[i], '=');
        if (!v) exit(64);
        *v++ = '\0';
        if (!strcmp(argv[i], "type")) s->type = v;
        else if (!strcmp(argv[i], "optimizer")) s->optimizer = v;
        else if (!strcmp(argv[i], "batch")) s->batch = atoll(v);
        else if (!strcmp(argv[i], "threads")) s->threads = atoi(v);
        else if (!strcmp(argv[i], "epochs")) s->epochs = atoi(v);
        else if (!strcmp(argv[i], "profile")) s->profile = atoi(v);
        else if (!strcmp(argv[i], "bf16")) s->bf16 = atoi(v);
        else if (!strcmp(argv[i], "dropout")) s->dropout = atof(v);
        else if (!strcmp(argv[i], "hidden")) {
            s->n_hidden = 0;
            for (char *w = strtok(v, ","); w; w = strtok(NULL, ","))
                s->hidden[s->n_hidden++] = atoll(w);
        } else exit(64);
    }
}

int main(int argc, char **argv)
{
    settings s;
    ql_err err = {0};
    if (argc < 2) return 64;
    parse(argc, argv, &s);
    const ql_kern *kern;
    if (ql_kern_select(&kern, &err) != QL_OK) fail(&err);
    ql_dataset ds = {0};
    ql_notes notes = {0};
    ql_read_options ro = {.threads = s.threads};
    if (ql_read_counts(s.file, &ro, &ds, &notes, &err) != QL_OK) fail(&err);
    ql_prep prep = {0};
    ql_prep_options po = {true, true, true, true};
    if (ql_prep_counts(ROWS_OF(&ds.counts), po, kern, s.threads, &prep, &err) != QL_OK) fail(&err);
    ql_ae_config cfg = {.n_hidden = s.n_hidden,
                        .likelihood = ql_likelihood_find(s.type),
                        .act = ql_activation_find("relu"),
                        .batch_norm = true,
                        .optimizer = ql_opt_rule_find(s.optimizer),
                        .clip = 5,
                        .bf16 = s.bf16,
                        .dropout = s.dropout,
                        .disp_rate = 1,
                        .start_theta = 1,
                        .mean_loss = true,
                        .keep_short_batch = true,
                        .seed = 1};
    memcpy(cfg.hidden, s.hidden, sizeof s.hidden);
    ql_ae_sizes sizes = {.n_genes = ds.counts.n_cols,
                         .max_row_nnz = ql_csr_max_row(&ds.counts),
                         .batch_size = s.batch,
                         .n_threads = s.threads};
    ql_kern timed = timed_table(kern);
    ql_ae ae;
    if (ql_ae_new(&ae, &cfg, &sizes, ql_prep_map(&prep), prep.log_rate, s.profile ? &timed : kern,
                  &err) != QL_OK)
        fail(&err);
    int64_t n = prep.n_kept_cells, *order;
    double *seconds, loss = 0;
    if (QL_NEW(order, n, "order", &err) != QL_OK) fail(&err);
    if (QL_NEW(seconds, s.epochs, "seconds", &err) != QL_OK) fail(&err);
    ql_batch_source source = {.counts = ROWS_OF(&ds.counts)};
    for (int e = -1; e < s.epochs; e++) { /* the first one only warms up */
        ql_rng rng = ql_rng_start(1, QL_RNG_SHUFFLE, (uint64_t)(e + 1), 0);
        memcpy(order, prep.kept_cell, (size_t)n * sizeof *order);
        ql_rng_shuffle(&rng, order, n);
        if (e == 0) memset(spent, 0, sizeof spent);
        double start = ql_clock_wall();
        if (ql_ae_train_epoch(&ae, &source, order, n, s.batch, &loss, &err) != QL_OK) fail(&err);
        if (e >= 0) seconds[e] = ql_clock_wall() - start;
    }
    double total = 0;
    for (int e = 0; e < s.epochs; e++) total += seconds[e];
    qsort(seconds, (size_t)s.epochs, sizeof *seconds, by_value);
    double median = seconds[s.epochs / 2], flops = useful_flops(&s, n, ds.counts.n_cols, ql_csr_nnz(&ds.counts));
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"type\":\"%s\",\"cells\":%lld,\"genes\":%lld,\"nnz\":%lld,\"batch\":%lld,\"threads\":%d,\"isa\":\"%s\","
           "\"s_per_epoch\":%.6g,\"fastest\":%.6g,\"slowest\":%.6g,\"gflop_per_epoch\":%.6g,\"gflops\":%.6g,"
           "\"peak_mib\":%.1f,\"loss\":%.9g",
           s.type, (long long)n, (long long)ds.counts.n_cols, (long long)ql_csr_nnz(&ds.counts),
           (long long)s.batch, s.threads, kern->isa, median, seconds[0], seconds[s.epochs - 1],
           flops * 1e-9, flops * 1e-9 / median, (double)usage.ru_maxrss / 1024, loss);
    if (s.profile) {
        double rest = total;
        for (int p = 0; p < N_PARTS; p++) rest -= spent[p];
        printf(",\"share\":{");
        for (int p = 0; p < N_PARTS; p++) printf("\"%s\":%.4f,", part_names[p], spent[p] / total);
        printf("\"rest\":%.4f}", rest / total);
    }
    printf("}\n");
    return 0;
}
