#include "checkpoint_seal.h"

#include <string.h>

#include "quell/hash.h"

#define KEY "key"
#define SUM "checksum"

static uint64_t hash_text(uint64_t h, const char *text)
{
    return ql_hash_bytes(h, text, (int64_t)strlen(text));
}

static uint64_t hash_names(uint64_t h, const ql_names *names)
{
    for (int64_t i = 0; i < names->n; i++) h = hash_text(h, ql_name(names, i));
    return h;
}

static uint64_t hash_array(uint64_t h, const ql_entry *e)
{
    const int64_t shape[] = {(int64_t)e->elem, e->rank, e->n_rows, e->n_cols};
    h = ql_hash_bytes(h, shape, (int64_t)sizeof shape);
    return ql_hash_bytes(h, e->values, e->n_rows * e->n_cols * (int64_t)ql_elem_size(e->elem));
}

static uint64_t hash_entry(const ql_entry *e)
{
    uint64_t h = hash_text(ql_hash_word(QL_HASH_START, (uint64_t)e->kind), e->name);
    switch (e->kind) {
    case QL_ENTRY_INT:
        return ql_hash_bytes(h, &e->i, (int64_t)sizeof e->i);
    case QL_ENTRY_DOUBLE:
        return ql_hash_bytes(h, &e->d, (int64_t)sizeof e->d);
    case QL_ENTRY_TEXT:
        return hash_text(h, e->text);
    case QL_ENTRY_ARRAY:
        return hash_array(h, e);
    case QL_ENTRY_NAMES:
        return hash_names(h, ql_entry_names(e));
    }
    return h;
}

/* A file has its entries in another order than the one in which they were put: so a sum. */
static int64_t checksum(const ql_bundle *b)
{
    uint64_t sum = 0;
    for (int i = 0; i < b->n; i++)
        if (strcmp(b->entries[i].name, SUM) != 0) sum += hash_entry(&b->entries[i]);
    return (int64_t)sum;
}

ql_status checkpoint_seal(ql_bundle *b, const char *key, ql_err *err)
{
    QL_TRY(ql_bundle_put_text(b, KEY, key, err));
    return ql_bundle_put_int(b, SUM, checksum(b), err);
}

ql_status checkpoint_check_seal(const ql_bundle *b, const char *key, ql_err *err)
{
    const char *there;
    int64_t sum;
    QL_TRY(ql_bundle_int(b, SUM, INT64_MIN, INT64_MAX, &sum, err));
    if (sum != checksum(b)) return ql_fail(err, QL_EDATA, "its checksum does not hold");
    QL_TRY(ql_bundle_text(b, KEY, &there, err));
    if (strcmp(there, key) != 0)
        return ql_fail(err, QL_EDATA, "it is of other counts, options or version");
    return QL_OK;
}
