/* A MatrixMarket file to csr. While one block of text is parsed by all threads, in pieces cut at
 * line ends, the next one is read and inflated by one of them. */
#include <inttypes.h>
#include <string.h>

#include "h5_read.h"
#include "mtx_parse.h"
#include "quell/alloc.h"
#include "quell/parallel.h"
#include "text_input.h"

enum { PIECE = 1 << 20, N_PIECES = 8, BLOCK = PIECE * N_PIECES };

typedef struct {
    char *bytes; /* [BLOCK]; owned */
    size_t len;
} text_block;

/* Entries in file order. */
typedef struct {
    int32_t *row, *col; /* owned */
    float *value;       /* owned */
    int64_t n, cap;
} entries;

typedef struct {
    ql_text *text;
    text_block block[2];
    int now;      /* the block being parsed; the other one is being filled */
    size_t start; /* where parsing of it begins */
    size_t keep;  /* bytes at the start of the other block that are there already */
    bool eof;     /* nothing came after the block being parsed */
    int n_pieces;
    size_t cut[N_PIECES + 1];
    ql_mtx_piece piece[N_PIECES];
    ql_mtx_header header;
    int64_t lines; /* before the block being parsed */
    int64_t seen;  /* entries before it */
    entries all;
    ql_status read_status;
    ql_err read_err;
} mtx_job;

static void fill_other(mtx_job *job)
{
    text_block *next = &job->block[1 - job->now];
    size_t got = 0;
    job->read_status =
        ql_text_read(job->text, next->bytes + job->keep, BLOCK - job->keep, &got, &job->read_err);
    next->len = job->keep + got;
}

static void work_item(void *ctx, int64_t item)
{
    mtx_job *job = ctx;
    if (item == 0) {
        fill_other(job);
        return;
    }
    size_t from = job->cut[item - 1], to = job->cut[item];
    ql_mtx_parse_piece(&job->header, job->block[job->now].bytes + from, to - from,
                       &job->piece[item - 1]);
}

/* Cut bytes [start, end) into pieces of whole lines; end lies behind a newline or is the end. */
static void cut_pieces(mtx_job *job, size_t end)
{
    const char *bytes = job->block[job->now].bytes;
    size_t at = job->start;
    job->n_pieces = 0;
    job->cut[0] = at;
    while (at < end) {
        const char *eol = NULL;
        if (job->n_pieces < N_PIECES - 1 && end - at > PIECE)
            eol = memchr(bytes + at + PIECE, '\n', end - at - PIECE);
        at = eol ? (size_t)(eol + 1 - bytes) : end;
        job->cut[++job->n_pieces] = at;
    }
}

static ql_status grow_entries(entries *e, int64_t need, ql_err *err)
{
    if (need <= e->cap) return QL_OK;
    int64_t cap = need + need / 2;
    QL_TRY(ql_h5r_need_memory((double)(cap - e->cap) * 12.0, "the matrix", err));
    int32_t *row = ql_realloc(e->row, cap, sizeof *row);
    if (row) e->row = row;
    int32_t *col = row ? ql_realloc(e->col, cap, sizeof *col) : NULL;
    if (col) e->col = col;
    float *value = col ? ql_realloc(e->value, cap, sizeof *value) : NULL;
    if (!value) return ql_fail(err, QL_EMEMORY, "no memory for %" PRId64 " entries", cap);
    e->value = value;
    e->cap = cap;
    return QL_OK;
}

static void free_entries(entries *e)
{
    ql_free(e->row);
    ql_free(e->col);
    ql_free(e->value);
    *e = (entries){0};
}

static void push(entries *e, int32_t row, int32_t col, float value)
{
    if (value == 0.0f) return;
    e->row[e->n] = row;
    e->col[e->n] = col;
    e->value[e->n++] = value;
}

static ql_status fail_line(const mtx_job *job, const ql_mtx_piece *p, int i, ql_err *err)
{
    const char *bytes = job->block[job->now].bytes;
    size_t end = job->cut[i + 1];
    bool last = job->eof && i + 1 == job->n_pieces && end > 0 && bytes[end - 1] != '\n';
    int64_t lines = 1;
    for (size_t k = job->cut[i]; last && k < end; k++) lines += bytes[k] == '\n';
    ql_fail(err, QL_EDATA, "line %" PRId64 ": %s", job->lines + p->bad_line, p->why);
    if (last && lines == p->bad_line)
        ql_hint(err, "the file ends in the middle of this line: was it cut?");
    return QL_EDATA;
}

static ql_status fail_count(const mtx_job *job, ql_err *err)
{
    if (job->seen > job->header.n_entries)
        return ql_fail(err, QL_EDATA, "announces %" PRId64 " entries, but has more",
                       job->header.n_entries);
    return ql_fail(err, QL_EDATA,
                   "announces %" PRId64 " entries, has %" PRId64 ": is it truncated?",
                   job->header.n_entries, job->seen);
}

/* Entries of an array file have no indices: they come column by column. */
static void place_array(const mtx_job *job, ql_mtx_piece *p)
{
    for (int64_t k = 0; k < p->n; k++) {
        p->row[k] = (int32_t)((job->seen + k) % job->header.n_rows);
        p->col[k] = (int32_t)((job->seen + k) / job->header.n_rows);
    }
}

static ql_status take_piece(mtx_job *job, int i, ql_err *err)
{
    ql_mtx_piece *p = &job->piece[i];
    const ql_mtx_header *h = &job->header;
    if (p->bad_line > 0) return fail_line(job, p, i, err);
    if (p->n > h->n_entries - job->seen) {
        job->seen += p->n;
        return fail_count(job, err);
    }
    QL_TRY(grow_entries(&job->all, job->all.n + p->n * (h->symmetric ? 2 : 1), err));
    if (h->array) place_array(job, p);
    for (int64_t k = 0; k < p->n; k++) {
        push(&job->all, p->row[k], p->col[k], p->value[k]);
        if (h->symmetric && p->row[k] != p->col[k])
            push(&job->all, p->col[k], p->row[k], p->value[k]);
    }
    job->seen += p->n;
    job->lines += p->n_lines;
    return QL_OK;
}

/* Parse the block at hand while the next one is read. */
static ql_status step(mtx_job *job, int threads, ql_err *err)
{
    text_block *b = &job->block[job->now], *next = &job->block[1 - job->now];
    job->eof = b->len < BLOCK;
    size_t end = b->len;
    while (!job->eof && end > job->start && b->bytes[end - 1] != '\n') end--;
    if (end == job->start && !job->eof)
        return ql_fail(err, QL_EDATA, "line %" PRId64 ": is longer than %d bytes", job->lines + 1,
                       BLOCK);
    job->keep = b->len - end;
    memcpy(next->bytes, b->bytes + end, job->keep);
    next->len = job->keep;
    cut_pieces(job, end);
    for (int i = 0; i < job->n_pieces; i++) {
        int64_t bytes = (int64_t)(job->cut[i + 1] - job->cut[i]);
        QL_TRY(ql_mtx_piece_reserve(&job->piece[i], bytes / 2 + 1, err));
    }
    ql_parallel_for(threads, job->n_pieces + 1, work_item, job);
    for (int i = 0; i < job->n_pieces; i++) QL_TRY(take_piece(job, i, err));
    if (job->read_status != QL_OK && err) *err = job->read_err;
    job->now = 1 - job->now;
    job->start = 0;
    return job->read_status;
}

static ql_status begin(mtx_job *job, const char *path, ql_err *err)
{
    text_block *b = &job->block[0];
    QL_TRY(ql_text_open(path, &job->text, err));
    QL_TRY(QL_NEW(job->block[0].bytes, BLOCK, "a block of text", err));
    QL_TRY(QL_NEW(job->block[1].bytes, BLOCK, "a block of text", err));
    QL_TRY(ql_text_read(job->text, b->bytes, BLOCK, &b->len, err));
    return ql_mtx_parse_header(b->bytes, b->len, &job->header, &job->start, &job->lines, err);
}

static ql_status read_entries(mtx_job *job, int threads, ql_err *err)
{
    do QL_TRY(step(job, threads, err));
    while (!job->eof);
    return job->seen == job->header.n_entries ? QL_OK : fail_count(job, err);
}

static void end_job(mtx_job *job)
{
    ql_text_close(job->text);
    for (int i = 0; i < 2; i++) ql_free(job->block[i].bytes);
    for (int i = 0; i < N_PIECES; i++) ql_mtx_piece_free(&job->piece[i]);
    free_entries(&job->all);
}

/* Counting sort by row. The order within a row is the file's, so a file written cell by cell is
 * sorted already. */
static ql_status build(const entries *e, const int32_t *row, const int32_t *col, int64_t n_rows,
                       int64_t n_cols, ql_csr *m, ql_err *err)
{
    QL_TRY(ql_csr_alloc(m, n_rows, n_cols, e->n, err));
    int64_t *at = m->indptr;
    for (int64_t k = 0; k < e->n; k++) at[row[k] + 1]++;
    for (int64_t i = 0; i < n_rows; i++) at[i + 1] += at[i];
    for (int64_t k = 0; k < e->n; k++) {
        int64_t to = at[row[k]]++;
        m->indices[to] = col[k];
        m->data[to] = e->value[k];
    }
    memmove(at + 1, at, (size_t)n_rows * sizeof *at);
    at[0] = 0;
    return QL_OK;
}

ql_status ql_mtx_read_header(const char *path, ql_mtx_header *header, ql_err *err)
{
    enum { HEAD = 1 << 20 };
    ql_text *text = NULL;
    char *bytes = NULL;
    size_t got = 0, used = 0;
    int64_t lines = 0;
    ql_status st;
    QL_GO(ql_text_open(path, &text, err));
    QL_GO(QL_NEW(bytes, HEAD, "a block of text", err));
    QL_GO(ql_text_read(text, bytes, HEAD, &got, err));
    st = ql_mtx_parse_header(bytes, got, header, &used, &lines, err);
out:
    ql_free(bytes);
    ql_text_close(text);
    return st;
}

ql_status ql_mtx_read(const char *path, bool transpose, int threads, ql_csr *m,
                      int64_t *n_duplicates, ql_notes *notes, ql_err *err)
{
    mtx_job *job = NULL;
    ql_status st;
    QL_TRY(QL_NEW(job, 1, "a parser", err));
    QL_GO(begin(job, path, err));
    QL_GO(read_entries(job, threads, err));
    if (job->header.symmetric)
        ql_note_add(notes, QL_NOTE_WARNING,
                    "%s: is symmetric: each entry off the diagonal counts twice", path);
    const ql_mtx_header *h = &job->header;
    entries *e = &job->all;
    if (transpose)
        QL_GO(build(e, e->col, e->row, h->n_cols, h->n_rows, m, err));
    else
        QL_GO(build(e, e->row, e->col, h->n_rows, h->n_cols, m, err));
    free_entries(e);
    QL_GO(ql_csr_normalise(m, n_duplicates, err));
out:
    if (st != QL_OK) ql_csr_free(m);
    end_job(job);
    ql_free(job);
    return st;
}
