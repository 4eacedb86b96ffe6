#include "mtx_folder.h"

#include <stdio.h>
#include <string.h>

#include "../file/folder.h"
#include "quell/strbuf.h"

/* Where a sample's output folder keeps the matrix that is meant to be used. */
static const char *const inner_folders[] = {"filtered_feature_bc_matrix",
                                            "filtered_gene_bc_matrices",
                                            "Gene/filtered",
                                            "GeneFull/filtered",
                                            "Solo.out/Gene/filtered",
                                            "Solo.out/GeneFull/filtered",
                                            "outs/filtered_feature_bc_matrix",
                                            "outs/filtered_gene_bc_matrices",
                                            "filtered",
                                            "counts_filtered",
                                            "counts_unfiltered",
                                            "alevin",
                                            "DGE_filtered",
                                            "all-sample/DGE_filtered",
                                            "all-well/DGE_filtered",
                                            NULL};

/* --- the matrix among the files of a folder --- */

static ql_status fail_many(const ql_names *files, ql_err *err)
{
    ql_str text = {0};
    int n = 0;
    for (int64_t i = 0; i < files->n && n < 10; i++) {
        if (!ql_is_mtx_name(ql_name(files, i))) continue;
        ql_str_puts(&text, n++ ? ", " : "");
        ql_str_escape(&text, ql_name(files, i), strlen(ql_name(files, i)));
    }
    ql_fail(err, QL_EDATA, "has several matrices: %s", ql_str_text(&text));
    ql_str_free(&text);
    return ql_hint(err, QL_EDATA,
                   "name one of them, or its layer: --layer spliced takes spliced.mtx");
}

/* Both kinds of a matrix: the gzip one if all of its names are gzip too. */
static bool gz_is_complete(const char *folder, const char *name, const char *format)
{
    ql_mtx_folder gz = {.n_genes = 0};
    if (!ql_join(folder, name, gz.matrix.path, sizeof gz.matrix.path)) return false;
    ql_mtx_find_companions(&gz, format);
    return gz.maker && gz.n_genes && gz.n_cells && ql_ends_with(gz.genes[0].path, ".gz") &&
           ql_ends_with(gz.cells[0].path, ".gz");
}

/* "spliced" is the layer of spliced.mtx, "mature" that of cells_x_genes.mature.mtx.gz. */
static bool is_of_layer(const char *name, const char *layer)
{
    size_t n = strlen(name), m = strlen(layer);
    if (ql_ends_with(name, ".gz")) n -= 3;
    n -= strlen(".mtx");
    return n >= m && memcmp(name + n - m, layer, m) == 0 && (n == m || name[n - m - 1] == '.');
}

/* How much a name speaks for the matrix: the layer asked for, then the makers' usual names. */
static int merit(const char *name, const char *layer)
{
    enum { LAYER = 1000, USUAL = 500 };
    if (layer && is_of_layer(name, layer)) return LAYER;
    int place = ql_mtx_usual(name);
    return place < 0 ? 0 : USUAL - place;
}

/* name and best are the plain and the gzip file of one matrix ("x.mtx" sorts before "x.mtx.gz"). */
static bool is_gz_of(const char *name, const char *plain)
{
    size_t n = strlen(plain);
    return strncmp(name, plain, n) == 0 && strcmp(name + n, ".gz") == 0;
}

typedef struct {
    const char *best; /* borrowed from the list of files */
    int best_merit, n, n_equal;
} choice;

static void consider(choice *c, const char *folder, const char *name, const char *format,
                     const char *layer)
{
    if (c->best && is_gz_of(name, c->best)) {
        if (gz_is_complete(folder, name, format)) c->best = name;
        return;
    }
    int m = merit(name, layer);
    c->n++;
    if (c->best && m < c->best_merit) return;
    c->n_equal = c->best && m == c->best_merit ? c->n_equal + 1 : 1;
    if (c->n_equal == 1) c->best = name;
    c->best_merit = m;
}

/* A folder cannot be read, and a pipe of that name might never give a byte. */
static bool is_matrix_file(const char *folder, const char *name)
{
    ql_path full;
    return ql_is_mtx_name(name) && ql_join(folder, name, full.path, sizeof full.path) &&
           ql_is_file(full.path);
}

/* *found: folder holds a matrix. Which one is an error if there are several that are alike. */
static ql_status look_in(const char *path, const char *format, const char *layer, ql_mtx_folder *f,
                         bool *found, ql_err *err)
{
    ql_names files = {0};
    choice c = {0};
    *found = false;
    ql_status st = ql_folder_list(path, &files, err);
    for (int64_t i = 0; st == QL_OK && i < files.n; i++)
        if (is_matrix_file(path, ql_name(&files, i)))
            consider(&c, path, ql_name(&files, i), format, layer);
    *found = c.best && ql_join(path, c.best, f->matrix.path, sizeof f->matrix.path);
    f->n_others = c.n - 1;
    f->by_layer = *found && layer && is_of_layer(c.best, layer);
    if (*found) ql_mtx_find_companions(f, format);
    if (*found && c.n_equal > 1) st = fail_many(&files, err);
    ql_names_free(&files);
    return st;
}

/* --- folders above it --- */

/* The only subfolder of a folder (the genome's, below filtered_gene_bc_matrices). */
static ql_status only_subfolder(const char *folder, ql_path *out, bool *is, ql_err *err)
{
    ql_names names = {0};
    ql_path full;
    int n = 0;
    const ql_status st = ql_folder_list(folder, &names, err);
    for (int64_t i = 0; st == QL_OK && i < names.n; i++) {
        if (!ql_join(folder, ql_name(&names, i), full.path, sizeof full.path)) continue;
        if (!ql_is_folder(full.path)) continue;
        *out = full;
        n++;
    }
    ql_names_free(&names);
    *is = n == 1;
    return st == QL_EMEMORY ? st : QL_OK;
}

/* In the folder that is the only one in it. */
static ql_status look_in_only(const char *path, const char *format, const char *layer,
                              ql_mtx_folder *f, bool *found, ql_err *err)
{
    ql_path inner;
    bool is;
    QL_TRY(only_subfolder(path, &inner, &is, err));
    return is ? look_in(inner.path, format, layer, f, found, err) : QL_OK;
}

static ql_status look_below(const char *path, const char *format, const char *layer,
                            ql_mtx_folder *f, bool *found, ql_err *err)
{
    ql_path inner;
    for (const char *const *name = inner_folders; *name && !*found; name++) {
        if (!ql_join(path, *name, inner.path, sizeof inner.path) || !ql_is_folder(inner.path))
            continue;
        QL_TRY(look_in(inner.path, format, layer, f, found, err));
        if (!*found) QL_TRY(look_in_only(inner.path, format, layer, f, found, err));
        f->descended = *found;
    }
    /* the folder filtered_gene_bc_matrices itself, with one genome in it */
    if (*found) return QL_OK;
    QL_TRY(look_in_only(path, format, layer, f, found, err));
    f->descended = *found;
    return QL_OK;
}

static ql_status fail_nothing(const char *path, ql_err *err)
{
    ql_path h5;
    ql_fail(err, QL_EDATA,
            "is a folder without a count matrix (looked for matrix.mtx or matrix.mtx.gz with "
            "features.tsv or genes.tsv and barcodes.tsv, and for quants_mat.mtx, "
            "cells_x_genes.mtx, DGE.mtx)");
    if (ql_join(path, "filtered_feature_bc_matrix.h5", h5.path, sizeof h5.path) &&
        ql_is_file(h5.path))
        return ql_hint(err, QL_EDATA, "it holds filtered_feature_bc_matrix.h5: name that file");
    return QL_EDATA;
}

ql_status ql_mtx_folder_find(const char *path, const char *format, const char *layer,
                             ql_mtx_folder *f, ql_err *err)
{
    bool found = !ql_is_folder(path);
    memset(f, 0, sizeof *f);
    if (found && snprintf(f->matrix.path, sizeof f->matrix.path, "%s", path) >= PATH_MAX)
        return ql_fail(err, QL_ENOINPUT, "its path is too long");
    if (found) ql_mtx_find_companions(f, format);
    if (!found) QL_TRY(look_in(path, format, layer, f, &found, err));
    if (!found) QL_TRY(look_below(path, format, layer, f, &found, err));
    if (!found) return fail_nothing(path, err);
    if (!f->maker)
        return ql_fail(err, QL_EDATA, "%s: is no matrix of the format %s", f->matrix.path, format);
    if (!f->maker->refuse) return QL_OK;
    ql_fail(err, QL_EDATA, "%s: %s", f->matrix.path, f->maker->refuse);
    return ql_hint(err, QL_EDATA, "count genes: kb count without --tcc");
}

ql_status ql_mtx_folder_maker(const char *path, const char *format, ql_mtx_folder *f, ql_err *err)
{
    const ql_status st = ql_mtx_folder_find(path, format, NULL, f, err);
    return st == QL_EMEMORY ? st : QL_OK;
}
