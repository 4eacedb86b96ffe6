/* gzip inflated in memory at once: about twice as fast as reading it through zlib, at the price of
 * the memory. A file that is wrong in any way is left to zlib, which knows how to say it. */
#include <string.h>
#include <unistd.h>

#include "../file/gzip_member.h"
#include "quell/alloc.h"
#include "quell/clock.h"
#include "text_source.h"

/* The text may take a quarter of what is free: what is made of it needs about as much again. */
enum { SHARE = 4 };
#define WHOLE_MAX (INT64_C(4) << 30)

typedef struct {
    char *text; /* owned */
    size_t len, at;
    char *buf; /* of the read under way; borrowed */
    size_t n;
} whole;

static ql_status whole_begin(void *state, char *buf, size_t cap, int64_t *n_parts, ql_err *err)
{
    whole *w = state;
    (void)err;
    w->buf = buf;
    w->n = w->len - w->at < cap ? w->len - w->at : cap;
    *n_parts = 1;
    return QL_OK;
}

static void whole_part(void *state, int64_t part)
{
    const whole *w = state;
    (void)part;
    if (w->n) memcpy(w->buf, w->text + w->at, w->n);
}

static ql_status whole_end(void *state, size_t *got, bool *ended, ql_err *err)
{
    whole *w = state;
    (void)err;
    *got = w->n;
    w->at += w->n;
    *ended = w->at == w->len;
    return QL_OK;
}

static void whole_close(void *state)
{
    whole *w = state;
    ql_free(w->text);
    ql_free(w);
}

static const ql_text_source whole_source = {whole_begin, whole_part, whole_end, whole_close};

static int64_t largest_text(void)
{
    int64_t most = WHOLE_MAX, free_bytes = ql_memory_available(), room = ql_alloc_room();
    if (free_bytes > 0 && free_bytes / SHARE < most) most = free_bytes / SHARE;
    return room / SHARE < most ? room / SHARE : most;
}

/* Members one after the other, until what follows is no gzip (padding, which is ignored). out grows
 * no further than `most`. */
static bool inflate_all(const ql_gzip_inflater *by, const char *in, size_t n, size_t most, whole *w,
                        size_t cap)
{
    while (ql_is_gzip(in, n)) {
        size_t used = 0, got = 0;
        if (cap > most) cap = most;
        char *text = ql_realloc(w->text, (int64_t)cap, 1);
        if (!text) return false;
        w->text = text;
        ql_gzip_result result = by->inflate(in, n, text + w->len, cap - w->len, &used, &got);
        if (result == QL_GZIP_BAD || (result == QL_GZIP_SMALL && cap == most)) return false;
        if (result == QL_GZIP_SMALL) {
            cap *= 2;
            continue;
        }
        w->len += got;
        in += used;
        n -= used;
    }
    return true;
}

/* The last four bytes are the length of the last member, so of a file with one. */
static bool inflate_file(int fd, int64_t size, int64_t most, whole *w)
{
    const ql_gzip_inflater *by = &ql_gzip_inflaters[0];
    if (!by->any_size || size < 18 || size > most) return false;
    char *in = ql_alloc(size, 1);
    bool ok = in && ql_pread_full(fd, in, (size_t)size, 0) == size;
    if (ok) {
        int64_t hint = (int64_t)ql_get_u32(in + size - 4);
        ok = hint <= most;
        size_t cap = (size_t)(hint < size ? size : hint);
        ok = ok && inflate_all(by, in, (size_t)size, (size_t)most, w, cap + 1);
    }
    ql_free(in);
    return ok;
}

ql_status ql_text_whole(int fd, int64_t size, ql_text *t, bool *done, ql_err *err)
{
    whole *w = NULL;
    QL_TRY(QL_NEW(w, 1, "a text file", err));
    *done = inflate_file(fd, size, largest_text(), w);
    if (!*done) {
        whole_close(w);
        return QL_OK;
    }
    (void)close(fd);
    t->source = &whole_source;
    t->state = w;
    t->length = (int64_t)w->len;
    return QL_OK;
}
