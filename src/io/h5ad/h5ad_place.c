/* What all parts of the writer do: how a failure is told, the journal, and where in the file a key
 * or a column belongs. */
#include <string.h>

#include "../hdf5/h5_out.h"
#include "h5ad_writer_internal.h"
#include "quell/strbuf.h"

ql_status ql_h5ad_done(ql_h5ad_writer *w, ql_status st, ql_err *err)
{
    if (st == QL_OK) return QL_OK;
    w->failed = true;
    if (st != QL_EINT && st != QL_ETERM) ql_context(err, st, "%s", w->out.path);
    return st;
}

/* ---- the journal ---- */

ql_status ql_h5ad_note(ql_h5ad_writer *w, const char *what, const char *key, ql_err *err)
{
    ql_str line = {0};
    ql_str_printf(&line, "%s %s", what, key);
    ql_status st = line.failed ? ql_fail(err, QL_EMEMORY, "no memory for a name")
                               : ql_names_add(&w->journal, line.text, line.len, err);
    ql_str_free(&line);
    return st;
}

const ql_names *ql_h5ad_journal(const ql_h5ad_writer *w)
{
    return &w->journal;
}

/* ---- keys ---- */

typedef enum { FREE, CELLS, GENES } extent;

/* anndata refuses a file with any other member at its root. */
static const struct {
    const char *name;
    extent rows, cols;
} mappings[] = {
    {"layers", CELLS, GENES}, {"obsm", CELLS, FREE},  {"varm", GENES, FREE},
    {"obsp", CELLS, CELLS},   {"varp", GENES, GENES}, {"uns", FREE, FREE},
};

static bool fits(const ql_h5ad_writer *w, extent what, int64_t n)
{
    if (what == FREE) return n >= 0;
    return n == (what == CELLS ? w->n_cells : w->n_genes);
}

static int mapping_of(const char *key)
{
    for (int i = 0; i < (int)(sizeof mappings / sizeof *mappings); i++) {
        size_t n = strlen(mappings[i].name);
        if (strncmp(key, mappings[i].name, n) == 0 && key[n] == '/') return i;
    }
    return -1;
}

static ql_status check_key(const char *key, ql_err *err)
{
    size_t n = strlen(key);
    if (mapping_of(key) >= 0 && key[n - 1] != '/' && !strstr(key, "//")) return QL_OK;
    return ql_fail(err, QL_EINTERNAL, "\"%s\" is no place in an h5ad", key);
}

ql_status ql_h5ad_check_shape(const ql_h5ad_writer *w, const char *key, int64_t n_rows,
                              int64_t n_cols, ql_err *err)
{
    QL_TRY(check_key(key, err));
    int i = mapping_of(key);
    if (fits(w, mappings[i].rows, n_rows) && fits(w, mappings[i].cols, n_cols)) return QL_OK;
    return ql_fail(err, QL_EINTERNAL, "%s: %lld x %lld in a file of %lld cells and %lld genes", key,
                   (long long)n_rows, (long long)n_cols, (long long)w->n_cells,
                   (long long)w->n_genes);
}

ql_status ql_h5ad_make_room(ql_h5ad_writer *w, hid_t parent, const char *leaf, const char *key,
                            ql_err *err)
{
    if (!ql_h5out_exists(parent, leaf)) return QL_OK;
    if (w->opt.force) return ql_h5out_delete(parent, leaf, err);
    ql_fail(err, QL_ECREATE, "%s is in the input already", key);
    return ql_hint(err, QL_ECREATE, "--force replaces it");
}

ql_status ql_h5ad_open_parent(ql_h5ad_writer *w, const char *key, hid_t *parent, const char **leaf,
                              ql_err *err)
{
    char part[256];
    hid_t at = w->file;
    ql_status st;

    QL_TRY(check_key(key, err));
    const char *from = key;
    for (const char *slash; (slash = strchr(from, '/')) != NULL; from = slash + 1) {
        hid_t next = -1;
        size_t n = (size_t)(slash - from);
        if (n >= sizeof part) QL_GO(ql_fail(err, QL_EINTERNAL, "%s: too long a name", key));
        memcpy(part, from, n);
        part[n] = '\0';
        QL_GO(ql_h5out_dict(at, part, &next, err));
        if (at != w->file) H5Gclose(at);
        at = next;
    }
    QL_GO(ql_h5ad_make_room(w, at, from, key, err));
    *parent = at;
    *leaf = from;
    return QL_OK;
out:
    if (at != w->file) H5Gclose(at);
    return st;
}

ql_status ql_h5ad_close_parent(hid_t parent, const char *key, ql_status st, ql_err *err)
{
    if (st == QL_OK) return ql_h5out_close(parent, key, err);
    H5Gclose(parent);
    return st;
}

/* ---- columns ---- */

static bool is_listed(const ql_names *names, const char *name)
{
    for (int64_t i = 0; i < names->n; i++)
        if (strcmp(ql_name(names, i), name) == 0) return true;
    return false;
}

ql_status ql_h5ad_place_column(ql_h5ad_writer *w, hid_t group, const char *name, ql_names *order,
                               ql_err *err)
{
    ql_names index = {0};
    QL_TRY(ql_h5out_read_strings(group, "_index", &index, err));
    const bool is_index = index.n > 0 && strcmp(name, ql_name(&index, 0)) == 0;
    ql_names_free(&index);
    if (is_index || strchr(name, '/')) {
        return ql_fail(err, QL_ECREATE, "column %s cannot be written: %s", name,
                       is_index ? "it is the index" : "its name has a slash");
    }
    QL_TRY(ql_h5ad_make_room(w, group, name, name, err));
    return is_listed(order, name) ? QL_OK : ql_names_add(order, name, strlen(name), err);
}
