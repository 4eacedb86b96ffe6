/* Text read from the start to the end by one thread: plain bytes, and gzip through zlib. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "quell/alloc.h"
#include "text_source.h"

/* zlib inflates twice as much ahead. */
enum { GZ_BUFFER = 1 << 20, GZ_BUFFER_HEAD = 1 << 13 };

typedef struct {
    int fd;    /* plain */
    gzFile gz; /* gzip; owns its descriptor */
    char *buf; /* of the read under way; borrowed */
    size_t cap, got;
    int code; /* errno of the part, 0: none */
} stream;

static ql_status stream_begin(void *state, char *buf, size_t cap, int64_t *n_parts, ql_err *err)
{
    stream *s = state;
    (void)err;
    s->buf = buf;
    s->cap = cap;
    s->got = 0;
    *n_parts = 1;
    return QL_OK;
}

static void stream_close(void *state)
{
    stream *s = state;
    if (s->gz)
        (void)gzclose_r(s->gz);
    else
        (void)close(s->fd);
    ql_free(s);
}

static ql_status open_stream(int fd, stream **out, ql_err *err)
{
    stream *s = NULL;
    if (QL_NEW(s, 1, "a text file", err) != QL_OK) {
        (void)close(fd);
        return QL_EMEMORY;
    }
    s->fd = fd;
    *out = s;
    return QL_OK;
}

/* --- plain --- */

static void plain_part(void *state, int64_t part)
{
    stream *s = state;
    (void)part;
    while (s->got < s->cap) {
        ssize_t n = read(s->fd, s->buf + s->got, s->cap - s->got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) s->code = errno;
        if (n <= 0) return;
        s->got += (size_t)n;
    }
}

static ql_status plain_end(void *state, size_t *got, bool *ended, ql_err *err)
{
    const stream *s = state;
    *got = s->got;
    *ended = s->got < s->cap;
    if (s->code) return ql_fail(err, QL_EIO, "cannot be read: %s", strerror(s->code));
    return QL_OK;
}

static const ql_text_source plain_source = {stream_begin, plain_part, plain_end, stream_close};

ql_status ql_text_plain(int fd, int64_t size, ql_text *t, ql_err *err)
{
    stream *s = NULL;
    QL_TRY(open_stream(fd, &s, err));
    t->source = &plain_source;
    t->state = s;
    t->length = size;
    return QL_OK;
}

/* --- gzip --- */

static void gzip_part(void *state, int64_t part)
{
    stream *s = state;
    (void)part;
    errno = 0;
    while (s->got < s->cap) {
        size_t want = s->cap - s->got > INT_MAX / 2 ? INT_MAX / 2 : s->cap - s->got;
        int n = gzread(s->gz, s->buf + s->got, (unsigned)want);
        if (n <= 0) break;
        s->got += (size_t)n;
    }
    s->code = errno;
}

/* zlib hands out what it has of a cut stream and then reports a normal end: only gzerror knows. */
static ql_status check_stream(const stream *s, ql_err *err)
{
    int code = Z_OK;
    const char *text = gzerror(s->gz, &code);
    switch (code) {
    case Z_OK:
    case Z_STREAM_END:
        return QL_OK;
    case Z_BUF_ERROR:
        ql_fail(err, QL_EDATA, "ends early: incomplete gzip stream");
        return ql_hint(err, QL_EDATA, "copy or download the file again");
    case Z_ERRNO:
        return ql_fail(err, QL_EIO, "cannot be read: %s", strerror(s->code));
    case Z_MEM_ERROR:
        return ql_fail(err, QL_EMEMORY, "no memory to inflate it");
    default:
        return ql_text_fail_damaged(text && strchr(text, ':') ? strrchr(text, ':') + 2 : "zlib",
                                    err);
    }
}

static ql_status gzip_end(void *state, size_t *got, bool *ended, ql_err *err)
{
    const stream *s = state;
    *got = s->got;
    *ended = s->got < s->cap;
    return *ended ? check_stream(s, err) : QL_OK;
}

static const ql_text_source gzip_source = {stream_begin, gzip_part, gzip_end, stream_close};

ql_status ql_text_stream(int fd, ql_text_extent extent, ql_text *t, ql_err *err)
{
    stream *s = NULL;
    QL_TRY(open_stream(fd, &s, err));
    s->gz = gzdopen(fd, "rb");
    if (!s->gz) {
        stream_close(s);
        return ql_fail(err, QL_EMEMORY, "no memory to inflate it");
    }
    (void)gzbuffer(s->gz, extent == QL_TEXT_HEAD ? GZ_BUFFER_HEAD : GZ_BUFFER);
    t->source = &gzip_source;
    t->state = s;
    return QL_OK;
}
