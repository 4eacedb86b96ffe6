/* An open text, whichever way it comes, and what the ways share. */
#include "text_source.h"

#include <errno.h>
#include <unistd.h>

#include "quell/alloc.h"

void ql_text_close(ql_text *t)
{
    if (!t) return;
    t->source->close(t->state);
    ql_free(t);
}

bool ql_text_ended(const ql_text *t)
{
    return t->ended;
}

int64_t ql_text_length(const ql_text *t)
{
    return t->length;
}

ql_status ql_text_begin(ql_text *t, char *buf, size_t cap, int64_t *n_parts, ql_err *err)
{
    *n_parts = 0;
    return t->ended ? QL_OK : t->source->begin(t->state, buf, cap, n_parts, err);
}

void ql_text_part(ql_text *t, int64_t part)
{
    t->source->part(t->state, part);
}

ql_status ql_text_end(ql_text *t, size_t *got, ql_err *err)
{
    *got = 0;
    return t->ended ? QL_OK : t->source->end(t->state, got, &t->ended, err);
}

ql_status ql_text_read(ql_text *t, char *buf, size_t cap, size_t *got, ql_err *err)
{
    int64_t n_parts = 0;
    *got = 0;
    QL_TRY(ql_text_begin(t, buf, cap, &n_parts, err));
    for (int64_t i = 0; i < n_parts; i++) ql_text_part(t, i);
    return ql_text_end(t, got, err);
}

/* ---- for the ways ---- */

int64_t ql_pread_full(int fd, void *buf, size_t n, int64_t offset)
{
    size_t got = 0;
    while (got < n) {
        ssize_t k = pread(fd, (char *)buf + got, n - got, (off_t)(offset + (int64_t)got));
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return -1;
        if (k == 0) break;
        got += (size_t)k;
    }
    return (int64_t)got;
}

ql_status ql_text_fail_damaged(const char *why, ql_err *err)
{
    return ql_fail(err, QL_EDATA, "is damaged: the gzip checksum or stream is wrong (%s)", why);
}
