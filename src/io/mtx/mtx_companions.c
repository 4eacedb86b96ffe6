/* The files of names beside a matrix: those that share a prefix with it. */
#include <stdio.h>
#include <string.h>

#include "../file/folder.h"
#include "mtx_folder.h"

const char *ql_split_path(const char *path, ql_path *folder)
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

static bool try_file(const char *folder, const char *name, int n, const char *join,
                     const char *tail, bool gz, ql_path *out)
{
    char file[NAME_MAX + 64];
    int len = snprintf(file, sizeof file, "%.*s%s%s%s", n, name, join, tail, gz ? ".gz" : "");
    if (len < 0 || (size_t)len >= sizeof file) return false;
    return ql_join(folder, file, out->path, sizeof out->path) && ql_is_file(out->path);
}

static bool is_separator(char c)
{
    return c == '.' || c == '_' || c == '-';
}

/* The prefix without its last word: "GSM1_liver_" to "GSM1_", "GSM1_" to "". */
static int shorten(const char *name, int n)
{
    if (n > 0) n--;
    while (n > 0 && !is_separator(name[n - 1])) n--;
    return n;
}

/* "sample_matrix.mtx" shares "sample_" with its companions, "counts.mtx" "counts" with what joins
 * them, "spliced.mtx" nothing. */
static bool find_kind(const char *folder, const char *name, int n, const char *tail, bool gz,
                      ql_path *out)
{
    static const char *const joins[] = {".", "_", "-"};
    bool whole_word = n > 0 && !is_separator(name[n - 1]);
    for (size_t i = 0; whole_word && i < sizeof joins / sizeof *joins; i++)
        if (try_file(folder, name, n, joins[i], tail, gz, out)) return true;
    for (;; n = shorten(name, n)) {
        int word = n > 0 && is_separator(name[n - 1]) ? n - 1 : n;
        if (try_file(folder, name, n, "", tail, gz, out)) return true;
        if (word < n && try_file(folder, name, word, "", tail, gz, out)) return true;
        if (n == 0) return false;
    }
}

bool ql_mtx_find_file(const char *folder, const char *name, int n, bool gz, const char *tail,
                      ql_path *out)
{
    if (find_kind(folder, name, n, tail, gz, out) || find_kind(folder, name, n, tail, !gz, out))
        return true;
    out->path[0] = '\0';
    return false;
}

/* The kind (gzip or plain) of the matrix itself comes first: old plain files lie beside new ones.
 */
static int find_all(const char *folder, const char *name, int prefix, const char *const *tails,
                    ql_path *list)
{
    bool gz = ql_ends_with(name, ".gz");
    int n = 0;
    for (int turn = 0; turn < 2; turn++)
        for (const char *const *tail = tails; *tail && n < QL_MAX_COMPANIONS; tail++)
            n += find_kind(folder, name, prefix, *tail, (turn == 0) == gz, &list[n]);
    return n;
}

/* Fill in what f->maker expects beside the matrix; how many of the two kinds of names are there. */
static int try_maker(const ql_mtx_maker *maker, ql_mtx_folder *f)
{
    ql_path folder;
    const char *name = ql_split_path(f->matrix.path, &folder);
    int prefix = ql_mtx_prefix(maker, name);
    bool gz = ql_ends_with(name, ".gz");
    if (prefix < 0) prefix = 0; /* a MatrixMarket file of another name */
    f->maker = maker;
    f->n_genes = find_all(folder.path, name, prefix, maker->genes, f->genes);
    f->n_cells = find_all(folder.path, name, prefix, maker->cells, f->cells);
    f->gene_names.path[0] = f->cell_prefix.path[0] = '\0';
    if (maker->gene_names)
        (void)ql_mtx_find_file(folder.path, name, prefix, gz, maker->gene_names, &f->gene_names);
    if (maker->cell_prefix)
        (void)ql_mtx_find_file(folder.path, name, prefix, gz, maker->cell_prefix, &f->cell_prefix);
    return (f->n_genes > 0) + (f->n_cells > 0);
}

static bool is_candidate(const ql_mtx_maker *maker, const char *name, const char *format)
{
    if (format && strcmp(format, maker->format) != 0) return false;
    bool last = maker[1].format == NULL; /* takes every name */
    return last || ql_mtx_prefix(maker, name) >= 0;
}

/* The first maker whose names are all there; else the one with most of them. */
void ql_mtx_find_companions(ql_mtx_folder *f, const char *format)
{
    ql_path folder;
    const ql_mtx_maker *best = NULL;
    const char *name = ql_split_path(f->matrix.path, &folder);
    int most = -1;
    for (const ql_mtx_maker *maker = ql_mtx_makers; maker->format; maker++) {
        if (!is_candidate(maker, name, format)) continue;
        int n = try_maker(maker, f);
        bool holds = maker->refuse && maker->by_names ? f->n_genes > 0 : n > 0 || !maker->by_names;
        if (!holds || n <= most) continue;
        best = maker;
        most = n;
    }
    if (best)
        (void)try_maker(best, f);
    else
        f->maker = NULL;
}
