#include "sample_names.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "quell/strbuf.h"

/* --- one part of a path --- */

static const char *const endings[] = {
    ".gz",  ".h5ad", ".h5mu", ".h5",      ".hdf5", ".loom",     ".mtx",
    ".csv", ".tsv",  ".txt",  ".dge.txt", ".tab",  "_Solo.out", "Solo.out",
};

/* What programs call their outputs, without endings. */
static const char *const usual[] = {
    "filtered_feature_bc_matrix",
    "raw_feature_bc_matrix",
    "sample_filtered_feature_bc_matrix",
    "sample_raw_feature_bc_matrix",
    "filtered_gene_bc_matrices",
    "raw_gene_bc_matrices",
    "filtered_gene_bc_matrices_h5",
    "raw_gene_bc_matrices_h5",
    "filtered",
    "raw",
    "count",
    "counts",
    "matrix",
    "adata",
    "outs",
    "out",
    "output",
    "GRCh38",
    "GRCm38",
    "GRCm39",
    "hg19",
    "hg38",
    "mm10",
    "Gene",
    "GeneFull",
    "GeneFull_Ex50pAS",
    "Velocyto",
    "quants_mat",
    "alevin",
    "af_quant",
    "quant",
    "cells_x_genes",
    "counts_filtered",
    "counts_unfiltered",
    "count_matrix",
    "DGE",
    "DGE_filtered",
    "DGE_unfiltered",
    "all-sample",
    "stdin",
    "-",
    "",
};

static bool is_usual(const char *name)
{
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (strcasecmp(name, usual[i]) == 0) return true;
    return false;
}

/* Cut endings off as long as there are any and something stays. */
static void cut_endings(char *name)
{
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t n = strlen(name), len = strlen(endings[i]);
        if (n < len || strcasecmp(name + n - len, endings[i]) != 0) continue;
        name[n - len] = '\0';
        i = (size_t)-1; /* from the first again */
    }
}

typedef struct {
    char text[PATH_MAX];
} buffer;

/* Cut the last part off path into part, without endings. False at the end of the path. */
static bool last_part(char *path, buffer *part)
{
    size_t n = strlen(path);
    while (n > 0 && path[n - 1] == '/') path[--n] = '\0';
    if (n == 0) return false;
    char *slash = strrchr(path, '/');
    (void)snprintf(part->text, sizeof part->text, "%s", slash ? slash + 1 : path);
    *(slash ? slash : path) = '\0';
    cut_endings(part->text);
    return true;
}

/* --- a path --- */

/* The nearest part with a name of its own; path loses it and what stands behind. */
static bool own_part(char *path, buffer *part)
{
    while (last_part(path, part))
        if (!is_usual(part->text) && part->text[0] != '.') return true;
    return false;
}

/* The path as given, or where that leads (". ", "outs"). rest: what stands before the part. */
static void name_of(const char *path, buffer *part, buffer *rest)
{
    (void)snprintf(rest->text, sizeof rest->text, "%s", path);
    if (own_part(rest->text, part)) return;
    if (realpath(path, rest->text) && own_part(rest->text, part)) return;
    (void)snprintf(rest->text, sizeof rest->text, "%s", path);
    if (!last_part(rest->text, part) || !part->text[0] || part->text[0] == '.' ||
        !strcmp(part->text, "-"))
        (void)snprintf(part->text, sizeof part->text, "sample");
}

static int count_same(const ql_names *names, const char *name)
{
    int n = 0;
    for (int64_t i = 0; i < names->n; i++) n += strcmp(ql_name(names, i), name) == 0;
    return n;
}

static ql_status add_with_folder(const char *path, ql_names *out, ql_err *err)
{
    buffer part, rest, folder;
    ql_str text = {0};
    name_of(path, &part, &rest);
    if (own_part(rest.text, &folder)) ql_str_printf(&text, "%s_", folder.text);
    ql_str_puts(&text, part.text);
    ql_status st = text.failed ? ql_fail(err, QL_EMEMORY, "no memory for a name")
                               : ql_names_add(out, ql_str_text(&text), text.len, err);
    ql_str_free(&text);
    return st;
}

static ql_status names_of_paths(const char *const *paths, int n, ql_names *out, ql_err *err)
{
    buffer part, rest;
    ql_names first = {0};
    ql_status st = QL_OK;
    for (int i = 0; i < n; i++) {
        name_of(paths[i], &part, &rest);
        QL_GO(ql_names_add(&first, part.text, strlen(part.text), err));
    }
    for (int i = 0; i < n; i++) {
        const char *name = ql_name(&first, i);
        if (count_same(&first, name) == 1)
            QL_GO(ql_names_add(out, name, strlen(name), err));
        else
            QL_GO(add_with_folder(paths[i], out, err));
    }
    QL_GO(ql_names_make_unique(out, NULL, NULL, err));
out:
    ql_names_free(&first);
    return st;
}

/* --- as given --- */

static ql_status split(const char *given, ql_names *out, ql_err *err)
{
    for (const char *s = given;; s++) {
        size_t n = strcspn(s, ",");
        if (n == 0) return ql_fail(err, QL_EUSAGE, "--samples: '%s' has an empty name", given);
        QL_TRY(ql_names_add(out, s, n, err));
        s += n;
        if (!*s) return QL_OK;
    }
}

ql_status ql_sample_names(const char *const *paths, int n, const char *given, ql_names *out,
                          ql_err *err)
{
    if (!given) return names_of_paths(paths, n, out, err);
    QL_TRY(split(given, out, err));
    if (out->n != n)
        return ql_fail(err, QL_EUSAGE, "--samples: %lld names for %d inputs", (long long)out->n, n);
    for (int i = 0; i < n; i++)
        if (count_same(out, ql_name(out, i)) > 1)
            return ql_fail(err, QL_EUSAGE, "--samples: '%s' is given twice", ql_name(out, i));
    return QL_OK;
}
