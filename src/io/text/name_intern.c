#include "name_intern.h"

#include <string.h>

#include "quell/alloc.h"

enum { FIRST_SLOTS = 1024 };

/* FNV-1a, finished by a multiply and a fold because the table uses the low bits. */
static uint64_t hash_of(const char *name, size_t len)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < len; i++) h = (h ^ (unsigned char)name[i]) * 0x100000001b3u;
    h ^= h >> 32;
    h *= 0x9e3779b97f4a7c15u;
    return h ^ h >> 29;
}

const char *ql_intern_name(const ql_intern *in, int64_t i, size_t *len)
{
    *len = (size_t)(in->offset[i + 1] - in->offset[i]);
    return in->bytes + in->offset[i];
}

static bool is_name(const ql_intern *in, int64_t i, uint64_t hash, const char *name, size_t len)
{
    size_t n = 0;
    if (in->hash[i] != hash) return false;
    const char *known = ql_intern_name(in, i, &n);
    return n == len && memcmp(known, name, n) == 0;
}

/* The slot of the name, or the empty one where it belongs. */
static int32_t *slot_of(const ql_intern *in, uint64_t hash, const char *name, size_t len)
{
    uint64_t at = hash & in->mask;
    while (in->slot[at] && !is_name(in, in->slot[at] - 1, hash, name, len))
        at = (at + 1) & in->mask;
    return &in->slot[at];
}

/* At most half of the slots are taken. */
static ql_status grow_slots(ql_intern *in, ql_err *err)
{
    uint64_t size = in->slot ? (in->mask + 1) * 2 : FIRST_SLOTS;
    if (in->slot && (uint64_t)in->n * 2 < in->mask) return QL_OK;
    int32_t *slot = NULL;
    QL_TRY(QL_NEW(slot, (int64_t)size, "an index of names", err));
    ql_free(in->slot);
    in->slot = slot;
    in->mask = size - 1;
    for (int64_t i = 0; i < in->n; i++) {
        uint64_t at = in->hash[i] & in->mask;
        while (slot[at]) at = (at + 1) & in->mask;
        slot[at] = (int32_t)(i + 1);
    }
    return QL_OK;
}

static ql_status resize(void **block, int64_t n, size_t size, ql_err *err)
{
    void *grown = ql_realloc(*block, n, size);
    if (!grown) return ql_fail(err, QL_EMEMORY, "no memory for %lld names", (long long)n);
    *block = grown;
    return QL_OK;
}

static ql_status grow_names(ql_intern *in, size_t len, ql_err *err)
{
    int64_t used = in->n ? in->offset[in->n] : 0, need = used + (int64_t)len;
    if (in->n + 1 >= in->cap) {
        int64_t cap = in->cap ? in->cap * 2 : FIRST_SLOTS;
        QL_TRY(resize((void **)&in->offset, cap + 1, sizeof *in->offset, err));
        QL_TRY(resize((void **)&in->hash, cap, sizeof *in->hash, err));
        in->cap = cap;
    }
    if (need > in->cap_bytes || !in->bytes) {
        int64_t cap = need + need / 2 + FIRST_SLOTS;
        QL_TRY(resize((void **)&in->bytes, cap, 1, err));
        in->cap_bytes = cap;
    }
    return QL_OK;
}

ql_status ql_intern_add(ql_intern *in, const char *name, size_t len, int32_t *number, ql_err *err)
{
    uint64_t hash = hash_of(name, len);
    QL_TRY(grow_slots(in, err));
    int32_t *slot = slot_of(in, hash, name, len);
    if (*slot == 0) {
        if (in->n == INT32_MAX - 1) return ql_fail(err, QL_EDATA, "has too many names");
        QL_TRY(grow_names(in, len, err));
        int64_t from = in->n ? in->offset[in->n] : 0;
        if (len) memcpy(in->bytes + from, name, len);
        in->offset[in->n] = from;
        in->offset[in->n + 1] = from + (int64_t)len;
        in->hash[in->n++] = hash;
        *slot = (int32_t)in->n;
    }
    *number = *slot - 1;
    return QL_OK;
}

void ql_intern_clear(ql_intern *in)
{
    if (in->slot) memset(in->slot, 0, (size_t)(in->mask + 1) * sizeof *in->slot);
    in->n = 0;
}

void ql_intern_free(ql_intern *in)
{
    ql_free(in->bytes);
    ql_free(in->offset);
    ql_free(in->hash);
    ql_free(in->slot);
    *in = (ql_intern){0};
}

ql_status ql_intern_list(const ql_intern *in, ql_names *out, ql_err *err)
{
    for (int64_t i = 0; i < in->n; i++) {
        size_t len = 0;
        const char *name = ql_intern_name(in, i, &len);
        QL_TRY(ql_names_add(out, name, len, err));
    }
    return QL_OK;
}
