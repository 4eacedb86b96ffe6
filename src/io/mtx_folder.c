#include "mtx_folder.h"

#include <stdio.h>
#include <string.h>

#include "folder.h"
#include "quell/strbuf.h"

/* Names beside a matrix, behind the prefix they share with it. */
static const char *const genes_names[] = {"features.tsv", "genes.tsv", NULL};
static const char *const cells_names[] = {"barcodes.tsv", NULL};

/* Where a sample's output folder keeps its filtered matrix. */
static const char *const inner_folders[] = {"filtered_feature_bc_matrix",
                                            "filtered_gene_bc_matrices",
                                            "Gene/filtered",
                                            "Solo.out/Gene/filtered",
                                            "outs/filtered_feature_bc_matrix",
                                            "filtered",
                                            NULL};

static bool is_matrix_name(const char *name)
{
    return ql_ends_with(name, ".mtx") || ql_ends_with(name, ".mtx.gz");
}

/* --- companions --- */

/* Folder of path into out ("." if none); returns the rest. */
static const char *split_path(const char *path, ql_path *folder)
{
    const char *slash = strrchr(path, '/');
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (!slash) {
        (void)snprintf(folder->path, sizeof folder->path, ".");
        return path;
    }
    if (n == 0) n = 1;
    if (n >= sizeof folder->path) n = sizeof folder->path - 1;
    memcpy(folder->path, path, n);
    folder->path[n] = '\0';
    return slash + 1;
}

static void add_if_file(const ql_path *folder, const char *prefix, int n_prefix, const char *name,
                        const char *gz, ql_path *list, int *n)
{
    char file[NAME_MAX + 64];
    ql_path full;
    int len = snprintf(file, sizeof file, "%.*s%s%s", n_prefix, prefix, name, gz);
    if (*n == QL_MAX_COMPANIONS || len < 0 || (size_t)len >= sizeof file) return;
    if (!ql_join(folder->path, file, full.path, sizeof full.path) || !ql_is_file(full.path)) return;
    list[(*n)++] = full;
}

/* The kind (gzip or plain) of the matrix itself comes first: old plain files lie beside new ones.
 */
static void add_companions(const ql_path *folder, const char *prefix, int n_prefix, bool gz,
                           const char *const *names, ql_path *list, int *n)
{
    for (int turn = 0; turn < 2; turn++)
        for (const char *const *name = names; *name; name++)
            add_if_file(folder, prefix, n_prefix, *name, (turn == 0) == gz ? ".gz" : "", list, n);
}

/* "sample_matrix.mtx" shares "sample_" with its companions, "spliced.mtx" nothing. */
static void find_companions(ql_mtx_folder *f)
{
    ql_path folder;
    const char *name = split_path(f->matrix.path, &folder), *at = strstr(name, "matrix.mtx");
    const char *dot = strstr(name, ".mtx");
    bool gz = ql_ends_with(name, ".gz");
    const int prefix[] = {at    ? (int)(at - name)
                          : dot ? (int)(dot - name)
                                : 0,
                          dot ? (int)(dot - name) + 1 : 0, 0};
    f->n_genes = f->n_cells = 0;
    for (int i = 0; i < 3; i++) {
        if (i > 0 && prefix[i] == prefix[i - 1]) continue;
        if (f->n_genes == 0)
            add_companions(&folder, name, prefix[i], gz, genes_names, f->genes, &f->n_genes);
        if (f->n_cells == 0)
            add_companions(&folder, name, prefix[i], gz, cells_names, f->cells, &f->n_cells);
    }
}

static ql_status need_companions(const ql_mtx_folder *f, ql_err *err)
{
    if (f->n_genes > 0 && f->n_cells > 0) return QL_OK;
    const char *what = f->n_genes > 0 ? "cells (barcodes.tsv, plain or .gz)"
                                      : "genes (features.tsv or genes.tsv, plain or .gz)";
    return ql_fail(err, QL_EDATA, "%s: there is no file beside it that names the %s",
                   f->matrix.path, what);
}

/* --- the matrix --- */

static ql_status fail_many(const ql_names *files, ql_err *err)
{
    ql_str text = {0};
    int n = 0;
    for (int64_t i = 0; i < files->n && n < 10; i++) {
        if (!is_matrix_name(ql_name(files, i))) continue;
        ql_str_puts(&text, n++ ? ", " : "");
        ql_str_escape(&text, ql_name(files, i), strlen(ql_name(files, i)));
    }
    ql_fail(err, QL_EDATA, "has several matrices: %s", ql_str_text(&text));
    ql_str_free(&text);
    return ql_hint(err, "name one of them");
}

/* Both kinds of matrix.mtx: the one whose names are of its own kind. */
static void prefer_complete(const ql_path *folder, ql_mtx_folder *f)
{
    ql_mtx_folder gz = *f, plain = *f;
    if (!ql_join(folder->path, "matrix.mtx.gz", gz.matrix.path, sizeof gz.matrix.path)) return;
    if (!ql_join(folder->path, "matrix.mtx", plain.matrix.path, sizeof plain.matrix.path)) return;
    if (!ql_is_file(gz.matrix.path) || !ql_is_file(plain.matrix.path)) return;
    find_companions(&gz);
    bool complete = gz.n_genes && gz.n_cells && ql_ends_with(gz.genes[0].path, ".gz") &&
                    ql_ends_with(gz.cells[0].path, ".gz");
    *f = complete ? gz : plain;
}

/* *found: folder holds one matrix, or one of the usual name. */
static ql_status look_in(const char *path, ql_mtx_folder *f, bool *found, ql_err *err)
{
    ql_names files = {0};
    ql_path folder;
    const char *matrix = NULL;
    int n = 0;
    bool usual = false;
    *found = false;
    ql_status st = ql_folder_list(path, &files, err);
    for (int64_t i = 0; st == QL_OK && i < files.n; i++) {
        const char *name = ql_name(&files, i);
        if (!is_matrix_name(name)) continue;
        bool is_usual = strcmp(name, "matrix.mtx") == 0 || strcmp(name, "matrix.mtx.gz") == 0;
        if (is_usual || !usual) matrix = name;
        usual = usual || is_usual;
        n++;
    }
    if (st == QL_OK && n > 1 && !usual) st = fail_many(&files, err);
    if (st == QL_OK && matrix && ql_join(path, matrix, f->matrix.path, sizeof f->matrix.path)) {
        *found = true;
        if (ql_join(path, "", folder.path, sizeof folder.path)) prefer_complete(&folder, f);
    }
    ql_names_free(&files);
    return st;
}

/* The only subfolder of a folder (the genome's, below filtered_gene_bc_matrices). */
static bool only_subfolder(const char *folder, ql_path *out)
{
    ql_names names = {0};
    ql_path full;
    int n = 0;
    if (ql_folder_list(folder, &names, NULL) == QL_OK) {
        for (int64_t i = 0; i < names.n; i++) {
            if (!ql_join(folder, ql_name(&names, i), full.path, sizeof full.path)) continue;
            if (!ql_is_folder(full.path)) continue;
            *out = full;
            n++;
        }
    }
    ql_names_free(&names);
    return n == 1;
}

static ql_status look_below(const char *path, ql_mtx_folder *f, bool *found, ql_err *err)
{
    ql_path inner;
    for (const char *const *name = inner_folders; *name && !*found; name++) {
        if (!ql_join(path, *name, inner.path, sizeof inner.path) || !ql_is_folder(inner.path))
            continue;
        QL_TRY(look_in(inner.path, f, found, err));
        if (!*found && only_subfolder(inner.path, &inner))
            QL_TRY(look_in(inner.path, f, found, err));
        f->descended = *found;
    }
    /* the folder filtered_gene_bc_matrices itself, with one genome in it */
    if (!*found && only_subfolder(path, &inner)) {
        QL_TRY(look_in(inner.path, f, found, err));
        f->descended = *found;
    }
    return QL_OK;
}

static ql_status fail_nothing(const char *path, ql_err *err)
{
    ql_path h5;
    ql_fail(err, QL_EDATA,
            "is a folder without a count matrix (looked for matrix.mtx or matrix.mtx.gz with "
            "features.tsv or genes.tsv and barcodes.tsv)");
    if (ql_join(path, "filtered_feature_bc_matrix.h5", h5.path, sizeof h5.path) &&
        ql_is_file(h5.path))
        return ql_hint(err, "it holds filtered_feature_bc_matrix.h5: name that file");
    return QL_EDATA;
}

ql_status ql_mtx_folder_find(const char *path, ql_mtx_folder *f, ql_err *err)
{
    bool found = !ql_is_folder(path);
    memset(f, 0, sizeof *f);
    if (found && snprintf(f->matrix.path, sizeof f->matrix.path, "%s", path) >= PATH_MAX)
        return ql_fail(err, QL_ENOINPUT, "its path is too long");
    if (!found) QL_TRY(look_in(path, f, &found, err));
    if (!found) QL_TRY(look_below(path, f, &found, err));
    if (!found) return fail_nothing(path, err);
    find_companions(f);
    return need_companions(f, err);
}

/* --- names that fit --- */

void ql_mtx_named_free(ql_mtx_named *named)
{
    ql_name_lines_free(&named->genes);
    ql_name_lines_free(&named->cells);
}

typedef struct {
    ql_name_lines lines[QL_MAX_COMPANIONS];
    int n;
} name_lists;

static ql_status read_lists(const ql_path *files, int n, name_lists *lists, ql_err *err)
{
    for (int i = 0; i < n; i++) {
        lists->n = i + 1;
        if (ql_name_lines_read(files[i].path, &lists->lines[i], err) != QL_OK)
            return ql_context(err, "%s", files[i].path);
    }
    return QL_OK;
}

static void free_lists(name_lists *lists)
{
    for (int i = 0; i < lists->n; i++) ql_name_lines_free(&lists->lines[i]);
}

/* Take the pair that fits the sizes, genes x cells by preference; extra: lines too many allowed
 * for. */
static bool take_fit(name_lists *genes, name_lists *cells, const int64_t extra[2],
                     ql_mtx_named *named)
{
    const ql_mtx_header *h = &named->header;
    for (int way = 0; way < 2; way++) {
        int64_t n_genes = way == 0 ? h->n_rows : h->n_cols,
                n_cells = way == 0 ? h->n_cols : h->n_rows;
        for (int g = 0; g < genes->n; g++) {
            for (int c = 0; c < cells->n; c++) {
                if (genes->lines[g].field[0].n != n_genes + extra[0]) continue;
                if (cells->lines[c].field[0].n != n_cells + extra[1]) continue;
                named->cells_are_columns = way == 0;
                named->genes = genes->lines[g];
                named->cells = cells->lines[c];
                genes->lines[g] = cells->lines[c] = (ql_name_lines){0};
                return true;
            }
        }
    }
    return false;
}

static ql_status drop_header(ql_name_lines *lines, int64_t extra, const char *what, ql_notes *notes,
                             ql_err *err)
{
    bool dropped = false;
    if (extra == 0) return QL_OK;
    QL_TRY(ql_name_lines_drop_header(lines, &dropped, err));
    if (!dropped)
        return ql_fail(err, QL_EDATA, "the file of %s has one line more than the matrix", what);
    ql_note_add(notes, QL_NOTE_INFO, "the file of %s begins with a header line: skipped", what);
    return QL_OK;
}

static ql_status fail_sizes(const name_lists *genes, const name_lists *cells,
                            const ql_mtx_header *h, ql_err *err)
{
    return ql_fail(err, QL_EDATA,
                   "is %lld x %lld, but the files beside it name %lld genes and %lld cells",
                   (long long)h->n_rows, (long long)h->n_cols,
                   (long long)genes->lines[0].field[0].n, (long long)cells->lines[0].field[0].n);
}

ql_status ql_mtx_folder_names(const ql_mtx_folder *f, ql_mtx_named *named, ql_notes *notes,
                              ql_err *err)
{
    static const int64_t extras[4][2] = {{0, 0}, {1, 0}, {0, 1}, {1, 1}};
    name_lists genes = {.n = 0}, cells = {.n = 0};
    ql_status st;
    st = ql_mtx_read_header(f->matrix.path, &named->header, err);
    if (st != QL_OK) {
        ql_context(err, "%s", f->matrix.path);
        goto out;
    }
    QL_GO(read_lists(f->genes, f->n_genes, &genes, err));
    QL_GO(read_lists(f->cells, f->n_cells, &cells, err));
    for (int i = 0; i < 4; i++) {
        if (!take_fit(&genes, &cells, extras[i], named)) continue;
        QL_GO(drop_header(&named->genes, extras[i][0], "genes", notes, err));
        QL_GO(drop_header(&named->cells, extras[i][1], "cells", notes, err));
        goto out;
    }
    st = fail_sizes(&genes, &cells, &named->header, err);
out:
    free_lists(&genes);
    free_lists(&cells);
    return st;
}
