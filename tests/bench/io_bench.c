/* Seconds to read a file of counts into memory, and to write a dense layer of denoised values.
 *
 *   io_bench read FILE [threads=2] [rounds=3]
 *   io_bench write OUT.h5ad [threads=2] [rounds=3] [cells=2638] [genes=13714]
 *
 * Prints one JSON object. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/clock.h"
#include "quell/h5ad_writer.h"
#include "quell/reader.h"
#include "quell/rng.h"

typedef struct {
    const char *path;
    double threads, rounds, cells, genes;
} settings;

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void parse(int argc, char **argv, settings *s)
{
    *s = (settings){.path = argv[2], .threads = 2, .rounds = 3, .cells = 2638, .genes = 13714};
    const struct {
        const char *name;
        double *at;
    } numbers[] = {{"threads=", &s->threads},
                   {"rounds=", &s->rounds},
                   {"cells=", &s->cells},
                   {"genes=", &s->genes}};
    for (int i = 3; i < argc; i++)
        for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++)
            if (!strncmp(argv[i], numbers[k].name, strlen(numbers[k].name)))
                *numbers[k].at = atof(argv[i] + strlen(numbers[k].name));
}

/* ---- reading ---- */

static ql_status read_once(const settings *s, ql_dataset *ds, ql_err *err)
{
    ql_notes notes = {0};
    ql_read_options opt = {.threads = (int)s->threads};
    ql_status st = ql_read_counts(s->path, &opt, ds, &notes, err);
    ql_notes_free(&notes);
    return st;
}

static ql_status bench_read(const settings *s, double *seconds, double *entries, ql_err *err)
{
    for (int r = 0; r < (int)s->rounds; r++) {
        ql_dataset ds = {0};
        double start = ql_clock_wall();
        QL_TRY(read_once(s, &ds, err));
        seconds[r] = ql_clock_wall() - start;
        *entries = (double)ql_csr_nnz(&ds.counts);
        ql_dataset_free(&ds);
    }
    return QL_OK;
}

/* ---- writing ---- */

static ql_status named(ql_names *names, const char *prefix, int64_t n, ql_err *err)
{
    char name[32];
    for (int64_t i = 0; i < n; i++) {
        int len = snprintf(name, sizeof name, "%s%lld", prefix, (long long)i);
        QL_TRY(ql_names_add(names, name, (size_t)len, err));
    }
    return QL_OK;
}

static ql_status empty_dataset(const settings *s, ql_dataset *ds, ql_err *err)
{
    QL_TRY(named(&ds->cells.index, "cell", (int64_t)s->cells, err));
    QL_TRY(named(&ds->genes.index, "gene", (int64_t)s->genes, err));
    return ql_csr_alloc(&ds->counts, (int64_t)s->cells, (int64_t)s->genes, 0, err);
}

/* Like denoised counts: log-normal, with full mantissas. */
static void draw(float *x, int64_t n)
{
    ql_rng rng = ql_rng_start(1, QL_RNG_INIT, 0, 0);
    for (int64_t i = 0; i < n; i++) {
        double u = ql_rng_unit(ql_rng_word(&rng)), v = ql_rng_unit(ql_rng_word(&rng));
        x[i] = (float)exp(-3 + 2 * (u + v - 1) * 3);
    }
}

static ql_status write_once(const settings *s, const ql_dataset *ds, const float *values,
                            ql_err *err)
{
    ql_write_options opt = {.force = true, .deflate = 1, .threads = (int)s->threads};
    const int64_t n = (int64_t)s->cells, genes = (int64_t)s->genes;
    ql_h5ad_writer *w;
    int64_t band;
    QL_TRY(ql_h5ad_begin(s->path, ds, &opt, NULL, &w, err));
    QL_TRY(ql_h5ad_dense_begin(w, "layers/denoised", n, genes, &band, err));
    for (int64_t i = 0; i < n; i += band)
        QL_TRY(ql_h5ad_dense_rows(w, values + i * genes, n - i < band ? n - i : band, err));
    QL_TRY(ql_h5ad_dense_end(w, err));
    return ql_h5ad_commit(w, err);
}

static ql_status bench_write(const settings *s, double *seconds, double *entries, ql_err *err)
{
    ql_dataset ds = {0};
    float *values;
    *entries = s->cells * s->genes;
    QL_TRY(QL_NEW(values, (int64_t)*entries, "values", err));
    QL_TRY(empty_dataset(s, &ds, err));
    draw(values, (int64_t)*entries);
    for (int r = 0; r < (int)s->rounds; r++) {
        double start = ql_clock_wall();
        QL_TRY(write_once(s, &ds, values, err));
        seconds[r] = ql_clock_wall() - start;
    }
    ql_dataset_free(&ds);
    ql_free(values);
    return QL_OK;
}

int main(int argc, char **argv)
{
    enum { MOST = 100 };
    double seconds[MOST], entries = 0;
    settings s;
    ql_err err = {0};
    if (argc < 3) {
        fputs("usage: io_bench read|write FILE [name=value ...]\n", stderr);
        return 64;
    }
    parse(argc, argv, &s);
    if (s.rounds > MOST) s.rounds = MOST;
    ql_status st =
        (strcmp(argv[1], "read") ? bench_write : bench_read)(&s, seconds, &entries, &err);
    if (st != QL_OK) {
        fprintf(stderr, "io_bench: %s\n", err.msg);
        return 1;
    }
    double last = seconds[(int)s.rounds - 1];
    qsort(seconds, (size_t)s.rounds, sizeof *seconds, by_value);
    printf("{\"seconds\":%.6g,\"fastest\":%.6g,\"last\":%.6g,\"entries\":%.0f}\n",
           seconds[(int)s.rounds / 2], seconds[0], last, entries);
    return 0;
}
