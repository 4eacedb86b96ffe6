/* A MatrixMarket file to csr. */
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "../counts/triplets.h"
#include "../text/line_blocks.h"
#include "../text/text_input.h"
#include "../text/wording.h"
#include "mtx_parse.h"
#include "quell/alloc.h"
#include "quell/reader.h"

enum { LONGEST_LINE = 1 << 22 };

typedef struct {
    ql_blocks *blocks;
    size_t start; /* of the entries in the first block */
    ql_mtx_piece piece[QL_PIECES];
    int64_t to[QL_PIECES];          /* where a piece's entries go */
    int64_t seen_before[QL_PIECES]; /* entries of the file before it */
    ql_mtx_header header;
    int64_t lines;      /* before the piece to be taken */
    int64_t seen;       /* entries before it */
    ql_triplets all;    /* in file order */
    ql_mtx_taker *take; /* instead of keeping them; NULL: keep */
    void *ctx;
    bool transpose; /* for take */
} mtx_job;

/* --- entries --- */

static ql_status set_capacity(ql_triplets *e, int64_t cap, ql_err *err)
{
    QL_TRY(ql_need_memory((double)(cap - e->cap) * 12.0, "the matrix", err));
    return ql_triplets_reserve(e, cap, err);
}

static ql_status grow_entries(ql_triplets *e, int64_t need, ql_err *err)
{
    return need <= e->cap ? QL_OK : set_capacity(e, need + need / 2, err);
}

/* As many as are announced, if a text of this length can hold them: a line has four bytes or more.
 */
static ql_status reserve_announced(mtx_job *job, ql_err *err)
{
    const ql_mtx_header *h = &job->header;
    int64_t length = ql_blocks_length(job->blocks);
    if (h->array || h->symmetric || h->n_entries > length / 4) return QL_OK;
    return set_capacity(&job->all, h->n_entries, err);
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

static void keep_piece(void *ctx, int i)
{
    const mtx_job *job = ctx;
    const ql_mtx_piece *p = &job->piece[i];
    const ql_triplets *all = &job->all;
    if (p->n == 0 || job->take) return;
    if (job->header.array) place_array(job, i);
    memcpy(all->row + job->to[i], p->row, (size_t)p->n * sizeof *p->row);
    memcpy(all->col + job->to[i], p->col, (size_t)p->n * sizeof *p->col);
    memcpy(all->value + job->to[i], p->value, (size_t)p->n * sizeof *p->value);
}

/* --- what can be wrong --- */

static ql_status fail_line(const mtx_job *job, const ql_mtx_piece *p, const char *text, size_t n,
                           ql_err *err)
{
    bool cut = n > 0 && text[n - 1] != '\n'; /* only at the end of the file */
    int64_t lines = 1;
    for (size_t k = 0; cut && k < n; k++) lines += text[k] == '\n';
    ql_fail(err, QL_EDATA, "line %" PRId64 ": %s", job->lines + p->bad_line, p->why);
    if (cut && lines == p->bad_line)
        ql_hint(err, QL_EDATA, "the file ends in the middle of this line: was it cut?");
    return QL_EDATA;
}

static ql_status fail_count(const mtx_job *job, ql_err *err)
{
    if (job->seen > job->header.n_entries)
        return ql_fail(err, QL_EDATA, "announces %" PRId64 " entries, but has more",
                       job->header.n_entries);
    ql_fail(err, QL_EDATA, "announces %" PRId64 " entries, has %" PRId64 ": is it truncated?",
            job->header.n_entries, job->seen);
    return ql_hint(err, QL_EDATA,
                   "if the file is whole and its header wrong, --allow-short reads it");
}

/* --- pieces --- */

static ql_status reserve(void *ctx, int i, size_t n, ql_err *err)
{
    mtx_job *job = ctx;
    return ql_mtx_piece_reserve(&job->piece[i], (int64_t)n / 2 + 2, err);
}

static void parse_piece(void *ctx, int i, const char *text, size_t n)
{
    mtx_job *job = ctx;
    ql_mtx_parse_piece(&job->header, text, n, &job->piece[i]);
}

static ql_status hand_over(mtx_job *job, int i, ql_err *err)
{
    const ql_mtx_piece *p = &job->piece[i];
    if (job->header.array) place_array(job, i);
    return job->take(job->ctx, job->transpose ? p->col : p->row, job->transpose ? p->row : p->col,
                     p->value, p->n, err);
}

/* Where the piece's entries go. */
static ql_status take_piece(void *ctx, int i, const char *text, size_t n, ql_err *err)
{
    mtx_job *job = ctx;
    const ql_mtx_piece *p = &job->piece[i];
    if (p->bad_line > 0) return fail_line(job, p, text, n, err);
    job->seen_before[i] = job->seen;
    job->seen += p->n_entries;
    job->lines += p->n_lines;
    if (job->seen > job->header.n_entries) return fail_count(job, err);
    if (job->take) return hand_over(job, i, err);
    job->to[i] = job->all.n;
    job->all.n += p->n;
    return grow_entries(&job->all, job->all.n, err);
}

static ql_status begin(mtx_job *job, const char *path, ql_err *err)
{
    size_t n;
    bool all;
    QL_TRY(ql_blocks_open(path, job->take ? QL_TEXT_BOUNDED : QL_TEXT_ALL, &job->blocks, err));
    const char *head = ql_blocks_head(job->blocks, &n, &all);
    QL_TRY(ql_mtx_parse_header(head, n, &job->header, &job->start, &job->lines, err));
    return job->take ? QL_OK : reserve_announced(job, err);
}

static ql_status read_entries(mtx_job *job, const ql_mtx_how *how, ql_notes *notes, ql_err *err)
{
    static const ql_piece_work work = {.reserve = reserve,
                                       .parse = parse_piece,
                                       .take = take_piece,
                                       .keep = keep_piece,
                                       .longest = LONGEST_LINE};
    QL_TRY(ql_blocks_run(job->blocks, job->start, how->threads, &work, job, err));
    if (job->seen == job->header.n_entries) return QL_OK;
    if (!how->allow_short) return fail_count(job, err);
    ql_note_add(notes, QL_NOTE_WARNING, "announces %" PRId64 " entries, has %" PRId64,
                job->header.n_entries, job->seen);
    return QL_OK;
}

static void end_job(mtx_job *job)
{
    ql_blocks_close(job->blocks);
    for (int i = 0; i < QL_PIECES; i++) ql_mtx_piece_free(&job->piece[i]);
    ql_triplets_free(&job->all);
}

/* --- csr --- */

static bool is_ascending(const int32_t *x, int64_t n)
{
    bool ascending = true;
    for (int64_t k = 1; k < n; k++) ascending &= x[k - 1] <= x[k];
    return ascending;
}

/* Entries that come row by row are the csr: their arrays move. */
static ql_status adopt(ql_triplets *e, bool transpose, int64_t n_rows, int64_t n_cols, ql_csr *m,
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

static ql_status build(mtx_job *job, bool transpose, ql_csr *m, ql_err *err)
{
    const ql_mtx_header *h = &job->header;
    ql_triplets *e = &job->all;
    int64_t n_rows = transpose ? h->n_cols : h->n_rows, n_cols = transpose ? h->n_rows : h->n_cols;
    ql_blocks_close(job->blocks); /* perhaps the whole text in memory */
    job->blocks = NULL;
    if (e->n > 0 && is_ascending(transpose ? e->col : e->row, e->n))
        return adopt(e, transpose, n_rows, n_cols, m, err);
    return ql_triplets_to_csr(transpose ? e->col : e->row, transpose ? e->row : e->col, e->value,
                              e->n, n_rows, n_cols, m, err);
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

static void note_symmetric(const mtx_job *job, const char *path, ql_notes *notes)
{
    if (job->header.symmetric)
        ql_note_add(notes, QL_NOTE_WARNING,
                    "%s: is symmetric: each entry off the diagonal counts twice", path);
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
    note_symmetric(job, path, notes);
    QL_GO(build(job, how->transpose, m, err));
    ql_triplets_free(&job->all);
    QL_GO(ql_csr_normalise(m, &n_duplicates, err));
    ql_note_duplicates(n_duplicates, notes);
out:
    if (st != QL_OK) ql_csr_free(m);
    end_job(job);
    ql_free(job);
    return st;
}

static ql_status check_shape(const mtx_job *job, int64_t n_rows, int64_t n_cols, ql_err *err)
{
    const ql_mtx_header *h = &job->header;
    if ((job->transpose ? h->n_cols : h->n_rows) == n_rows &&
        (job->transpose ? h->n_rows : h->n_cols) == n_cols)
        return QL_OK;
    return ql_fail(err, QL_EDATA, "changed while it was read");
}

ql_status ql_mtx_read_entries(const char *path, const ql_mtx_how *how, int64_t n_rows,
                              int64_t n_cols, ql_mtx_taker *take, void *ctx, ql_notes *notes,
                              ql_err *err)
{
    mtx_job *job = NULL;
    ql_status st;
    QL_TRY(QL_NEW(job, 1, "a parser", err));
    job->take = take;
    job->ctx = ctx;
    job->transpose = how->transpose;
    QL_GO(begin(job, path, err));
    QL_GO(check_shape(job, n_rows, n_cols, err));
    QL_GO(read_entries(job, how, notes, err));
    note_symmetric(job, path, notes);
out:
    end_job(job);
    ql_free(job);
    return st;
}

/* Two numbers and two separators each, deflated a thousandfold at best. */
int64_t ql_mtx_believable(const char *path, const ql_mtx_header *header)
{
    struct stat s;
    size_t n = strlen(path);
    bool gzip = n > 3 && strcmp(path + n - 3, ".gz") == 0;
    if (stat(path, &s) != 0) return 0;
    int64_t most = (int64_t)s.st_size / 4 * (gzip ? 1032 : 1);
    return (header->n_entries < most ? header->n_entries : most) * (header->symmetric ? 2 : 1);
}
