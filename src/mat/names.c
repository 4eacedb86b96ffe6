#include "quell/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/utf8.h"

static int64_t bytes_used(const ql_names *names)
{
    return names->offset ? names->offset[names->n] : 0;
}

/* Capacity that holds `need`, doubling. */
static int64_t grown(int64_t cap, int64_t need, int64_t least)
{
    if (cap < least) cap = least;
    while (cap < need) cap = cap > INT64_MAX / 2 ? need : 2 * cap;
    return cap;
}

static ql_status no_room(const ql_names *names, ql_err *err)
{
    return ql_fail(err, QL_EMEMORY, "not enough memory for a list of names (%lld so far)",
                   (long long)names->n);
}

/* Room for one more name of n bytes, its NUL included. */
static ql_status reserve(ql_names *names, int64_t n, ql_err *err)
{
    int64_t used = bytes_used(names);
    if (n > INT64_MAX / 2 - used) return no_room(names, err);
    if (!names->bytes || used + n > names->cap_bytes) {
        int64_t cap = grown(names->cap_bytes, used + n, 256);
        char *bytes = ql_realloc(names->bytes, cap, 1);
        if (!bytes) return no_room(names, err);
        names->bytes = bytes;
        names->cap_bytes = cap;
    }
    if (!names->offset || names->n + 2 > names->cap_n) {
        int64_t cap = grown(names->cap_n, names->n + 2, 32);
        int64_t *offset = ql_realloc(names->offset, cap, sizeof *offset);
        if (!offset) return no_room(names, err);
        names->offset = offset;
        names->cap_n = cap;
    }
    return QL_OK;
}

/* Every byte of Latin-1 is the code point of that number. Returns the bytes put. */
static int64_t put_latin1(char *to, const char *bytes, size_t len)
{
    char *at = to;
    for (size_t i = 0; i < len; i++) {
        unsigned c = (unsigned char)bytes[i];
        if (c < 0x80) {
            *at++ = (char)c;
        } else {
            *at++ = (char)(0xc0 | c >> 6);
            *at++ = (char)(0x80 | (c & 0x3f));
        }
    }
    return at - to;
}

ql_status ql_names_add(ql_names *names, const char *bytes, size_t len, ql_err *err)
{
    size_t n = len > 0 ? strnlen(bytes, len) : 0;
    if (n > INT64_MAX / 4) return no_room(names, err);
    bool valid = ql_utf8_valid(bytes, n);
    QL_TRY(reserve(names, (int64_t)(valid ? n : 2 * n) + 1, err));

    int64_t used = bytes_used(names);
    char *to = names->bytes + used;
    if (valid && n > 0) memcpy(to, bytes, n);
    int64_t put = valid ? (int64_t)n : put_latin1(to, bytes, n);
    to[put] = '\0';
    names->offset[++names->n] = used + put + 1;
    return QL_OK;
}

void ql_names_free(ql_names *names)
{
    if (!names) return;
    ql_free(names->bytes);
    ql_free(names->offset);
    *names = (ql_names){0};
}

ql_status ql_names_copy(const ql_names *names, ql_names *out, ql_err *err)
{
    int64_t used = bytes_used(names);
    ql_names copy = {.n = names->n, .cap_bytes = used, .cap_n = names->n + 1};
    ql_status st;

    *out = (ql_names){0};
    QL_GO(QL_NEW(copy.bytes, used, "a copy of the names", err));
    QL_GO(QL_NEW(copy.offset, copy.cap_n, "a copy of the names", err));
    if (used > 0) memcpy(copy.bytes, names->bytes, (size_t)used);
    if (names->n > 0) memcpy(copy.offset, names->offset, (size_t)copy.cap_n * sizeof *copy.offset);
    *out = copy;
    copy = (ql_names){0};
out:
    ql_names_free(&copy);
    return st;
}

void ql_names_move(ql_names *from, ql_names *to)
{
    ql_names_free(to);
    *to = *from;
    *from = (ql_names){0};
}

ql_status ql_names_number(const char *what, int64_t n, ql_names *out, ql_err *err)
{
    char text[64];
    for (int64_t i = 0; i < n; i++) {
        int len = snprintf(text, sizeof text, "%s_%" PRId64, what, i + 1);
        QL_TRY(ql_names_add(out, text, (size_t)len, err));
    }
    return QL_OK;
}

ql_status ql_names_fill_empty(ql_names *names, int64_t *n_empty, ql_err *err)
{
    ql_names filled = {0};
    ql_status st = QL_OK;
    char text[40];
    *n_empty = 0;
    for (int64_t i = 0; i < names->n; i++) *n_empty += ql_name(names, i)[0] == '\0';
    if (*n_empty == 0) return QL_OK;
    for (int64_t i = 0; st == QL_OK && i < names->n; i++) {
        const char *s = ql_name(names, i);
        if (s[0] == '\0') {
            (void)snprintf(text, sizeof text, "unnamed_%" PRId64, i + 1);
            s = text;
        }
        st = ql_names_add(&filled, s, strlen(s), err);
    }
    if (st == QL_OK) {
        ql_names_free(names);
        *names = filled;
    } else {
        ql_names_free(&filled);
    }
    return st;
}
