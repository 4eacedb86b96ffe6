/* Latent spaces of all cells, in blocks that the threads share. */
#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/parallel.h"
#include "quell/scdha_fit.h"

enum { RANGE = 1024 }; /* rows of one piece of work */

/* Work space of a thread. */
typedef struct {
    ql_row_cursor cursor;
    ql_scdha_cell cell;
    ql_wide_batch batch;
    ql_real *numbers;
} reader_space;

typedef struct {
    const ql_scdha *fit;
    const ql_rows *rows;
    ql_scdha_reader reader;
    reader_space *space; /* [threads] */
    float *out;
    int64_t stride;
} job;

static void space_free(reader_space *s)
{
    ql_cursor_close(&s->cursor);
    ql_scdha_cell_free(&s->cell);
    ql_wide_batch_free(&s->batch);
    ql_free(s->numbers);
}

static ql_status space_new(const job *j, reader_space *s, ql_err *err)
{
    const int64_t most = j->fit->scale.negative ? j->fit->scale.n_kept : j->rows->max_row;
    const ql_scdha_reader *r = &j->reader;
    QL_TRY(ql_cursor_open(&s->cursor, j->rows, err));
    QL_TRY(ql_scdha_cell_new(&j->fit->scale, j->rows->max_row, &s->cell, err));
    QL_TRY(ql_wide_batch_new(&s->batch, QL_SCDHA_BLOCK, most, err));
    return QL_NEW(s->numbers, QL_SCDHA_BLOCK * (2 * r->ld + r->ldl), "a latent space", err);
}

/* Append a cell's inputs in the chosen genes; returns whether it has any inputs at all. */
static bool append(const job *j, reader_space *s, int64_t row)
{
    const int32_t *column = j->fit->column;
    ql_wide_batch *b = &s->batch;
    int64_t at = b->start[b->n];
    ql_scdha_cell_make(&j->fit->scale, j->reader.kern, ql_cursor_row(&s->cursor, row), &s->cell);
    for (int64_t k = 0; k < s->cell.n; k++) {
        const int32_t col = column[s->cell.gene[k]];
        if (col < 0) continue;
        b->gene[at] = col;
        b->value[at++] = s->cell.value[k];
    }
    b->start[++b->n] = at;
    return s->cell.n > 0;
}

static void read_block(job *j, reader_space *s, int64_t first, int64_t n)
{
    const int64_t latent = j->fit->opt.latent;
    bool empty[QL_SCDHA_BLOCK];
    s->batch.n = s->batch.start[0] = 0;
    for (int64_t i = 0; i < n; i++) empty[i] = !append(j, s, first + i);
    ql_scdha_read(&j->reader, &s->batch, s->numbers, j->out + first * j->stride, j->stride);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; empty[i] && k < latent; k++) j->out[(first + i) * j->stride + k] = NAN;
}

static void read_range(void *ctx, ql_team *team, int rank)
{
    job *j = ctx;
    const int64_t n = j->rows->n_rows, pieces = (n + RANGE - 1) / RANGE;
    for (int64_t piece; (piece = ql_team_next(team, rank, 0, pieces)) >= 0;) {
        const int64_t end = (piece + 1) * RANGE < n ? (piece + 1) * RANGE : n;
        for (int64_t at = piece * RANGE; at < end; at += QL_SCDHA_BLOCK)
            read_block(j, &j->space[rank], at,
                       end - at < QL_SCDHA_BLOCK ? end - at : QL_SCDHA_BLOCK);
    }
}

ql_status ql_scdha_latents(const ql_scdha *f, const ql_rows *rows, int which, const ql_kern *kern,
                           float *out, int64_t stride, ql_err *err)
{
    job j = {.fit = f, .rows = rows, .out = out, .stride = stride};
    const int threads = f->opt.threads > 1 ? f->opt.threads : 1;
    ql_status st;
    QL_GO(ql_scdha_reader_new(&j.reader, &f->encoder[which], kern, err));
    QL_GO(QL_NEW(j.space, threads, "a latent space", err));
    for (int i = 0; i < threads; i++) QL_GO(space_new(&j, &j.space[i], err));
    ql_team_run(threads, read_range, &j);
    st = ql_rows_check(rows, err);
out:
    for (int i = 0; j.space && i < threads; i++) space_free(&j.space[i]);
    ql_free(j.space);
    ql_scdha_reader_free(&j.reader);
    return st;
}

ql_status ql_scdha_result_of(const ql_scdha *f, const ql_rows *rows, const ql_kern *kern,
                             float *out, ql_err *err)
{
    const int64_t width = ql_scdha_width(&f->opt);
    if (f->returned >= 0) return ql_scdha_latents(f, rows, f->returned, kern, out, width, err);
    for (int m = 0; m < f->opt.models; m++) {
        const int last = (m + 1) * (int)f->opt.snapshots - 1;
        QL_TRY(ql_scdha_latents(f, rows, last, kern, out + m * f->opt.latent, width, err));
    }
    return QL_OK;
}
