#include "line_blocks.h"

#include <string.h>

#include "quell/alloc.h"
#include "quell/interrupt.h"
#include "quell/parallel.h"
#include "text_input.h"

enum {
    PIECE = 1 << 19,
    BLOCK = PIECE * QL_PIECES,
    LONGEST = 1 << 30,
    LEAST = 1 << 16 /* what a read is given room for */
};

typedef struct {
    char *bytes; /* [cap]; owned */
    size_t len, cap;
} block;

struct ql_blocks {
    ql_text *text;
    block side[2];
    int now;         /* the block being parsed; the other one is being filled */
    size_t start;    /* where parsing of it begins */
    size_t kept;     /* bytes at the start of the other one that are there already */
    bool last;       /* nothing comes after the block being parsed */
    int64_t n_parts; /* of the reading of the other block */
    int n_pieces;
    size_t cut[QL_PIECES + 1];
    const ql_piece_work *work;
    void *ctx;
    ql_status st; /* of the run so far */
    ql_err err;
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
    while (!ql_text_ended(b->text) && to->cap - to->len >= LEAST) {
        size_t got = 0;
        QL_TRY(ql_text_read(b->text, to->bytes + to->len, to->cap - to->len, &got, err));
        to->len += got;
    }
    return QL_OK;
}

ql_status ql_blocks_open(const char *path, ql_text_extent extent, ql_blocks **out, ql_err *err)
{
    ql_blocks *b = NULL;
    ql_status st;
    *out = NULL;
    QL_TRY(QL_NEW(b, 1, "a text file", err));
    QL_GO(ql_text_open(path, extent, &b->text, err));
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
    *all = ql_text_ended(b->text);
    return b->side[b->now].bytes;
}

int64_t ql_blocks_length(const ql_blocks *b)
{
    return ql_text_length(b->text);
}

ql_status ql_blocks_more(ql_blocks *b, ql_err *err)
{
    block *now = &b->side[b->now];
    if (now->cap - now->len < LEAST) QL_TRY(grow(now, now->cap * 2, err));
    return fill(b, now, err);
}

/* --- the steps of the one thread in charge --- */

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
        if (ql_text_ended(b->text)) return QL_OK;
        while (*end > b->start && now->bytes[*end - 1] != '\n') (*end)--;
        if (*end > b->start) return QL_OK;
        if (b->work->longest > 0 && now->len - b->start > b->work->longest)
            return ql_fail(err, QL_EDATA, "a line is longer than %zu bytes", b->work->longest);
        QL_TRY(ql_blocks_more(b, err));
    }
}

/* Begin to read what follows the block at hand, its unfinished line in front. */
static ql_status begin_next(ql_blocks *b, size_t end, ql_err *err)
{
    const block *now = &b->side[b->now];
    block *next = &b->side[1 - b->now];
    b->kept = now->len - end;
    b->n_parts = 0;
    b->last = ql_text_ended(b->text);
    if (b->last) return QL_OK;
    QL_TRY(grow(next, b->kept + BLOCK, err));
    if (b->kept) memcpy(next->bytes, now->bytes + end, b->kept);
    return ql_text_begin(b->text, next->bytes + b->kept, next->cap - b->kept, &b->n_parts, err);
}

static ql_status prepare(ql_blocks *b, ql_err *err)
{
    size_t end = 0;
    QL_TRY(ql_interrupt_check(err));
    QL_TRY(find_end(b, &end, err));
    cut_pieces(b, end);
    for (int i = 0; i < b->n_pieces; i++)
        QL_TRY(b->work->reserve(b->ctx, i, b->cut[i + 1] - b->cut[i], err));
    return begin_next(b, end, err);
}

/* The block read meanwhile counts only if all is well so far, so that the error given is the first
 * one in the file. */
static ql_status settle(ql_blocks *b, ql_err *err)
{
    const block *now = &b->side[b->now];
    block *next = &b->side[1 - b->now];
    size_t got = 0;
    for (int i = 0; i < b->n_pieces; i++)
        QL_TRY(b->work->take(b->ctx, i, now->bytes + b->cut[i], b->cut[i + 1] - b->cut[i], err));
    if (!b->last) QL_TRY(ql_text_end(b->text, &got, err));
    next->len = b->kept + got;
    return QL_OK;
}

/* --- all threads --- */

static void parse_or_read(ql_blocks *b, int64_t item)
{
    if (item < b->n_parts) {
        ql_text_part(b->text, item);
        return;
    }
    int i = (int)(item - b->n_parts);
    size_t from = b->cut[i], to = b->cut[i + 1];
    b->work->parse(b->ctx, i, b->side[b->now].bytes + from, to - from);
}

static void turn(ql_blocks *b)
{
    b->now = 1 - b->now;
    b->start = 0;
    b->st = prepare(b, &b->err);
}

static void run(void *ctx, ql_team *team, int rank)
{
    ql_blocks *b = ctx;
    int64_t item;
    for (int64_t phase = 0; b->st == QL_OK; phase += 2) {
        while ((item = ql_team_next(team, rank, phase, b->n_parts + b->n_pieces)) >= 0)
            parse_or_read(b, item);
        ql_team_barrier(team);
        if (rank == 0) b->st = settle(b, &b->err);
        ql_team_barrier(team);
        if (b->st != QL_OK) return;
        while (b->work->keep && (item = ql_team_next(team, rank, phase + 1, b->n_pieces)) >= 0)
            b->work->keep(b->ctx, (int)item);
        bool last = b->last;
        ql_team_barrier(team);
        if (last) return;
        if (rank == 0) turn(b);
        ql_team_barrier(team);
    }
}

ql_status ql_blocks_run(ql_blocks *b, size_t start, int threads, const ql_piece_work *work,
                        void *ctx, ql_err *err)
{
    b->start = start;
    b->work = work;
    b->ctx = ctx;
    b->st = prepare(b, &b->err);
    if (b->st == QL_OK) ql_team_run(threads, run, b);
    if (b->st != QL_OK && err) *err = b->err;
    return b->st;
}
