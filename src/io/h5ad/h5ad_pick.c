/* Which matrix of an h5ad holds the counts. What the user named decides; else X if it passes the
 * count check; else the first of the usual places that passes. */
#include <stdio.h>
#include <string.h>

#include "../counts/count_check.h"
#include "../hdf5/matrix_h5_stream.h"
#include "../text/wording.h"
#include "h5ad_read.h"
#include "quell/reader.h"

/* Usual places of counts beside X; raw's X comes after them. */
static const char *const usual_layers[] = {"layers/counts", "layers/raw_counts", "layers/raw",
                                           "layers/umi", "layers/umis"};
enum { N_LAYERS = sizeof usual_layers / sizeof *usual_layers };

/* What is looked at: the root of the AnnData and what its parts are called. */
typedef struct {
    hid_t file;
    const ql_h5ad_names *names;
    const ql_read_options *opt;
    ql_band_sink *sink; /* NULL: the matrix is read whole */
} choice;

/* Present, and not the None that anndata writes as a null dataset. */
static bool present(hid_t file, const char *path)
{
    return ql_h5r_kind_of(file, path) != QL_H5R_NONE &&
           !ql_h5r_attr_is(file, path, "encoding-type", "null");
}

static bool same_names(const ql_names *a, const ql_names *b)
{
    if (a->n != b->n) return false;
    for (int64_t i = 0; i < a->n; i++)
        if (strcmp(ql_name(a, i), ql_name(b, i)) != 0) return false;
    return true;
}

static ql_status differ_from_var(const choice *c, const ql_names *genes, bool *differ, ql_err *err)
{
    ql_names var = {0};
    ql_status st = ql_h5ad_index(c->file, c->names->var, &var, err);
    if (st == QL_OK) *differ = !same_names(genes, &var);
    ql_names_free(&var);
    return st;
}

static ql_status read_matrix(const choice *c, const char *path, ql_dataset *ds,
                             int64_t *n_duplicates, ql_err *err)
{
    const int64_t n_cells = ds->cells.index.n, n_genes = ds->genes.index.n;
    ql_band_sink *s = c->sink;
    if (!s)
        return ql_matrix_h5_read_seen(c->file, path, n_cells, n_genes, c->opt->threads, &ds->counts,
                                      n_duplicates, &ds->count_max, err);
    QL_TRY(ql_matrix_h5_stream(c->file, path, n_cells, n_genes, s, ds, err));
    *n_duplicates = s->n_duplicates;
    return QL_OK;
}

/* Read one matrix with the names of its genes. On failure ds holds no matrix. */
static ql_status take(const choice *c, const char *path, ql_dataset *ds, ql_notes *notes,
                      ql_err *err)
{
    int64_t n_duplicates = 0;
    bool raw = strcmp(path, c->names->raw_x) == 0;
    ql_names_free(&ds->genes.index);
    ql_csr_free(&ds->counts);
    ql_store_free(ds->store);
    ds->store = NULL;
    ds->count_max = 0.0f;
    QL_TRY(ql_h5ad_index(c->file, raw ? c->names->raw_var : c->names->var, &ds->genes.index, err));
    QL_TRY(read_matrix(c, path, ds, &n_duplicates, err));
    ds->genes_differ = false;
    if (raw) QL_TRY(differ_from_var(c, &ds->genes.index, &ds->genes_differ, err));
    QL_TRY(ql_set_text(&ds->matrix, path, err));
    ql_note_duplicates(n_duplicates, notes);
    return QL_OK;
}

static void note_taken(hid_t file, const ql_dataset *ds, const char *why, ql_notes *notes)
{
    ql_matrix_info info;
    ql_grouped cells, genes;
    if (ql_matrix_h5_info(file, ds->matrix, &info, NULL) != QL_OK) return;
    ql_note_add(notes, QL_NOTE_INFO, "using %s (%s, %s), %s cells x %s genes%s%s", ds->matrix,
                info.type, ql_matrix_layout_text(info.layout), ql_group_digits(info.n_rows, cells),
                ql_group_digits(info.n_cols, genes), why[0] ? "; " : "", why);
}

/* --- named by the user --- */

static ql_status fail_no_layer(hid_t file, const char *layer, ql_err *err)
{
    ql_names layers = {0};
    ql_str text = {0};
    ql_h5r_list(file, "layers", 20, &layers);
    ql_join_names(&layers, &text);
    ql_fail(err, QL_EDATA, "has no layer \"%s\" (it has: %s)", layer,
            layers.n ? ql_str_text(&text) : "none");
    ql_str_free(&text);
    ql_names_free(&layers);
    return QL_EDATA;
}

static ql_status take_named(const choice *c, ql_dataset *ds, ql_notes *notes, ql_err *err)
{
    char path[1024];
    const char *layer = c->opt->layer;
    (void)snprintf(path, sizeof path, "%s%s",
                   layer             ? "layers/"
                   : c->opt->use_raw ? c->names->raw_x
                                     : c->names->x,
                   layer ? layer : "");
    if (layer && !present(c->file, path)) return fail_no_layer(c->file, layer, err);
    if (!present(c->file, path)) return ql_fail(err, QL_EDATA, "has no %s", path);
    QL_TRY(take(c, path, ds, notes, err));
    note_taken(c->file, ds, "", notes);
    return QL_OK;
}

/* --- found by looking --- */

/* Take path if it holds counts; *ok says so, else `why` says why not. A damaged matrix that was
 * only a candidate is passed over. */
static ql_status try_one(const choice *c, const char *path, ql_dataset *ds, ql_notes *notes,
                         ql_str *why, ql_err *err)
{
    QL_TRY(take(c, path, ds, notes, err));
    ql_str_clear(why);
    if (c->sink) {
        ql_str_puts(why, ql_str_text(&c->sink->why));
        return QL_OK;
    }
    ql_count_check check = ql_check_dataset(ds, c->opt->threads);
    if (ql_are_counts(&check)) return QL_OK;
    ql_describe_noncount(&ds->counts, &check, check.first, &ds->cells.index, &ds->genes.index, why);
    return QL_OK;
}

static ql_status try_candidates(const choice *c, ql_dataset *ds, ql_notes *notes, bool *found,
                                ql_str *tried, ql_err *err)
{
    ql_str why = {0};
    ql_status st = QL_OK;
    for (int i = 0; i <= N_LAYERS && !*found; i++) {
        ql_err own = {0};
        const char *path = i < N_LAYERS ? usual_layers[i] : c->names->raw_x;
        if (!present(c->file, path)) continue;
        st = try_one(c, path, ds, notes, &why, &own);
        if (st == QL_EMEMORY) {
            if (err) *err = own;
            break;
        }
        *found = st == QL_OK && why.len == 0;
        ql_str_printf(tried, "%s%s", tried->len ? ", " : "", path);
        if (st != QL_OK) ql_note_add(notes, QL_NOTE_WARNING, "passed over: %s", own.msg);
        st = QL_OK;
    }
    ql_str_free(&why);
    return st;
}

static ql_status fail_no_counts(const ql_str *why_not_x, const ql_str *tried, ql_err *err)
{
    const char *x = why_not_x->len ? "X: " : "there is no X", *why = ql_str_text(why_not_x);
    if (tried->len)
        ql_fail(err, QL_EDATA, "%s%s; no counts in %s either", x, why, ql_str_text(tried));
    else
        ql_fail(err, QL_EDATA, "%s%s; there is no layers/counts or raw/X", x, why);
    return ql_hint(err, QL_EDATA,
                   "training needs the counts as they were counted; if they are in another layer, "
                   "name it with --layer; --allow-noncounts accepts fractions");
}

/* Nothing passed. Fractions may be allowed, and X is then what was meant. */
static ql_status settle(const choice *c, ql_dataset *ds, ql_notes *notes, const ql_str *why_not_x,
                        const ql_str *tried, ql_err *err)
{
    if (!c->opt->allow_noncounts || !why_not_x->len) return fail_no_counts(why_not_x, tried, err);
    QL_TRY(take(c, c->names->x, ds, notes, err));
    note_taken(c->file, ds, "", notes);
    return QL_OK;
}

static ql_status search(const choice *c, ql_dataset *ds, ql_notes *notes, ql_err *err)
{
    ql_str why_not_x = {0}, tried = {0}, reason = {0};
    bool found = false;
    ql_status st = QL_OK;
    if (present(c->file, c->names->x)) {
        QL_GO(try_one(c, c->names->x, ds, notes, &why_not_x, err));
        found = why_not_x.len == 0;
    }
    if (found) {
        note_taken(c->file, ds, "", notes);
        goto out;
    }
    QL_GO(try_candidates(c, ds, notes, &found, &tried, err));
    if (!found) {
        st = settle(c, ds, notes, &why_not_x, &tried, err);
        goto out;
    }
    if (why_not_x.len)
        ql_str_printf(&reason, "X holds no counts: %s", ql_str_text(&why_not_x));
    else
        ql_str_puts(&reason, "there is no X");
    note_taken(c->file, ds, ql_str_text(&reason), notes);
out:
    ql_str_free(&reason);
    ql_str_free(&tried);
    ql_str_free(&why_not_x);
    return st;
}

ql_status ql_h5ad_pick(hid_t file, const ql_h5ad_names *names, const ql_reading *r, ql_dataset *ds,
                       ql_notes *notes, ql_err *err)
{
    const ql_read_options *opt = r->opt;
    const choice c = {file, names, opt, r->sink};
    if (opt->layer || opt->use_raw || opt->use_x) return take_named(&c, ds, notes, err);
    return search(&c, ds, notes, err);
}

static ql_status add_path(hid_t file, const char *path, ql_names *out, ql_err *err)
{
    return present(file, path) ? ql_names_add(out, path, strlen(path), err) : QL_OK;
}

ql_status ql_h5ad_matrices(hid_t file, const ql_h5ad_names *names, const ql_read_options *opt,
                           ql_names *out, ql_err *err)
{
    char layer[1024];
    if (opt->layer) {
        (void)snprintf(layer, sizeof layer, "layers/%s", opt->layer);
        return add_path(file, layer, out, err);
    }
    if (!opt->use_raw) QL_TRY(add_path(file, names->x, out, err));
    if (opt->use_x) return QL_OK;
    for (int i = 0; !opt->use_raw && i < N_LAYERS; i++)
        QL_TRY(add_path(file, usual_layers[i], out, err));
    return add_path(file, names->raw_x, out, err);
}
