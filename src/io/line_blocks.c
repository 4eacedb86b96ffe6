#include "line_blocks.h"

#include <string.h>

#include "quell/alloc.h"
#include "quell/interrupt.h"
#include "quell/parallel.h"
#include "text_input.h"

enum { PIECE = 1 << 20, BLOCK = PIECE * QL_PIECES, LONGEST = 1 << 30 };

typedef struct {
    char *bytes; /* [cap]; owned */
    size_t len, cap;
} block;

struct ql_blocks {
    ql_text *text;
    block side[2];
    int now;      /* the block being parsed; the other one is being filled */
    size_t start; /* where parsing of it begins */
    bool eof;     /* the file is read to its end */
    int n_pieces;
    size_t cut[QL_PIECES + 1];
    const ql_piece_work *work;
    void *ctx;
    ql_status read_status;
    ql_err read_err;
};

static ql_status grow(block *b, size_t cap, ql_err *err)
{
    if (cap <= b->cap) return QL_OK;
    if (cap > LONGEST) return ql_fail(err, QL_EDATA, "a line is longer than %d bytes", LONGEST / 2);
    char *bytes = ql_realloc(b->bytes, (int64_t)cap, 1);
    if (!bytes) return ql_fail(err, QL_EMEMORY, "no memory for %zu bytes of text", cap);
    b->bytes = bytes;
    b->cap = cap;
    return QL_OK;
}

/* Read until there is hardly any room left, or nothing comes. */
static ql_status fill(ql_blocks *b, block *to, ql_err *err)
{
    enum { LEAST = 1 << 16 };
    while (!b->eof && to->cap - to->len >= LEAST) {
        size_t got = 0;
        QL_TRY(ql_text_read(b->text, to->bytes + to->len, to->cap - to->len, &got, err));
        to->len += got;
        b->eof = ql_text_ended(b->text);
    }
    return QL_OK;
}

ql_status ql_blocks_open(const char *path, ql_blocks **out, ql_err *err)
{
    ql_blocks *b = NULL;
    ql_status st;
    *out = NULL;
    QL_TRY(QL_NEW(b, 1, "a text file", err));
    QL_GO(ql_text_open(path, QL_TEXT_ALL, &b->text, err));
    QL_GO(grow(&b->side[0], BLOCK, err));
    QL_GO(fill(b, &b->side[0], err));
    *out = b;
    return QL_OK;
out:
    ql_blocks_close(b);
    return st;
}

void ql_blocks_close(ql_blocks *b)
{
    if (!b) return;
    ql_text_close(b->text);
    ql_free(b->side[0].bytes);
    ql_free(b->side[1].bytes);
    ql_free(b);
}

const char *ql_blocks_head(const ql_blocks *b, size_t *n, bool *all)
{
    *n = b->side[b->now].len;
    *all = b->eof;
    return b->side[b->now].bytes;
}

ql_status ql_blocks_more(ql_blocks *b, ql_err *err)
{
    block *now = &b->side[b->now];
    QL_TRY(grow(now, now->cap * 2, err));
    return fill(b, now, err);
}

static void work_item(void *ctx, int64_t item)
{
    ql_blocks *b = ctx;
    if (item == 0) {
        b->read_status = fill(b, &b->side[1 - b->now], &b->read_err);
        return;
    }
    size_t from = b->cut[item - 1], to = b->cut[item];
    b->work->parse(b->ctx, (int)item - 1, b->side[b->now].bytes + from, to - from);
}

/* Cut bytes [start, end) into pieces of whole lines; end lies behind a newline or is the end. */
static void cut_pieces(ql_blocks *b, size_t end)
{
    const char *bytes = b->side[b->now].bytes;
    size_t at = b->start, size = (end - at) / QL_PIECES;
    if (size < PIECE) size = PIECE;
    b->n_pieces = 0;
    b->cut[0] = at;
    while (at < end) {
        const char *eol = NULL;
        if (b->n_pieces < QL_PIECES - 1 && end - at > size)
            eol = memchr(bytes + at + size, '\n', end - at - size);
        at = eol ? (size_t)(eol + 1 - bytes) : end;
        b->cut[++b->n_pieces] = at;
    }
}

/* The end of the last whole line of the block at hand, which grows until it has one. */
static ql_status find_end(ql_blocks *b, size_t *end, ql_err *err)
{
    for (;;) {
        const block *now = &b->side[b->now];
        *end = now->len;
        if (b->eof) return QL_OK;
        while (*end > b->start && now->bytes[*end - 1] != '\n') (*end)--;
        if (*end > b->start) return QL_OK;
        QL_TRY(ql_blocks_more(b, err));
    }
}

/* Parse the block at hand while the next one is read. */
static ql_status step(ql_blocks *b, int threads, ql_err *err)
{
    block *now = &b->side[b->now], *next = &b->side[1 - b->now];
    size_t end = 0;
    QL_TRY(ql_interrupt_check(err));
    QL_TRY(find_end(b, &end, err));
    if (!b->eof) QL_TRY(grow(next, now->cap, err));
    next->len = now->len - end;
    if (next->len) memcpy(next->bytes, now->bytes + end, next->len);
    cut_pieces(b, end);
    for (int i = 0; i < b->n_pieces; i++)
        QL_TRY(b->work->reserve(b->ctx, i, b->cut[i + 1] - b->cut[i], err));
    ql_parallel_for(threads, b->n_pieces + 1, work_item, b);
    for (int i = 0; i < b->n_pieces; i++)
        QL_TRY(b->work->take(b->ctx, i, now->bytes + b->cut[i], b->cut[i + 1] - b->cut[i], err));
    if (b->read_status != QL_OK && err) *err = b->read_err;
    now->len = 0;
    b->now = 1 - b->now;
    b->start = 0;
    return b->read_status;
}

ql_status ql_blocks_run(ql_blocks *b, size_t start, int threads, const ql_piece_work *work,
                        void *ctx, ql_err *err)
{
    b->start = start;
    b->work = work;
    b->ctx = ctx;
    while (!b->eof || b->side[b->now].len > b->start) QL_TRY(step(b, threads, err));
    return QL_OK;
}
