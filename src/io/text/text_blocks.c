/* Block gzip (BGZF, as bgzip writes it): members of at most 64 KiB that say how long they are, so
 * that many threads can inflate them. From the first member on that is not so, zlib takes over. */
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "../file/gzip_member.h"
#include "quell/alloc.h"
#include "text_source.h"

enum { IN_BYTES = 1 << 21, MAX_BLOCKS = 1 << 10, PER_PART = 8, MIN_BLOCK = 26 };

typedef struct {
    size_t in, n_in; /* in the bytes read */
    size_t out, n_out;
} block;

typedef struct {
    int fd;
    int64_t at; /* in the file */
    char *in;   /* [IN_BYTES]; owned */
    block list[MAX_BLOCKS];
    int n_blocks;
    char *buf; /* of the read under way; borrowed */
    size_t n_out;
    bool end_of_file;
    _Atomic int64_t damaged; /* offset in the file of a block that is wrong, -1: none */
    ql_text rest;            /* the members from the first unusual one on; no source: not yet */
} blocks;

/* The blocks that are complete in the n bytes read and fit the cap bytes asked for. *more: the next
 * one is complete too, but does not fit. */
static size_t plan(blocks *b, size_t n, size_t cap, bool *more)
{
    size_t at = 0;
    b->n_blocks = 0;
    b->n_out = 0;
    *more = false;
    while (b->n_blocks < MAX_BLOCKS) {
        size_t len = ql_bgzf_block_size(b->in + at, n - at);
        if (len < MIN_BLOCK || len > n - at) return at;
        size_t n_out = ql_get_u32(b->in + at + len - 4);
        if (n_out > QL_BGZF_MAX) return at;
        *more = n_out > cap - b->n_out;
        if (*more) return at;
        b->list[b->n_blocks++] = (block){at, len, b->n_out, n_out};
        b->n_out += n_out;
        at += len;
    }
    *more = true;
    return at;
}

/* zlib from here on: a member without a length, one that is cut, or padding (which it ignores only
 * behind a member, so that is decided here). */
static ql_status begin_rest(blocks *b, ql_err *err)
{
    int fd = dup(b->fd);
    if (fd < 0 || lseek(fd, (off_t)b->at, SEEK_SET) < 0) {
        if (fd >= 0) (void)close(fd);
        return ql_fail(err, QL_EIO, "cannot be read again");
    }
    return ql_text_stream(fd, QL_TEXT_ALL, &b->rest, err);
}

static ql_status blocks_begin(void *state, char *buf, size_t cap, int64_t *n_parts, ql_err *err)
{
    blocks *b = state;
    bool more = false;
    b->buf = buf;
    if (b->rest.source) return ql_text_begin(&b->rest, buf, cap, n_parts, err);
    int64_t n = ql_pread_full(b->fd, b->in, IN_BYTES, b->at);
    if (n < 0) return ql_fail(err, QL_EIO, "cannot be read");
    size_t used = plan(b, (size_t)n, cap, &more);
    b->end_of_file = n < IN_BYTES && !more && !ql_is_gzip(b->in + used, (size_t)n - used);
    *n_parts = (b->n_blocks + PER_PART - 1) / PER_PART;
    if (b->n_blocks > 0 || b->end_of_file) {
        b->at += (int64_t)used;
        return QL_OK;
    }
    QL_TRY(begin_rest(b, err));
    return ql_text_begin(&b->rest, buf, cap, n_parts, err);
}

static void inflate_block(blocks *b, const block *k)
{
    size_t used = 0, got = 0;
    const ql_gzip_inflater *by = &ql_gzip_inflaters[0];
    ql_gzip_result r = by->inflate(b->in + k->in, k->n_in, b->buf + k->out, k->n_out, &used, &got);
    if (r != QL_GZIP_OK || used != k->n_in || got != k->n_out)
        atomic_store(&b->damaged, (int64_t)k->in);
}

static void blocks_part(void *state, int64_t part)
{
    blocks *b = state;
    if (b->rest.source) {
        ql_text_part(&b->rest, part);
        return;
    }
    int64_t end = (part + 1) * PER_PART < b->n_blocks ? (part + 1) * PER_PART : b->n_blocks;
    for (int64_t i = part * PER_PART; i < end; i++) inflate_block(b, &b->list[i]);
}

static ql_status blocks_end(void *state, size_t *got, bool *ended, ql_err *err)
{
    blocks *b = state;
    if (b->rest.source) {
        QL_TRY(ql_text_end(&b->rest, got, err));
        *ended = ql_text_ended(&b->rest);
        return QL_OK;
    }
    *got = b->n_out;
    *ended = b->end_of_file;
    if (atomic_load(&b->damaged) < 0) return QL_OK;
    return ql_text_fail_damaged("a block of bgzip", err);
}

static void blocks_close(void *state)
{
    blocks *b = state;
    if (b->rest.source) b->rest.source->close(b->rest.state);
    (void)close(b->fd);
    ql_free(b->in);
    ql_free(b);
}

static const ql_text_source blocks_source = {blocks_begin, blocks_part, blocks_end, blocks_close};

ql_status ql_text_blocks(int fd, ql_text *t, ql_err *err)
{
    blocks *b = NULL;
    if (QL_NEW(b, 1, "a text file", err) != QL_OK) {
        (void)close(fd);
        return QL_EMEMORY;
    }
    b->fd = fd;
    atomic_init(&b->damaged, -1);
    if (QL_NEW(b->in, IN_BYTES, "a block of gzip", err) != QL_OK) {
        blocks_close(b);
        return QL_EMEMORY;
    }
    t->source = &blocks_source;
    t->state = b;
    return QL_OK;
}
