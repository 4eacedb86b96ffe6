#include "quell/tsv_writer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../file/out_file.h"
#include "quell/alloc.h"
#include "quell/interrupt.h"
#include "quell/parallel.h"
#include "text_field.h"

enum {
    BLOCK_BYTES = 4 << 20,    /* numbers asked of the caller at a time: 2^20 */
    SEGMENT_VALUES = 1 << 14, /* formatted by one thread at a time */
    MAX_SEGMENTS = 64,        /* in a parallel region: a block's, 30 ms of work */
    DECIMALS = 6,
    SCALE = 1000000,
};

/* ---- one number ---- */

static const char digit_pairs[] = "00010203040506070809101112131415161718192021222324"
                                  "25262728293031323334353637383940414243444546474849"
                                  "50515253545556575859606162636465666768697071727374"
                                  "75767778798081828384858687888990919293949596979899";

/* |x| * 10^6 as a whole number, rounded as printf rounds: a float is m * 2^e with m < 2^24, so
 * m * 10^6 is exact in 64 bits and only the shift rounds. */
static uint64_t micros(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t biased = bits >> 23 & 0xff;
    uint64_t m = (bits & 0x7fffff) | (biased ? 0x800000u : 0);
    int e = (int)(biased ? biased : 1) - 150;

    m *= SCALE;
    if (e >= 0) return m << e;
    if (e < -60) return 0; /* m < 2^44: far below a half */
    uint64_t floor = m >> -e, rest = m & ((1ull << -e) - 1), half = 1ull << (-e - 1);
    return floor + (rest > half || (rest == half && (floor & 1)));
}

/* The digits of n, at least min of them. */
static int put_digits(char *out, uint64_t n, int min)
{
    char text[24];
    char *p = text + sizeof text;
    for (; n >= 100; n /= 100) memcpy(p -= 2, digit_pairs + n % 100 * 2, 2);
    if (n >= 10)
        memcpy(p -= 2, digit_pairs + n * 2, 2);
    else
        *--p = (char)('0' + n);
    while (text + sizeof text - p < min) *--p = '0';
    size_t len = (size_t)(text + sizeof text - p);
    memcpy(out, p, len);
    return (int)len;
}

int ql_tsv_number(char out[QL_TSV_NUMBER_MAX], float x)
{
    if (isnan(x)) return 0;
    if (fabsf(x) >= 1e9f) {
        return snprintf(out, QL_TSV_NUMBER_MAX, "%.6f", (double)x);
    }
    uint64_t n = micros(x);
    int len = 0;
    if (signbit(x)) out[len++] = '-';
    len += put_digits(out + len, n / SCALE, 1);
    out[len++] = '.';
    return len + put_digits(out + len, n % SCALE, DECIMALS);
}

/* ---- names ---- */

/* Bytes that the longest name may take, as ql_field_put writes it. */
static size_t longest_name(const ql_names *names)
{
    size_t longest = 0;
    for (int64_t i = 0; i < names->n; i++) {
        size_t room = ql_field_room(ql_name(names, i));
        if (room > longest) longest = room;
    }
    return longest;
}

/* ---- the table ---- */

/* Text of a run of values, row by row. */
typedef struct {
    char *text;
    size_t len, cap;
} segment;

typedef struct {
    const ql_tsv_table *table;
    ql_out_file file;
    float *values; /* one block of rows */
    int64_t block_rows;
    segment *segments;
    int n_segments;
    size_t row_name; /* most bytes of a row's name as written, with its tab */
    int64_t row0, n; /* the block in hand: first row, number of values */
    int64_t first;   /* its first value in segments[0] */
} tsv_job;

static void format_item(void *ctx, int64_t item)
{
    tsv_job *job = ctx;
    const ql_tsv_table *t = job->table;
    segment *s = &job->segments[item];
    int64_t from = job->first + item * SEGMENT_VALUES, to = from + SEGMENT_VALUES;
    char *p = s->text;

    if (to > job->n) to = job->n;
    int64_t row = from / t->n_cols, col = from % t->n_cols;
    for (int64_t i = from; i < to; i++) {
        bool named = col == 0 && t->row_names;
        if (named) p += ql_field_put(p, ql_name(t->row_names, job->row0 + row), '\t');
        if (named || col > 0) *p++ = '\t';
        p += ql_tsv_number(p, job->values[i]);
        if (++col < t->n_cols) continue;
        *p++ = '\n';
        col = 0;
        row++;
    }
    s->len = (size_t)(p - s->text);
}

/* Most bytes that a number of the block takes, with a tab and a line end. */
static size_t number_width(const tsv_job *job)
{
    float most = 0;
    for (int64_t i = 0; i < job->n; i++) {
        float size = fabsf(job->values[i]);
        if (size > most) most = size;
    }
    if (!(most < 1e8f)) return QL_TSV_NUMBER_MAX + 2;
    size_t digits = 1;
    for (float limit = 9.0f; most > limit; limit *= 10.0f) digits++;
    return digits + sizeof "-.\t\n" + DECIMALS;
}

/* Numbers above 10^8 are rare, so room for them is made when they come. */
static ql_status make_room(tsv_job *job, ql_err *err)
{
    size_t starts = SEGMENT_VALUES / (size_t)job->table->n_cols + 2;
    size_t size = SEGMENT_VALUES * number_width(job) + starts * job->row_name;

    for (int i = 0; i < job->n_segments; i++) {
        segment *s = &job->segments[i];
        if (s->cap >= size) continue;
        ql_free(s->text);
        *s = (segment){0};
        QL_TRY(QL_NEW(s->text, (int64_t)size, "text of the table", err));
        s->cap = size;
    }
    return QL_OK;
}

static ql_status write_block(tsv_job *job, int64_t row0, int64_t n_rows, ql_err *err)
{
    const ql_tsv_table *t = job->table;
    int64_t step = (int64_t)job->n_segments * SEGMENT_VALUES;

    QL_TRY(ql_interrupt_check(err));
    QL_TRY(t->fill(t->ctx, row0, n_rows, job->values, err));
    job->row0 = row0;
    job->n = n_rows * t->n_cols;
    QL_TRY(make_room(job, err));
    for (job->first = 0; job->first < job->n; job->first += step) {
        int64_t left = (job->n - job->first + SEGMENT_VALUES - 1) / SEGMENT_VALUES;
        int64_t now = left < job->n_segments ? left : job->n_segments;
        ql_parallel_for(t->threads > 1 ? t->threads : 1, now, format_item, job);
        for (int64_t i = 0; i < now; i++) {
            QL_TRY(ql_out_write(&job->file, job->segments[i].text, job->segments[i].len, err));
        }
    }
    return QL_OK;
}

static ql_status write_header(tsv_job *job, ql_err *err)
{
    const ql_tsv_table *t = job->table;
    char *line = NULL;
    size_t n = 0;

    if (!t->header) return QL_OK;
    int64_t most = 1;
    for (int64_t i = 0; i < t->n_cols; i++) most += 2 * (int64_t)strlen(ql_name(t->header, i)) + 3;
    QL_TRY(QL_NEW(line, most, "a header line", err));
    for (int64_t i = 0; i < t->n_cols; i++) {
        if (i > 0 || t->row_names) line[n++] = '\t';
        n += ql_field_put(line + n, ql_name(t->header, i), '\t');
    }
    line[n++] = '\n';
    ql_status st = ql_out_write(&job->file, line, n, err);
    ql_free(line);
    return st;
}

static ql_status check_table(const ql_tsv_table *t, ql_err *err)
{
    bool fits = t->n_rows >= 0 && t->n_cols >= 1 && t->n_cols <= INT64_MAX / 64 &&
                (!t->header || t->header->n == t->n_cols) &&
                (!t->row_names || t->row_names->n == t->n_rows);
    if (fits) return QL_OK;
    return ql_fail(err, QL_EINTERNAL, "a table of %lld x %lld with other numbers of names",
                   (long long)t->n_rows, (long long)t->n_cols);
}

static ql_status make_buffers(tsv_job *job, ql_err *err)
{
    const ql_tsv_table *t = job->table;
    int64_t rows = t->block_rows > 0 ? t->block_rows : BLOCK_BYTES / 4 / t->n_cols;

    if (rows > t->n_rows) rows = t->n_rows;
    if (rows < 1) rows = 1;
    job->block_rows = rows;
    QL_TRY(ql_new_((void **)&job->values, rows, (size_t)t->n_cols * sizeof(float),
                   "rows of the table", err));
    int64_t segments = (rows * t->n_cols + SEGMENT_VALUES - 1) / SEGMENT_VALUES;
    job->n_segments = segments < MAX_SEGMENTS ? (int)segments : MAX_SEGMENTS;
    job->row_name = t->row_names ? longest_name(t->row_names) + 1 : 0;
    return QL_NEW(job->segments, job->n_segments, "text of the table", err);
}

static void free_buffers(tsv_job *job)
{
    for (int i = 0; job->segments && i < job->n_segments; i++) ql_free(job->segments[i].text);
    ql_free(job->segments);
    ql_free(job->values);
}

ql_status ql_tsv_write(const char *path, const ql_tsv_table *table, ql_err *err)
{
    tsv_job job = {.table = table};
    ql_status st;

    QL_TRY(check_table(table, err));
    QL_TRY(ql_out_begin(&job.file, path, NULL, table->force, err));
    QL_GO(make_buffers(&job, err));
    QL_GO(write_header(&job, err));
    for (int64_t row = 0; row < table->n_rows; row += job.block_rows) {
        int64_t left = table->n_rows - row;
        QL_GO(write_block(&job, row, left < job.block_rows ? left : job.block_rows, err));
    }
    QL_GO(ql_out_commit(&job.file, err));
out:
    if (st != QL_OK) ql_out_abort(&job.file);
    free_buffers(&job);
    return st;
}
