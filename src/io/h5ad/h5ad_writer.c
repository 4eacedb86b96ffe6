#include "h5ad_writer_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../hdf5/h5_error.h"
#include "../hdf5/h5_out.h"
#include "h5ad_start.h"
#include "quell/alloc.h"
#include "quell/strbuf.h"

enum {
    SMALL_BYTES = 1 << 20, /* arrays up to this stay contiguous */
    SMALL_CHUNK_ROWS = 1024,
    SMALL_CHUNK_COLS = 256, /* 1 MiB together: the readers' cache */
};

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

static ql_status make_room(ql_h5ad_writer *w, hid_t parent, const char *leaf, const char *key,
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
    QL_GO(make_room(w, at, from, key, err));
    *parent = at;
    *leaf = from;
    return QL_OK;
out:
    if (at != w->file) H5Gclose(at);
    return st;
}

static ql_status close_parent(hid_t parent, const char *key, ql_status st, ql_err *err)
{
    if (st == QL_OK) return ql_h5out_close(parent, key, err);
    H5Gclose(parent);
    return st;
}

/* ---- begin, commit, abort ---- */

static int clamp_level(int level)
{
    if (level < 0) return 0;
    return level > 9 ? 9 : level;
}

static ql_status new_writer(const ql_write_options *opt, ql_h5ad_writer **out, ql_err *err)
{
    ql_h5ad_writer *w = NULL;
    ql_h5_init();
    QL_TRY(QL_NEW(w, 1, "the output's writer", err));
    w->file = H5I_INVALID_HID;
    w->m.parent = H5I_INVALID_HID;
    w->opt = *opt;
    w->opt.deflate = clamp_level(opt->deflate);
    w->opt.threads = opt->threads > 1 ? opt->threads : 1;
    *out = w;
    return QL_OK;
}

ql_status ql_h5ad_begin(const char *out_path, const ql_dataset *ds, const ql_write_options *opt,
                        ql_notes *notes, ql_h5ad_writer **out, ql_err *err)
{
    ql_h5ad_writer *w = NULL;
    ql_status st;

    QL_TRY(new_writer(opt, &w, err));
    w->n_cells = ds->counts.n_rows;
    w->n_genes = ds->counts.n_cols;
    QL_GO(ql_out_begin(&w->out, out_path, ds->path, opt->force, err));
    st = ql_h5ad_start(&w->out, ds, &w->opt, notes, &w->file, err);
    /* a failure to read says which file it is about itself */
    QL_GO(st == QL_ENOINPUT ? st : ql_h5ad_done(w, st, err));
    *out = w;
out:
    if (st != QL_OK) ql_h5ad_abort(w);
    return st;
}

ql_status ql_h5ad_begin_copy(const char *out_path, const char *in_path, const ql_write_options *opt,
                             ql_h5ad_writer **out, ql_err *err)
{
    ql_h5ad_writer *w = NULL;
    ql_status st;

    QL_TRY(new_writer(opt, &w, err));
    QL_GO(ql_h5ad_extent(in_path, &w->n_cells, &w->n_genes, err));
    QL_GO(ql_out_begin(&w->out, out_path, in_path, opt->force, err));
    st = ql_h5ad_start_copy(&w->out, in_path, &w->file, err);
    QL_GO(st == QL_ENOINPUT ? st : ql_h5ad_done(w, st, err));
    *out = w;
out:
    if (st != QL_OK) ql_h5ad_abort(w);
    return st;
}

void ql_h5ad_abort(ql_h5ad_writer *w)
{
    if (!w) return;
    ql_h5ad_release_bands(&w->m);
    if (w->file >= 0) H5Fclose(w->file);
    H5Eclear2(H5E_DEFAULT);
    ql_out_abort(&w->out);
    ql_names_free(&w->journal);
    ql_free(w);
}

ql_status ql_h5ad_commit(ql_h5ad_writer *w, ql_err *err)
{
    ql_status st = QL_OK;
    hid_t file = w->file;

    if (w->failed || w->m.key) {
        st = ql_fail(err, QL_EINTERNAL, "%s: cannot be finished after a failed or open write",
                     w->out.path);
        goto out;
    }
    w->file = H5I_INVALID_HID;
    QL_GO(ql_h5ad_done(w, ql_h5out_close_file(file, err), err));
    st = ql_out_commit(&w->out, err);
out:
    ql_h5ad_abort(w);
    return st;
}

/* ---- small things ---- */

static ql_status write_matrix(ql_h5ad_writer *w, const char *key, const float *data, int64_t n_rows,
                              int64_t n_cols, ql_err *err)
{
    ql_chunk_spec spec = {.type = H5T_NATIVE_FLOAT,
                          .rank = 2,
                          .n_rows = n_rows,
                          .n_cols = n_cols,
                          .chunk_rows = SMALL_CHUNK_ROWS,
                          .chunk_cols = SMALL_CHUNK_COLS,
                          .threads = w->opt.threads,
                          .encode = true};

    QL_TRY(ql_h5ad_note(w, "matrix", key, err));
    QL_TRY(ql_h5ad_check_shape(w, key, n_rows, n_cols, err));
    if (n_cols > 0 && n_rows > SMALL_BYTES / 4 / n_cols) spec.level = w->opt.deflate;
    QL_TRY(ql_h5ad_open_parent(w, key, &spec.parent, &spec.name, err));
    ql_status st = ql_chunks_write(&spec, data, err);
    return close_parent(spec.parent, key, st, err);
}

ql_status ql_h5ad_matrix(ql_h5ad_writer *w, const char *key, const float *data, int64_t n_rows,
                         int64_t n_cols, ql_err *err)
{
    return ql_h5ad_done(w, write_matrix(w, key, data, n_rows, n_cols, err), err);
}

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
    QL_TRY(make_room(w, group, name, name, err));
    return is_listed(order, name) ? QL_OK : ql_names_add(order, name, strlen(name), err);
}

static ql_status write_columns(ql_h5ad_writer *w, hid_t group, const ql_frame *columns, ql_err *err)
{
    ql_names order = {0};
    ql_status st;

    QL_GO(ql_h5out_read_strings(group, "column-order", &order, err));
    for (int i = 0; i < columns->n_columns; i++) {
        const ql_column *c = &columns->columns[i];
        QL_GO(ql_h5ad_place_column(w, group, c->name, &order, err));
        QL_GO(ql_h5out_column(group, c->name, c, columns->index.n, err));
    }
    QL_GO(ql_h5out_attr_strings(group, "column-order", &order, err));
out:
    ql_names_free(&order);
    return st;
}

static ql_status add_columns(ql_h5ad_writer *w, const char *frame, const ql_frame *columns,
                             ql_err *err)
{
    bool cells = strcmp(frame, "obs") == 0;
    if ((!cells && strcmp(frame, "var") != 0) ||
        columns->index.n != (cells ? w->n_cells : w->n_genes)) {
        return ql_fail(err, QL_EINTERNAL, "%s: columns of %lld values", frame,
                       (long long)columns->index.n);
    }
    QL_TRY(ql_h5ad_note(w, "columns", frame, err));
    hid_t group = H5Gopen2(w->file, frame, H5P_DEFAULT);
    if (group < 0) return ql_h5_fail(err, QL_EIO, "cannot open %s", frame);
    ql_status st = write_columns(w, group, columns, err);
    if (st != QL_OK) ql_context(err, st, "%s", frame);
    return close_parent(group, frame, st, err);
}

ql_status ql_h5ad_columns(ql_h5ad_writer *w, const char *frame, const ql_frame *columns,
                          ql_err *err)
{
    return ql_h5ad_done(w, add_columns(w, frame, columns, err), err);
}

static ql_status drop_column(ql_h5ad_writer *w, hid_t group, const char *name, ql_err *err)
{
    ql_names order = {0}, kept = {0};
    ql_status st;
    if (!ql_h5out_exists(group, name)) return QL_OK;
    QL_GO(make_room(w, group, name, name, err));
    QL_GO(ql_h5out_read_strings(group, "column-order", &order, err));
    for (int64_t i = 0; i < order.n; i++) {
        const char *other = ql_name(&order, i);
        if (strcmp(other, name) != 0) QL_GO(ql_names_add(&kept, other, strlen(other), err));
    }
    QL_GO(ql_h5out_attr_strings(group, "column-order", &kept, err));
out:
    ql_names_free(&order);
    ql_names_free(&kept);
    return st;
}

ql_status ql_h5ad_claim_column(ql_h5ad_writer *w, const char *frame, const char *name, ql_err *err)
{
    char key[300];
    (void)snprintf(key, sizeof key, "%s/%s", frame, name);
    QL_TRY(ql_h5ad_note(w, "claim-column", key, err));
    hid_t group = H5Gopen2(w->file, frame, H5P_DEFAULT);
    if (group < 0) return ql_h5ad_done(w, ql_h5_fail(err, QL_EIO, "cannot open %s", frame), err);
    ql_status st = drop_column(w, group, name, err);
    if (st != QL_OK) ql_context(err, st, "%s", frame);
    return ql_h5ad_done(w, close_parent(group, frame, st, err), err);
}

ql_status ql_h5ad_claim(ql_h5ad_writer *w, const char *key, ql_err *err)
{
    hid_t parent = -1;
    const char *leaf = NULL;
    QL_TRY(ql_h5ad_note(w, "claim", key, err));
    ql_status st = ql_h5ad_open_parent(w, key, &parent, &leaf, err);
    if (st == QL_OK) st = ql_h5out_close(parent, key, err);
    return ql_h5ad_done(w, st, err);
}

/* A value of uns: a text when type is negative, else numbers; n negative: a scalar. */
typedef struct {
    hid_t type;
    int64_t n;
    const void *data; /* char, ql_names or numbers */
} uns_value;

static ql_status write_value(hid_t parent, const char *leaf, const uns_value *v, ql_err *err)
{
    if (v->type < 0 && v->n < 0) return ql_h5out_string(parent, leaf, v->data, err);
    if (v->type < 0) return ql_h5out_strings(parent, leaf, v->data, err);
    if (v->n < 0) return ql_h5out_number(parent, leaf, v->type, v->data, err);
    return ql_h5out_array(parent, leaf, v->type, v->n, v->data, err);
}

static ql_status put(ql_h5ad_writer *w, const char *key, const uns_value *v, ql_err *err)
{
    hid_t parent = -1;
    const char *leaf = NULL;
    QL_TRY(ql_h5ad_note(w, "value", key, err));
    ql_status st = ql_h5ad_open_parent(w, key, &parent, &leaf, err);
    if (st != QL_OK) return ql_h5ad_done(w, st, err);
    st = write_value(parent, leaf, v, err);
    return ql_h5ad_done(w, close_parent(parent, key, st, err), err);
}

ql_status ql_h5ad_string(ql_h5ad_writer *w, const char *key, const char *value, ql_err *err)
{
    return put(w, key, &(uns_value){-1, -1, value}, err);
}

ql_status ql_h5ad_double(ql_h5ad_writer *w, const char *key, double value, ql_err *err)
{
    return put(w, key, &(uns_value){H5T_NATIVE_DOUBLE, -1, &value}, err);
}

ql_status ql_h5ad_int(ql_h5ad_writer *w, const char *key, int64_t value, ql_err *err)
{
    return put(w, key, &(uns_value){H5T_NATIVE_INT64, -1, &value}, err);
}

ql_status ql_h5ad_hash(ql_h5ad_writer *w, const char *key, uint64_t hash, ql_err *err)
{
    char text[17];
    (void)snprintf(text, sizeof text, "%016" PRIx64, hash);
    return ql_h5ad_string(w, key, text, err);
}

ql_status ql_h5ad_strings(ql_h5ad_writer *w, const char *key, const ql_names *values, ql_err *err)
{
    return put(w, key, &(uns_value){-1, values->n, values}, err);
}

ql_status ql_h5ad_doubles(ql_h5ad_writer *w, const char *key, const double *values, int64_t n,
                          ql_err *err)
{
    return put(w, key, &(uns_value){H5T_NATIVE_DOUBLE, n, values}, err);
}
