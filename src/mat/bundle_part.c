/* A bundle within a bundle. */
#include <stdio.h>
#include <string.h>

#include "quell/bundle.h"

static ql_array array_of(const ql_entry *e)
{
    return (ql_array){e->elem, e->n_rows, e->rank == 1 ? -1 : e->n_cols, e->values};
}

static ql_status copy_entry(const ql_entry *e, ql_bundle *to, const char *name, bool lend,
                            ql_err *err)
{
    switch (e->kind) {
    case QL_ENTRY_INT:
        return ql_bundle_put_int(to, name, e->i, err);
    case QL_ENTRY_DOUBLE:
        return ql_bundle_put_double(to, name, e->d, err);
    case QL_ENTRY_TEXT:
        return ql_bundle_put_text(to, name, e->text, err);
    case QL_ENTRY_ARRAY:
        return lend ? ql_bundle_lend_array(to, name, array_of(e), err)
                    : ql_bundle_copy_array(to, name, array_of(e), err);
    case QL_ENTRY_NAMES:
        return lend ? ql_bundle_lend_names(to, name, ql_entry_names(e), err)
                    : ql_bundle_copy_names(to, name, ql_entry_names(e), err);
    }
    return ql_fail(err, QL_EINTERNAL, "%s: an entry of no kind", name);
}

ql_status ql_bundle_put_part(ql_bundle *b, const char *group, const ql_bundle *part, ql_err *err)
{
    char name[2 * QL_BUNDLE_NAME];
    for (int i = 0; i < part->n; i++) {
        snprintf(name, sizeof name, "%s/%s", group, part->entries[i].name);
        QL_TRY(copy_entry(&part->entries[i], b, name, false, err));
    }
    return QL_OK;
}

ql_status ql_bundle_part(const ql_bundle *b, const char *group, ql_bundle *part, ql_err *err)
{
    const size_t n = strlen(group);
    *part = (ql_bundle){0};
    for (int i = 0; i < b->n; i++) {
        const ql_entry *e = &b->entries[i];
        if (strncmp(e->name, group, n) != 0 || e->name[n] != '/') continue;
        ql_status st = copy_entry(e, part, e->name + n + 1, true, err);
        if (st == QL_OK) continue;
        ql_bundle_free(part);
        return st;
    }
    return QL_OK;
}
