#include "count_check.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "quell/parallel.h"

enum { BLOCK = 1 << 18, SAMPLE_ROWS = 200 };

/* Values of log-transformed counts stay below this; counts of a whole experiment do not. */
static const float LOG_MAX = 20.0f;

enum { AT_ONCE = 256 };

/* Blocks first .. first + AT_ONCE - 1 of the entries. */
typedef struct {
    const float *data;
    int64_t n, first;
    ql_count_check found[AT_ONCE];
} check_job;

static void look_closer(const float *data, int64_t from, int64_t n, ql_count_check *c)
{
    for (int64_t i = from; i < from + n; i++) {
        float x = data[i];
        if (!(x >= 0.0f && x < QL_COUNT_END)) {
            if (c->n_impossible++ == 0) c->first_impossible = i;
            c->n_nonfinite += !isfinite(x);
            c->n_huge += isfinite(x) && x > 0.0f;
        } else if (x != rintf(x)) {
            if (c->n_fractions++ == 0) c->first_fraction = i;
        }
        if (isfinite(x) && x > c->max) c->max = x;
    }
}

/* Plain arithmetic on whole pieces, which compilers turn into vectors. What is no count (NaN fails
 * every comparison) becomes 0 or loses its fraction, and differs then from what it was. */
void ql_see_entries(const float *x, int64_t n, ql_entries_seen *seen)
{
    int32_t top = 0;
    int odd = 0, zeros = 0;
    for (int64_t i = 0; i < n; i++) {
        float y = x[i] > 0.0f ? x[i] : 0.0f;
        y = y < QL_COUNT_END ? y : 0.0f;
        int32_t whole = (int32_t)y;
        odd |= (float)whole != x[i];
        zeros |= x[i] == 0.0f;
        top = whole > top ? whole : top;
    }
    seen->counts &= !odd;
    seen->zeros |= zeros != 0;
    if (!odd && (float)top > seen->max) seen->max = (float)top;
}

/* Pieces short enough to stay in cache. */
enum { PIECE = 2048 };

/* One pass without branches, a second one only where it found something. */
static void check_block(void *ctx, int64_t item)
{
    check_job *job = ctx;
    int64_t from = (job->first + item) * BLOCK, end = from + BLOCK;
    ql_count_check *c = &job->found[item];
    *c = (ql_count_check){.first_impossible = -1, .first_fraction = -1, .first = -1};
    if (end > job->n) end = job->n;
    for (; from < end; from += PIECE) {
        int64_t n = end - from < PIECE ? end - from : PIECE;
        ql_entries_seen seen = ql_nothing_seen;
        ql_see_entries(job->data + from, n, &seen);
        if (seen.counts)
            c->max = seen.max > c->max ? seen.max : c->max;
        else
            look_closer(job->data, from, n, c);
    }
}

static void merge(ql_count_check *sum, const ql_count_check *c)
{
    if (sum->first_impossible < 0) sum->first_impossible = c->first_impossible;
    if (sum->first_fraction < 0) sum->first_fraction = c->first_fraction;
    sum->n_impossible += c->n_impossible;
    sum->n_fractions += c->n_fractions;
    sum->n_nonfinite += c->n_nonfinite;
    sum->n_huge += c->n_huge;
    if (c->max > sum->max) sum->max = c->max;
}

ql_count_check ql_check_counts(const ql_csr *m, int threads)
{
    ql_count_check sum = {.first_impossible = -1, .first_fraction = -1, .first = -1};
    check_job job = {.data = m->data, .n = ql_csr_nnz(m)};
    int64_t n_blocks = (job.n + BLOCK - 1) / BLOCK;
    for (; job.first < n_blocks; job.first += AT_ONCE) {
        int64_t n = n_blocks - job.first < AT_ONCE ? n_blocks - job.first : AT_ONCE;
        ql_parallel_for(threads, n, check_block, &job);
        for (int64_t i = 0; i < n; i++) merge(&sum, &job.found[i]);
    }
    int64_t a = sum.first_impossible, b = sum.first_fraction;
    sum.first = a < 0 ? b : b < 0 || a < b ? a : b;
    return sum;
}

ql_count_check ql_check_dataset(const ql_dataset *ds, int threads)
{
    if (ds->count_max > 0.0f)
        return (ql_count_check){
            .first_impossible = -1, .first_fraction = -1, .first = -1, .max = ds->count_max};
    return ql_check_counts(&ds->counts, threads);
}

/* Do the sums of the first rows agree to 2 %, after undoing log1p (or not)? */
static bool sums_agree(const ql_csr *m, bool logged)
{
    double lowest = INFINITY, highest = 0;
    int rows = 0;
    for (int64_t r = 0; r < m->n_rows && rows < SAMPLE_ROWS; r++) {
        double sum = 0;
        for (int64_t k = m->indptr[r]; k < m->indptr[r + 1]; k++)
            sum += logged ? expm1((double)m->data[k]) : (double)m->data[k];
        if (m->indptr[r] == m->indptr[r + 1]) continue;
        rows++;
        if (sum < lowest) lowest = sum;
        if (sum > highest) highest = sum;
    }
    return rows > 1 && lowest > 0 && highest <= 1.02 * lowest;
}

static const char *looks_like(const ql_csr *m, const ql_count_check *c)
{
    if (c->n_nonfinite > 0) return "holds values that are no finite numbers";
    if (c->n_huge > 0) return "holds values of 2147483648 and more";
    if (c->n_impossible > 0) return "looks scaled";
    if (c->max < LOG_MAX && sums_agree(m, true)) return "looks log-normalised";
    if (sums_agree(m, false)) return "looks normalised";
    if (c->max < LOG_MAX && c->n_fractions * 2 > ql_csr_nnz(m)) return "looks log-transformed";
    if (c->n_fractions * 2 > ql_csr_nnz(m)) return "looks normalised";
    return "looks like estimated counts";
}

static void append_name(ql_str *out, const char *what, const ql_names *names, int64_t i)
{
    if (i >= names->n) {
        ql_str_printf(out, "%s %" PRId64, what, i + 1);
        return;
    }
    ql_str_printf(out, "%s \"", what);
    ql_str_escape(out, ql_name(names, i), strlen(ql_name(names, i)));
    ql_str_puts(out, "\"");
}

void ql_describe_noncount(const ql_csr *m, const ql_count_check *check, int64_t entry,
                          const ql_names *cells, const ql_names *genes, ql_str *out)
{
    int64_t more = check->n_impossible + check->n_fractions - 1;
    append_name(out, "cell", cells, ql_row_of_entry(m->indptr, m->n_rows, entry));
    ql_str_puts(out, ", ");
    append_name(out, "gene", genes, m->indices[entry]);
    ql_str_printf(out, " is %.9g, no count", (double)m->data[entry]);
    if (more > 0) ql_str_printf(out, " (and %" PRId64 " more)", more);
    ql_str_printf(out, "; the matrix %s", looks_like(m, check));
}
