/* A MatrixMarket file to csr. While one block of text is parsed, in pieces cut at line ends, the
 * next one is read and inflated: both by whichever thread is free. */
#include <inttypes.h>
#include <string.h>

#include "formats.h"
#include "h5_read.h"
#include "mtx_parse.h"
#include "quell/alloc.h"
#include "quell/parallel.h"
#include "text_input.h"

enum { PIECE = 1 << 19, N_PIECES = 16, BLOCK = PIECE * N_PIECES };

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
    int now;         /* the block being parsed; the other one is being filled */
    size_t start;    /* where parsing of it begins */
    size_t keep;     /* bytes at the start of the other block that are there already */
    bool last;       /* nothing comes after the block being parsed */
    int64_t n_parts; /* of the reading of the other block */
    int n_pieces;
    size_t cut[N_PIECES + 1];
    ql_mtx_piece piece[N_PIECES];
    int64_t to[N_PIECES];          /* where a piece's entries go */
    int64_t seen_before[N_PIECES]; /* entries of the file before it */
    ql_mtx_header header;
    int64_t lines; /* before the block being parsed */
    int64_t seen;  /* entries before it */
    entries all;
    ql_status st; /* of the run so far */
    ql_err err;
} mtx_job;

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

/* --- entries --- */

static ql_status set_capacity(entries *e, int64_t cap, ql_err *err)
{
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

static ql_status grow_entries(entries *e, int64_t need, ql_err *err)
{
    return need <= e->cap ? QL_OK : set_capacity(e, need + need / 2, err);
}

/* As many as are announced, if a text of this length can hold them: a line has four bytes or more.
 */
static ql_status reserve_announced(mtx_job *job, ql_err *err)
{
    const ql_mtx_header *h = &job->header;
    int64_t length = ql_text_length(job->text);
    if (h->array || h->symmetric || h->n_entries > length / 4) return QL_OK;
    return set_capacity(&job->all, h->n_entries, err);
}

static void free_entries(entries *e)
{
    ql_free(e->row);
    ql_free(e->col);
    ql_free(e->value);
    *e = (entries){0};
}

/* Entries of an array file have no indices: they come column by column. */
static void place_array(const mtx_job *job, int i)
{
    const ql_mtx_piece *p = &job->piece[i];
    for (int64_t k = 0; k < p->n; k++) {
        int64_t at = job->seen_before[i] + p->row[k];
        p->row[k] = (int32_t)(at % job->header.n_rows);
        p->col[k] = (int32_t)(at / job->header.n_rows);
    }
}

static void keep_piece(const mtx_job *job, int i)
{
    const ql_mtx_piece *p = &job->piece[i];
    const entries *all = &job->all;
    if (p->n == 0) return;
    if (job->header.array) place_array(job, i);
    memcpy(all->row + job->to[i], p->row, (size_t)p->n * sizeof *p->row);
    memcpy(all->col + job->to[i], p->col, (size_t)p->n * sizeof *p->col);
    memcpy(all->value + job->to[i], p->value, (size_t)p->n * sizeof *p->value);
}

/* --- what can be wrong --- */

static ql_status fail_line(const mtx_job *job, const ql_mtx_piece *p, int i, ql_err *err)
{
    const char *bytes = job->block[job->now].bytes;
    size_t end = job->cut[i + 1];
    bool last = job->last && i + 1 == job->n_pieces && end > 0 && bytes[end - 1] != '\n';
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
    ql_fail(err, QL_EDATA, "announces %" PRId64 " entries, has %" PRId64 ": is it truncated?",
            job->header.n_entries, job->seen);
    return ql_hint(err, "if the file is whole and its header wrong, --allow-short reads it");
}

/* --- the steps of the one thread in charge --- */

static ql_status place_piece(mtx_job *job, int i, ql_err *err)
{
    ql_mtx_piece *p = &job->piece[i];
    if (p->bad_line > 0) return fail_line(job, p, i, err);
    job->seen_before[i] = job->seen;
    job->seen += p->n_entries;
    job->lines += p->n_lines;
    if (job->seen > job->header.n_entries) return fail_count(job, err);
    job->to[i] = job->all.n;
    job->all.n += p->n;
    return QL_OK;
}

/* After the parsing: where each piece's entries go. The block read meanwhile counts only if all is
 * well so far, so that the error given is the first one in the file. */
static ql_status settle(mtx_job *job, ql_err *err)
{
    text_block *next = &job->block[1 - job->now];
    size_t got = 0;
    for (int i = 0; i < job->n_pieces; i++) QL_TRY(place_piece(job, i, err));
    QL_TRY(grow_entries(&job->all, job->all.n, err));
    QL_TRY(ql_text_end(job->text, &got, err));
    next->len = job->keep + got;
    return QL_OK;
}

/* Before the parsing: cut the block at hand and carry its unfinished line over to the next. */
static ql_status prepare(mtx_job *job, ql_err *err)
{
    text_block *b = &job->block[job->now], *next = &job->block[1 - job->now];
    job->last = ql_text_ended(job->text);
    size_t end = b->len;
    while (!job->last && end > job->start && b->bytes[end - 1] != '\n') end--;
    if (end == job->start && b->len > BLOCK / 2)
        return ql_fail(err, QL_EDATA, "line %" PRId64 ": is longer than %d bytes", job->lines + 1,
                       BLOCK / 2);
    job->keep = b->len - end;
    memcpy(next->bytes, b->bytes + end, job->keep);
    cut_pieces(job, end);
    for (int i = 0; i < job->n_pieces; i++) {
        int64_t bytes = (int64_t)(job->cut[i + 1] - job->cut[i]);
        QL_TRY(ql_mtx_piece_reserve(&job->piece[i], bytes / 2 + 2, err));
    }
    return ql_text_begin(job->text, next->bytes + job->keep, BLOCK - job->keep, &job->n_parts, err);
}

/* --- all threads --- */

static void parse_or_read(mtx_job *job, int64_t item)
{
    if (item < job->n_parts) {
        ql_text_part(job->text, item);
        return;
    }
    int i = (int)(item - job->n_parts);
    size_t from = job->cut[i], to = job->cut[i + 1];
    ql_mtx_parse_piece(&job->header, job->block[job->now].bytes + from, to - from, &job->piece[i]);
}

static void run(void *ctx, ql_team *team, int rank)
{
    mtx_job *job = ctx;
    int64_t item;
    for (int64_t phase = 0; job->st == QL_OK; phase += 2) {
        while ((item = ql_team_next(team, rank, phase, job->n_parts + job->n_pieces)) >= 0)
            parse_or_read(job, item);
        ql_team_barrier(team);
        if (rank == 0) job->st = settle(job, &job->err);
        ql_team_barrier(team);
        if (job->st != QL_OK) return;
        while ((item = ql_team_next(team, rank, phase + 1, job->n_pieces)) >= 0)
            keep_piece(job, (int)item);
        bool last = job->last;
        ql_team_barrier(team);
        if (last) return;
        if (rank == 0) {
            job->now = 1 - job->now;
            job->start = 0;
            job->st = prepare(job, &job->err);
        }
        ql_team_barrier(team);
    }
}

static ql_status begin(mtx_job *job, const char *path, ql_err *err)
{
    text_block *b = &job->block[0];
    QL_TRY(ql_text_open(path, QL_TEXT_ALL, &job->text, err));
    QL_TRY(QL_NEW(job->block[0].bytes, BLOCK, "a block of text", err));
    QL_TRY(QL_NEW(job->block[1].bytes, BLOCK, "a block of text", err));
    QL_TRY(ql_text_read(job->text, b->bytes, BLOCK, &b->len, err));
    QL_TRY(ql_mtx_parse_header(b->bytes, b->len, &job->header, &job->start, &job->lines, err));
    return reserve_announced(job, err);
}

static ql_status read_entries(mtx_job *job, const ql_mtx_how *how, ql_notes *notes, ql_err *err)
{
    QL_TRY(prepare(job, err));
    ql_team_run(how->threads, run, job);
    if (job->st != QL_OK) {
        if (err) *err = job->err;
        return job->st;
    }
    if (job->seen == job->header.n_entries) return QL_OK;
    if (!how->allow_short) return fail_count(job, err);
    ql_note_add(notes, QL_NOTE_WARNING, "announces %" PRId64 " entries, has %" PRId64,
                job->header.n_entries, job->seen);
    return QL_OK;
}

static void end_job(mtx_job *job)
{
    ql_text_close(job->text);
    for (int i = 0; i < 2; i++) ql_free(job->block[i].bytes);
    for (int i = 0; i < N_PIECES; i++) ql_mtx_piece_free(&job->piece[i]);
    free_entries(&job->all);
}

/* --- csr --- */

static bool is_ascending(const int32_t *x, int64_t n)
{
    bool ascending = true;
    for (int64_t k = 1; k < n; k++) ascending &= x[k - 1] <= x[k];
    return ascending;
}

/* Entries that come row by row are the csr: their arrays move. */
static ql_status adopt(entries *e, bool transpose, int64_t n_rows, int64_t n_cols, ql_csr *m,
                       ql_err *err)
{
    int32_t *row = transpose ? e->col : e->row, **col = transpose ? &e->row : &e->col;
    QL_TRY(QL_NEW(m->indptr, n_rows + 1, "the row pointers of a matrix", err));
    m->n_rows = n_rows;
    m->n_cols = n_cols;
    for (int64_t k = 0, i = 0; i <= n_rows; i++) {
        while (k < e->n && row[k] < i) k++;
        m->indptr[i] = k;
    }
    int32_t *indices = ql_realloc(*col, e->n, sizeof *indices);
    if (indices) *col = indices;
    float *data = ql_realloc(e->value, e->n, sizeof *data);
    if (data) e->value = data;
    if (!indices || !data) return ql_fail(err, QL_EMEMORY, "no memory for the matrix");
    m->indices = indices;
    m->data = data;
    *col = NULL;
    e->value = NULL;
    return QL_OK;
}

/* Counting sort by row. The order within a row is the file's. */
static ql_status scatter(const entries *e, bool transpose, int64_t n_rows, int64_t n_cols,
                         ql_csr *m, ql_err *err)
{
    const int32_t *row = transpose ? e->col : e->row, *col = transpose ? e->row : e->col;
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

static ql_status build(mtx_job *job, bool transpose, ql_csr *m, ql_err *err)
{
    const ql_mtx_header *h = &job->header;
    entries *e = &job->all;
    int64_t n_rows = transpose ? h->n_cols : h->n_rows, n_cols = transpose ? h->n_rows : h->n_cols;
    ql_text_close(job->text); /* perhaps the whole text in memory */
    job->text = NULL;
    if (e->n > 0 && is_ascending(transpose ? e->col : e->row, e->n))
        return adopt(e, transpose, n_rows, n_cols, m, err);
    return scatter(e, transpose, n_rows, n_cols, m, err);
}

ql_status ql_mtx_read_header(const char *path, ql_mtx_header *header, ql_err *err)
{
    enum { HEAD = 1 << 17 };
    ql_text *text = NULL;
    char *bytes = NULL;
    size_t got = 0, used = 0;
    int64_t lines = 0;
    ql_status st;
    QL_GO(ql_text_open(path, QL_TEXT_HEAD, &text, err));
    QL_GO(QL_NEW(bytes, HEAD, "a block of text", err));
    QL_GO(ql_text_read(text, bytes, HEAD, &got, err));
    st = ql_mtx_parse_header(bytes, got, header, &used, &lines, err);
out:
    ql_free(bytes);
    ql_text_close(text);
    return st;
}

ql_status ql_mtx_read(const char *path, const ql_mtx_how *how, ql_csr *m, ql_notes *notes,
                      ql_err *err)
{
    int64_t n_duplicates = 0;
    mtx_job *job = NULL;
    ql_status st;
    QL_TRY(QL_NEW(job, 1, "a parser", err));
    QL_GO(begin(job, path, err));
    QL_GO(read_entries(job, how, notes, err));
    if (job->header.symmetric)
        ql_note_add(notes, QL_NOTE_WARNING,
                    "%s: is symmetric: each entry off the diagonal counts twice", path);
    QL_GO(build(job, how->transpose, m, err));
    free_entries(&job->all);
    QL_GO(ql_csr_normalise(m, &n_duplicates, err));
    ql_note_duplicates(n_duplicates, notes);
out:
    if (st != QL_OK) ql_csr_free(m);
    end_job(job);
    ql_free(job);
    return st;
}
