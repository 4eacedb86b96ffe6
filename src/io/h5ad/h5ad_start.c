#include "h5ad_start.h"

#include <string.h>

#include "../hdf5/h5_error.h"
#include "../hdf5/h5_out.h"
#include "../hdf5/lzf.h"
#include "h5ad_entries.h"
#include "h5ad_read.h"
#include "quell/strbuf.h"

enum { LOSSES_NAMED = 12 };

static const char *const mappings[] = {"layers", "obsm", "varm", "obsp", "varp", "uns", NULL};
/* Members of the input that fit a new file of the same cells; of the same cells and genes. */
static const char *const of_cells[] = {"obs", "obsm", "obsp", "uns", NULL};
static const char *const of_both[] = {"obs",  "obsm", "obsp",   "uns", "var",
                                      "varm", "varp", "layers", "raw", NULL};

/* ---- what the input looks like ---- */

/* As ql_h5r_open, but what HDF5 says of a failure is left for the caller's message. */
static hid_t open_input(const char *path)
{
    ql_lzf_register();
    hid_t fapl = H5Pcreate(H5P_FILE_ACCESS);
    if (fapl < 0) return fapl;
    (void)H5Pset_file_locking(fapl, false, true);
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, fapl);
    H5Pclose(fapl);
    return file;
}

static bool is_type(hid_t parent, const char *name, H5O_type_t type)
{
    H5O_info_t info;
    if (!ql_h5out_exists(parent, name)) return false;
    if (H5Oget_info_by_name2(parent, name, &info, H5O_INFO_BASIC, H5P_DEFAULT) < 0) {
        H5Eclear2(H5E_DEFAULT); /* a link to nowhere */
        return false;
    }
    return info.type == type;
}

/* Rows of a frame stored as a group; -1 when it is none (layouts before 0.7, or not a frame).
 * QL_EMEMORY is the only failure. */
static ql_status frame_length(hid_t file, const char *name, int64_t *n, ql_err *err)
{
    const ql_status st = ql_h5ad_rows(file, name, n, err);
    if (st != QL_OK) *n = -1;
    return st == QL_EMEMORY ? st : QL_OK;
}

static ql_status frame_lengths(hid_t file, int64_t *n_cells, int64_t *n_genes, ql_err *err)
{
    QL_TRY(frame_length(file, "obs", n_cells, err));
    return frame_length(file, "var", n_genes, err);
}

static bool is_h5ad(const char *format)
{
    return format && (strcmp(format, "h5ad") == 0 || strcmp(format, "h5ad-old") == 0);
}

/* ---- what is lost ---- */

typedef struct {
    const char *matrix; /* the one that was read */
    const char *const *carried;
    bool genes_differ;
    const char *group; /* the mapping being listed, or NULL */
    ql_str text;
    int n;
} losses;

/* What the frames have been called in the course of time. */
static const char *const obs_names[] = {"obs", "_obs", "smp", NULL};
static const char *const var_names[] = {"var", "_var", NULL};

static bool is_kept(const losses *l, const char *key)
{
    if (strcmp(key, l->matrix) == 0 || ql_is_one_of(key, obs_names)) return true;
    if (ql_is_one_of(key, var_names)) return !l->genes_differ;
    if (strncmp(key, "raw", 3) == 0 && strncmp(l->matrix, "raw", 3) == 0) return true;
    return ql_is_one_of(key, l->carried);
}

static void add_loss(losses *l, const char *key)
{
    if (is_kept(l, key)) return;
    if (l->n < LOSSES_NAMED) {
        ql_str_puts(&l->text, l->n ? ", " : "");
        ql_str_escape(&l->text, key, strlen(key));
    }
    l->n++;
}

static herr_t list_member(hid_t group, const char *name, const H5L_info_t *info, void *out)
{
    losses *l = out;
    ql_str key = {0};
    (void)group, (void)info;
    if (l->group) ql_str_printf(&key, "%s/", l->group);
    ql_str_puts(&key, name);
    add_loss(l, ql_str_text(&key));
    ql_str_free(&key);
    return 0;
}

static herr_t list_root(hid_t root, const char *name, const H5L_info_t *info, void *out)
{
    losses *l = out;
    bool whole =
        !ql_is_one_of(name, mappings) || is_kept(l, name) || !is_type(root, name, H5O_TYPE_GROUP);
    if (whole) return list_member(root, name, info, out);
    hid_t group = H5Gopen2(root, name, H5P_DEFAULT);
    if (group < 0) return 0;
    l->group = name;
    herr_t rc = H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, list_member, out);
    l->group = NULL;
    H5Gclose(group);
    return rc;
}

static const char *reason(const ql_dataset *ds, const char *const *kept)
{
    if (kept == of_both) return "another matrix takes its place";
    return ds->genes_differ ? "the matrix used has other genes than the file's var"
                            : "the file has the layout of an anndata before 0.7";
}

static void note_losses(hid_t input, const ql_dataset *ds, const char *const *kept, ql_notes *notes)
{
    losses l = {
        .matrix = ds->matrix ? ds->matrix : "X", .carried = kept, .genes_differ = ds->genes_differ};
    if (H5Literate(input, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, list_root, &l) < 0) {
        H5Eclear2(H5E_DEFAULT);
    }
    if (l.n > LOSSES_NAMED) ql_str_printf(&l.text, " and %d more", l.n - LOSSES_NAMED);
    if (l.n > 0) {
        ql_note_add(notes, QL_NOTE_WARNING, "%s: not carried over to the output: %s (%s)", ds->path,
                    ql_str_text(&l.text), reason(ds, kept));
    }
    ql_str_free(&l.text);
}

/* ---- a new file ---- */

static ql_status write_counts(hid_t file, const ql_dataset *ds, const ql_write_options *opt,
                              ql_err *err)
{
    const ql_csr *m = &ds->counts;
    const int64_t shape[2] = {m->n_rows, m->n_cols};
    const int64_t nnz = ql_csr_nnz(m);
    hid_t group = -1;
    ql_status st;

    QL_TRY(ql_h5out_group(file, "X", "csr_matrix", "0.1.0", &group, err));
    QL_GO(ql_h5out_attr_int64s(group, "shape", shape, 2, err));
    if (ds->store) {
        QL_GO(ql_h5ad_write_rows(group, ds, opt, err));
        QL_GO(ql_h5out_close(group, "X", err));
        return QL_OK;
    }
    QL_GO(ql_h5ad_write_entries(group, "data", H5T_NATIVE_FLOAT, nnz, m->data, opt, err));
    QL_GO(ql_h5ad_write_entries(group, "indices", H5T_NATIVE_INT32, nnz, m->indices, opt, err));
    QL_GO(ql_h5ad_write_indptr(group, m->indptr, m->n_rows, opt, err));
    QL_GO(ql_h5out_close(group, "X", err));
    return QL_OK;
out:
    H5Gclose(group);
    return st;
}

/* A slash would make a group of the name, "." is the frame itself. */
static ql_status member_name(const char *name, ql_names *taken, ql_err *err)
{
    ql_str text = {0};
    bool odd = name[0] == '\0' || strcmp(name, ".") == 0 || strcmp(name, "_index") == 0;
    if (odd) ql_str_puts(&text, "column");
    ql_str_puts(&text, name);
    for (size_t i = 0; i < text.len; i++)
        if (text.text[i] == '/') text.text[i] = '_';
    ql_status st = text.failed ? ql_fail(err, QL_EMEMORY, "no memory for a column's name")
                               : ql_names_add(taken, ql_str_text(&text), text.len, err);
    ql_str_free(&text);
    return st;
}

static ql_status member_names(const ql_frame *frame, ql_names *names, ql_err *err)
{
    for (int i = 0; i < frame->n_columns; i++) {
        QL_TRY(member_name(frame->columns[i].name, names, err));
    }
    return ql_names_make_unique(names, NULL, NULL, err);
}

static ql_status write_frame(hid_t file, const char *name, const ql_frame *frame, ql_err *err)
{
    ql_names order = {0};
    hid_t group = -1;
    ql_status st;

    QL_GO(member_names(frame, &order, err));
    QL_GO(ql_h5out_group(file, name, "dataframe", "0.2.0", &group, err));
    QL_GO(ql_h5out_attr_string(group, "_index", "_index", err));
    QL_GO(ql_h5out_attr_strings(group, "column-order", &order, err));
    QL_GO(ql_h5out_strings(group, "_index", &frame->index, err));
    for (int i = 0; i < frame->n_columns; i++) {
        QL_GO(ql_h5out_column(group, ql_name(&order, i), &frame->columns[i], frame->index.n, err));
    }
out:
    ql_names_free(&order);
    if (st != QL_OK) {
        ql_context(err, st, "%s", name);
        if (group >= 0) H5Gclose(group);
        return st;
    }
    return ql_h5out_close(group, name, err);
}

static ql_status make_mappings(hid_t file, ql_err *err)
{
    for (const char *const *name = mappings; *name; name++) {
        hid_t group = -1;
        QL_TRY(ql_h5out_dict(file, *name, &group, err));
        QL_TRY(ql_h5out_close(group, *name, err));
    }
    return QL_OK;
}

/* Object references (the categories of layout 0.7) must point into the copy. */
static ql_status carry(hid_t input, const char *name, hid_t file, ql_err *err)
{
    hid_t how = H5Pcreate(H5P_OBJECT_COPY);
    herr_t rc = how < 0 ? -1 : H5Pset_copy_object(how, H5O_COPY_EXPAND_REFERENCE_FLAG);
    if (rc >= 0) rc = H5Ocopy(input, name, file, name, how, H5P_DEFAULT);
    ql_status st = rc < 0 ? ql_h5_fail(err, QL_EIO, "cannot copy %s", name) : QL_OK;
    if (how >= 0) H5Pclose(how);
    return st;
}

static ql_status carry_all(hid_t input, const char *const *kept, hid_t file, ql_err *err)
{
    for (; kept && *kept; kept++) {
        if (is_type(input, *kept, H5O_TYPE_GROUP)) QL_TRY(carry(input, *kept, file, err));
    }
    return QL_OK;
}

/* kept: members of the input that are carried through; NULL: none. */
static ql_status write_new(hid_t file, const ql_dataset *ds, hid_t input, const char *const *kept,
                           const ql_write_options *opt, ql_err *err)
{
    QL_TRY(write_counts(file, ds, opt, err));
    QL_TRY(carry_all(input, kept, file, err));
    if (!ql_h5out_exists(file, "obs")) QL_TRY(write_frame(file, "obs", &ds->cells, err));
    if (!ql_h5out_exists(file, "var")) QL_TRY(write_frame(file, "var", &ds->genes, err));
    return make_mappings(file, err);
}

/* ---- which of the two ---- */

ql_status ql_h5ad_start_copy(ql_out_file *out, const char *source, hid_t *file, ql_err *err)
{
    QL_TRY(ql_out_copy(out, source, err));
    QL_TRY(ql_h5out_open_file(out->tmp, file, err));
    return make_mappings(*file, err);
}

static ql_status start_new(ql_out_file *out, const ql_dataset *ds, hid_t input,
                           const char *const *kept, const ql_write_options *opt, hid_t *file,
                           ql_err *err)
{
    QL_TRY(ql_h5out_create_file(out->tmp, file, err));
    return write_new(*file, ds, input, kept, opt, err);
}

ql_status ql_h5ad_extent(const char *path, int64_t *n_cells, int64_t *n_genes, ql_err *err)
{
    hid_t input = open_input(path);
    if (input < 0) return ql_h5_fail(err, QL_ENOINPUT, "%s: cannot read it again", path);
    const ql_status st = frame_lengths(input, n_cells, n_genes, err);
    H5Fclose(input);
    if (st != QL_OK) return ql_context(err, st, "%s", path);
    if (*n_cells >= 0 && *n_genes >= 0) return QL_OK;
    ql_fail(err, QL_EDATA, "%s: has no obs and var that can be added to", path);
    return ql_hint(err, QL_EDATA, "quell convert writes a file of an anndata before 0.7 anew");
}

/* The input, where it is an AnnData, and which of its sides are those of ds. */
static ql_status look_at_input(const ql_dataset *ds, hid_t *input, bool *same_cells,
                               bool *same_genes, ql_err *err)
{
    int64_t n_cells, n_genes;
    *input = -1;
    *same_cells = *same_genes = false;
    if (!is_h5ad(ds->format)) return QL_OK;
    *input = open_input(ds->path);
    if (*input < 0) return ql_h5_fail(err, QL_ENOINPUT, "%s: cannot read it again", ds->path);
    const ql_status st = frame_lengths(*input, &n_cells, &n_genes, err);
    if (st != QL_OK) {
        H5Fclose(*input);
        return st;
    }
    *same_cells = n_cells == ds->counts.n_rows;
    *same_genes = !ds->genes_differ && n_genes == ds->counts.n_cols;
    return QL_OK;
}

ql_status ql_h5ad_start(ql_out_file *out, const ql_dataset *ds, const ql_write_options *opt,
                        ql_notes *notes, hid_t *file, ql_err *err)
{
    hid_t input, opened = -1;
    bool same_cells, same_genes;
    QL_TRY(look_at_input(ds, &input, &same_cells, &same_genes, err));
    bool copy = same_cells && same_genes && !opt->new_matrix;
    const char *const *kept = !same_cells ? NULL : same_genes ? of_both : of_cells;
    if (input >= 0 && !copy) note_losses(input, ds, kept, notes);
    ql_status st = copy ? ql_h5ad_start_copy(out, ds->path, &opened, err)
                        : start_new(out, ds, input, kept, opt, &opened, err);
    if (input >= 0) H5Fclose(input);
    if (st != QL_OK && opened >= 0) H5Fclose(opened);
    if (st == QL_OK) *file = opened;
    return st;
}
