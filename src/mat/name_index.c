/* Hash index of a list of names, and making names unique with it. */
#include <string.h>

#include "quell/alloc.h"
#include "quell/names.h"
#include "quell/strbuf.h"

/* Of the hash in a slot, above a position; names of different tags need not be compared. */
enum { TAG_BITS = 16 };
#define POSITION_MASK (((uint64_t)1 << (64 - TAG_BITS)) - 1)

/* Open addressing with linear probing; at most half of the slots are taken. */
struct ql_name_index {
    const ql_names *names; /* borrowed */
    uint64_t *slot;        /* [mask + 1]; tag and position + 1, or 0 when empty */
    uint64_t mask;
};

/* Eight bytes at a time, and a fold at the end because the table uses the low bits. */
static uint64_t hash(const char *name)
{
    const uint64_t odd = 0x9e3779b97f4a7c15u;
    uint64_t h = 0xcbf29ce484222325u, word;
    size_t left = strlen(name);
    for (; left >= sizeof word; left -= sizeof word, name += sizeof word) {
        memcpy(&word, name, sizeof word);
        h = (h ^ word) * odd;
        h ^= h >> 29;
    }
    word = left;
    for (size_t i = 0; i < left; i++) word = word << 8 | (unsigned char)name[i];
    h = (h ^ word) * odd;
    h ^= h >> 32;
    h *= odd;
    return h ^ h >> 29;
}

static int64_t position(uint64_t slot)
{
    return (int64_t)(slot & POSITION_MASK) - 1;
}

/* The slot that holds the name of this hash, or the empty one where it belongs. */
static uint64_t *slot_of(const ql_name_index *index, const char *name, uint64_t h)
{
    const uint64_t tag = h & ~POSITION_MASK;
    uint64_t at = h & index->mask;
    for (uint64_t slot; (slot = index->slot[at]) != 0; at = (at + 1) & index->mask)
        if ((slot & ~POSITION_MASK) == tag &&
            strcmp(ql_name(index->names, position(slot)), name) == 0)
            break;
    return &index->slot[at];
}

static int64_t table_size(int64_t n)
{
    int64_t size = 16;
    while (size / 2 < n) size *= 2;
    return size;
}

/* Returns how many names are not the first of their kind. */
static int64_t enter_all(ql_name_index *index)
{
    int64_t n_repeated = 0;
    for (int64_t i = 0; i < index->names->n; i++) {
        const char *name = ql_name(index->names, i);
        uint64_t h = hash(name), *slot = slot_of(index, name, h);
        n_repeated += *slot != 0;
        if (*slot == 0) *slot = (h & ~POSITION_MASK) | (uint64_t)(i + 1);
    }
    return n_repeated;
}

static ql_status build(const ql_names *names, ql_name_index **out, int64_t *n_repeated, ql_err *err)
{
    ql_name_index *index = NULL;
    int64_t size = table_size(names->n);
    ql_status st;

    QL_GO(QL_NEW(index, 1, "an index of names", err));
    QL_GO(QL_NEW(index->slot, size, "an index of names", err));
    index->names = names;
    index->mask = (uint64_t)size - 1;
    *n_repeated = enter_all(index);
    *out = index;
    index = NULL;
out:
    ql_name_index_free(index);
    return st;
}

ql_status ql_name_index_new(const ql_names *names, ql_name_index **out, ql_err *err)
{
    int64_t n_repeated;
    return build(names, out, &n_repeated, err);
}

int64_t ql_name_index_find(const ql_name_index *index, const char *name)
{
    return position(*slot_of(index, name, hash(name)));
}

void ql_name_index_free(ql_name_index *index)
{
    if (!index) return;
    ql_free(index->slot);
    ql_free(index);
}

/* State of one renaming. */
typedef struct {
    const ql_names *names;
    const ql_name_index *index; /* of names */
    int64_t *n_used;            /* [n] suffixes given so far to the name first seen at i */
    ql_names out;
    ql_str text;
} renaming;

/* The next free "name-k" for the name first seen at position `first`, left in r->text. New names
 * cannot meet each other: what stands before the last dash tells the old name, and k only grows. */
static void find_free(renaming *r, int64_t first)
{
    do {
        ql_str_clear(&r->text);
        ql_str_printf(&r->text, "%s-%lld", ql_name(r->names, first), (long long)++r->n_used[first]);
    } while (!r->text.failed && ql_name_index_find(r->index, r->text.text) >= 0);
}

static ql_status rename_one(renaming *r, int64_t i, int64_t *example, ql_err *err)
{
    const char *name = ql_name(r->names, i);
    int64_t first = ql_name_index_find(r->index, name);

    if (first == i) return ql_names_add(&r->out, name, strlen(name), err);
    if (*example < 0) *example = i;
    find_free(r, first);
    if (r->text.failed) return ql_fail(err, QL_EMEMORY, "not enough memory for a name");
    return ql_names_add(&r->out, r->text.text, r->text.len, err);
}

static ql_status rename_all(ql_names *names, const ql_name_index *index, int64_t *example,
                            ql_err *err)
{
    renaming r = {.names = names, .index = index};
    ql_status st;

    QL_GO(QL_NEW(r.n_used, names->n, "making names unique", err));
    for (int64_t i = 0; i < names->n; i++) QL_GO(rename_one(&r, i, example, err));
    ql_names old = *names;
    *names = r.out;
    r.out = old;
out:
    ql_free(r.n_used);
    ql_names_free(&r.out);
    ql_str_free(&r.text);
    return st;
}

ql_status ql_names_make_unique(ql_names *names, int64_t *n_changed, int64_t *example, ql_err *err)
{
    ql_name_index *index = NULL;
    int64_t n_repeated = 0, first_changed = -1;
    ql_status st;

    QL_GO(build(names, &index, &n_repeated, err));
    if (n_repeated > 0) QL_GO(rename_all(names, index, &first_changed, err));
    if (n_changed) *n_changed = n_repeated;
    if (example) *example = first_changed;
out:
    ql_name_index_free(index);
    return st;
}
