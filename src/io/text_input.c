#include "text_input.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <zlib.h>

#include "quell/alloc.h"

enum { GZ_BUFFER = 1 << 20 };

struct ql_text {
    gzFile gz; /* passes plain files through */
};

ql_status ql_text_open(const char *path, ql_text **out, ql_err *err)
{
    ql_text *t = NULL;
    *out = NULL;
    QL_TRY(QL_NEW(t, 1, "a text file", err));
    errno = 0;
    t->gz = gzopen(path, "rb");
    if (!t->gz) {
        ql_free(t);
        return ql_fail(err, QL_ENOINPUT, "cannot be read: %s",
                       errno ? strerror(errno) : "no memory");
    }
    (void)gzbuffer(t->gz, GZ_BUFFER);
    *out = t;
    return QL_OK;
}

void ql_text_close(ql_text *t)
{
    if (!t) return;
    (void)gzclose_r(t->gz);
    ql_free(t);
}

/* zlib hands out what it has of a cut stream and then reports a normal end: only gzerror knows. */
static ql_status check_stream(ql_text *t, ql_err *err)
{
    int code = Z_OK;
    const char *text = gzerror(t->gz, &code);
    switch (code) {
    case Z_OK:
    case Z_STREAM_END:
        return QL_OK;
    case Z_BUF_ERROR:
        ql_fail(err, QL_EDATA, "ends early: incomplete gzip stream");
        return ql_hint(err, "copy or download the file again");
    case Z_ERRNO:
        return ql_fail(err, QL_EIO, "cannot be read: %s", strerror(errno));
    case Z_MEM_ERROR:
        return ql_fail(err, QL_EMEMORY, "no memory to inflate it");
    default:
        return ql_fail(err, QL_EDATA, "is damaged: the gzip checksum or stream is wrong (%s)",
                       text && strchr(text, ':') ? strrchr(text, ':') + 2 : "zlib");
    }
}

ql_status ql_text_read(ql_text *t, char *buf, size_t cap, size_t *got, ql_err *err)
{
    *got = 0;
    while (*got < cap) {
        size_t want = cap - *got > INT_MAX / 2 ? INT_MAX / 2 : cap - *got;
        int n = gzread(t->gz, buf + *got, (unsigned)want);
        if (n <= 0) break;
        *got += (size_t)n;
    }
    return *got < cap ? check_stream(t, err) : QL_OK;
}

ql_status ql_text_slurp(const char *path, int64_t max, ql_str *out, ql_err *err)
{
    enum { BLOCK = 1 << 18 };
    ql_text *t = NULL;
    char *block = NULL;
    size_t got = 1;
    ql_status st;
    QL_GO(ql_text_open(path, &t, err));
    QL_GO(QL_NEW(block, BLOCK, "a block of text", err));
    while (got > 0) {
        QL_GO(ql_text_read(t, block, BLOCK, &got, err));
        ql_str_bytes(out, block, got);
        if (out->failed || (int64_t)out->len > max) {
            st = ql_fail(err, out->failed ? QL_EMEMORY : QL_EDATA, "is too long (%zu bytes)",
                         out->len);
            goto out;
        }
    }
out:
    ql_free(block);
    ql_text_close(t);
    return st;
}

size_t ql_text_peek(const char *path, char *buf, size_t cap)
{
    ql_text *t = NULL;
    size_t got = 0;
    if (ql_text_open(path, &t, NULL) != QL_OK) return 0;
    (void)ql_text_read(t, buf, cap, &got, NULL);
    ql_text_close(t);
    return got;
}
