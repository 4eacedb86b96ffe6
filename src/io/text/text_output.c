#include "text_output.h"

#include <string.h>
#ifdef QL_HAVE_LIBDEFLATE
#include <libdeflate.h>
#else
#include <zlib.h>
#endif

#include "quell/alloc.h"
#include "quell/interrupt.h"
#include "quell/parallel.h"

enum {
    MEMBER_BYTES = 1 << 20, /* of text: the cost of starting anew is below 1 % */
    MAX_MEMBERS = 8,        /* compressed at a time */
    GROUP_BYTES = 1 << 19,  /* of items formatted by one thread at a time */
    MAX_GROUPS = 32,        /* formatted at a time */
};

/* One member on its way. */
typedef struct {
    uint8_t *bytes; /* t->bound of room */
    size_t n;       /* 0: could not be compressed */
} member;

/* Items that one thread formats. */
typedef struct {
    int64_t first, n;
    size_t at, room, used; /* in the arena */
} item_group;

struct ql_text_out {
    ql_out_file *file;
    int level, threads;
    char *text;
    size_t size, used; /* room: that of all members, or of one for plain text */
    bool any;          /* a member has been written */
    member members[MAX_MEMBERS];
    size_t bound;
#ifdef QL_HAVE_LIBDEFLATE
    struct libdeflate_compressor **deflaters; /* [threads] */
#endif
    char *arena; /* for items; grows as needed */
    size_t arena_size;
    item_group groups[MAX_GROUPS];
    const ql_text_items *items;
};

bool ql_is_gz_name(const char *path)
{
    size_t n = strlen(path);
    return n > 3 && strcmp(path + n - 3, ".gz") == 0;
}

/* ---- gzip ---- */

#ifdef QL_HAVE_LIBDEFLATE

static size_t gzip_bound(void)
{
    return libdeflate_gzip_compress_bound(NULL, MEMBER_BYTES);
}

static ql_status make_tools(ql_text_out *t, ql_err *err)
{
    QL_TRY(QL_NEW(t->deflaters, t->threads, "compression", err));
    for (int i = 0; i < t->threads; i++) {
        t->deflaters[i] = libdeflate_alloc_compressor(t->level);
        if (!t->deflaters[i]) return ql_fail(err, QL_EMEMORY, "no memory for compression");
    }
    return QL_OK;
}

static void free_tools(ql_text_out *t)
{
    for (int i = 0; t->deflaters && i < t->threads; i++) {
        libdeflate_free_compressor(t->deflaters[i]);
    }
    ql_free(t->deflaters);
}

static size_t gzip(const ql_text_out *t, int rank, const char *text, size_t n, uint8_t *out)
{
    return libdeflate_gzip_compress(t->deflaters[rank], text, n, out, t->bound);
}

#else

enum { GZIP_WINDOW = 15 + 16 }; /* a gzip header instead of zlib's; its time is 0 */

static size_t gzip_bound(void)
{
    return compressBound(MEMBER_BYTES) + 64;
}

static ql_status make_tools(ql_text_out *t, ql_err *err)
{
    (void)t, (void)err;
    return QL_OK;
}

static void free_tools(ql_text_out *t)
{
    (void)t;
}

static size_t gzip(const ql_text_out *t, int rank, const char *text, size_t n, uint8_t *out)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)text, .avail_in = (uInt)n};
    (void)rank;
    if (deflateInit2(&z, t->level, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        return 0;
    }
    z.next_out = out;
    z.avail_out = (uInt)t->bound;
    size_t size = deflate(&z, Z_FINISH) == Z_STREAM_END ? (size_t)z.total_out : 0;
    deflateEnd(&z);
    return size;
}

#endif

static void compress_members(void *ctx, ql_team *team, int rank)
{
    ql_text_out *t = ctx;
    int64_t n = (int64_t)((t->used + MEMBER_BYTES - 1) / MEMBER_BYTES);
    if (n == 0) n = 1; /* the one of an empty text */
    for (int64_t i; (i = ql_team_next(team, rank, 0, n)) >= 0;) {
        size_t at = (size_t)i * MEMBER_BYTES, left = t->used - at;
        size_t size = left < MEMBER_BYTES ? left : MEMBER_BYTES;
        t->members[i].n = gzip(t, rank, t->text + at, size, t->members[i].bytes);
    }
}

static ql_status write_members(ql_text_out *t, ql_err *err)
{
    size_t n = t->used == 0 ? 1 : (t->used + MEMBER_BYTES - 1) / MEMBER_BYTES;
    ql_team_run(n < (size_t)t->threads ? (int)n : t->threads, compress_members, t);
    for (size_t i = 0; i < n; i++) {
        if (t->members[i].n == 0) return ql_fail(err, QL_EMEMORY, "no memory for compression");
        QL_TRY(ql_out_write(t->file, t->members[i].bytes, t->members[i].n, err));
    }
    t->any = true;
    return QL_OK;
}

/* ---- the stream ---- */

static ql_status make_buffers(ql_text_out *t, ql_err *err)
{
    t->size = (size_t)MEMBER_BYTES * (t->level > 0 ? MAX_MEMBERS : 1);
    QL_TRY(QL_NEW(t->text, (int64_t)t->size, "text to write", err));
    if (t->level == 0) return QL_OK;
    t->bound = gzip_bound();
    for (int i = 0; i < MAX_MEMBERS; i++) {
        QL_TRY(QL_NEW(t->members[i].bytes, (int64_t)t->bound, "compressed text", err));
    }
    return make_tools(t, err);
}

static ql_status flush(ql_text_out *t, ql_err *err)
{
    QL_TRY(ql_interrupt_check(err));
    QL_TRY(t->level > 0 ? write_members(t, err) : ql_out_write(t->file, t->text, t->used, err));
    t->used = 0;
    return QL_OK;
}

ql_status ql_textout_write(ql_text_out *t, const void *bytes, size_t n, ql_err *err)
{
    const char *from = bytes;
    while (n > 0) {
        size_t room = t->size - t->used, now = n < room ? n : room;
        memcpy(t->text + t->used, from, now);
        t->used += now;
        from += now;
        n -= now;
        if (t->used == t->size) QL_TRY(flush(t, err));
    }
    return QL_OK;
}

ql_status ql_textout_puts(ql_text_out *t, const char *text, ql_err *err)
{
    return ql_textout_write(t, text, strlen(text), err);
}

/* ---- items ---- */

/* Fill groups with the items from `from` on. Returns how many groups there are. */
static int plan_groups(ql_text_out *t, int64_t from, size_t *total)
{
    const ql_text_items *items = t->items;
    int n = 0;
    *total = 0;
    while (n < MAX_GROUPS && from < items->n) {
        item_group *g = &t->groups[n++];
        *g = (item_group){.first = from, .at = *total};
        do g->room += items->room(items->ctx, from++);
        while (from < items->n && g->room < GROUP_BYTES);
        g->n = from - g->first;
        *total += g->room;
    }
    return n;
}

static ql_status grow_arena(ql_text_out *t, size_t size, ql_err *err)
{
    if (size <= t->arena_size) return QL_OK;
    ql_free(t->arena);
    t->arena = NULL;
    t->arena_size = 0;
    QL_TRY(QL_NEW(t->arena, (int64_t)size, "text to write", err));
    t->arena_size = size;
    return QL_OK;
}

static void put_group(void *ctx, int64_t number)
{
    ql_text_out *t = ctx;
    item_group *g = &t->groups[number];
    g->used = 0;
    for (int64_t i = g->first; i < g->first + g->n; i++) {
        g->used += t->items->put(t->items->ctx, i, t->arena + g->at + g->used);
    }
}

ql_status ql_textout_items(ql_text_out *t, const ql_text_items *items, ql_err *err)
{
    t->items = items;
    for (int64_t from = 0; from < items->n;) {
        size_t total = 0;
        int n = plan_groups(t, from, &total);
        QL_TRY(ql_interrupt_check(err));
        QL_TRY(grow_arena(t, total, err));
        ql_parallel_for(t->threads, n, put_group, t);
        for (int i = 0; i < n; i++) {
            QL_TRY(ql_textout_write(t, t->arena + t->groups[i].at, t->groups[i].used, err));
        }
        from = t->groups[n - 1].first + t->groups[n - 1].n;
    }
    return QL_OK;
}

/* ---- a file ---- */

/* An empty text is a member of gzip too. */
static ql_status flush_rest(ql_text_out *t, ql_err *err)
{
    return t->used > 0 || (t->level > 0 && !t->any) ? flush(t, err) : QL_OK;
}

static void release(ql_text_out *t)
{
    free_tools(t);
    for (int i = 0; i < MAX_MEMBERS; i++) ql_free(t->members[i].bytes);
    ql_free(t->text);
    ql_free(t->arena);
}

ql_status ql_textout_whole(ql_out_file *file, int level, int threads, ql_text_fill *fill,
                           const void *ctx, ql_err *err)
{
    ql_text_out t = {.file = file,
                     .level = level < 0   ? 0
                              : level > 9 ? 9
                                          : level,
                     .threads = threads > 1 ? threads : 1};
    ql_status st;
    QL_GO(make_buffers(&t, err));
    QL_GO(fill(&t, ctx, err));
    QL_GO(flush_rest(&t, err));
out:
    release(&t);
    if (st == QL_OK) return ql_out_commit(file, err);
    ql_out_abort(file);
    return st;
}
