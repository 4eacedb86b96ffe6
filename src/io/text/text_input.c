/* Which way a file is read, and files that are read at one go. */
#include "text_input.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../file/gzip_member.h"
#include "quell/alloc.h"
#include "text_source.h"

/* The way to read an open file; zlib also takes what cannot be looked into first, such as a pipe.
 */
static ql_status choose_source(int fd, ql_text_extent extent, ql_text *t, ql_err *err)
{
    struct stat s;
    unsigned char head[64];
    bool done = false;
    if (fstat(fd, &s) != 0 || !S_ISREG(s.st_mode)) return ql_text_stream(fd, extent, t, err);
    int64_t n = ql_pread_full(fd, head, sizeof head, 0);
    if (n >= 0 && !ql_is_gzip(head, (size_t)n)) return ql_text_plain(fd, s.st_size, t, err);
    if (n < 0 || extent == QL_TEXT_HEAD) return ql_text_stream(fd, extent, t, err);
    if (ql_bgzf_block_size(head, (size_t)n) > 0) return ql_text_blocks(fd, t, err);
    if (extent == QL_TEXT_BOUNDED) return ql_text_stream(fd, extent, t, err);
    ql_status st = ql_text_whole(fd, s.st_size, t, &done, err);
    if (st == QL_OK && done) return QL_OK;
    if (st == QL_OK) return ql_text_stream(fd, extent, t, err);
    (void)close(fd);
    return st;
}

ql_status ql_text_open(const char *path, ql_text_extent extent, ql_text **out, ql_err *err)
{
    ql_text *t = NULL;
    *out = NULL;
    QL_TRY(QL_NEW(t, 1, "a text file", err));
    t->length = -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ql_status st = fd < 0 ? ql_fail(err, QL_ENOINPUT, "cannot be read: %s", strerror(errno))
                          : choose_source(fd, extent, t, err);
    if (st == QL_OK)
        *out = t;
    else
        ql_free(t);
    return st;
}

ql_status ql_text_slurp(const char *path, int64_t max, ql_str *out, ql_err *err)
{
    enum { BLOCK = 1 << 18 };
    ql_text *t = NULL;
    char *block = NULL;
    size_t got = 0;
    ql_status st;
    QL_GO(ql_text_open(path, QL_TEXT_ALL, &t, err));
    QL_GO(QL_NEW(block, BLOCK, "a block of text", err));
    while (!ql_text_ended(t)) {
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

ql_status ql_text_peek(const char *path, char *buf, size_t cap, size_t *n, ql_err *err)
{
    ql_text *t = NULL;
    *n = 0;
    ql_status st = ql_text_open(path, QL_TEXT_HEAD, &t, err);
    if (st == QL_OK) st = ql_text_read(t, buf, cap, n, err);
    ql_text_close(t);
    return st == QL_EMEMORY ? st : QL_OK;
}
