/* 10x HDF5 of Cell Ranger 1 and 2: a group per genome with barcodes, genes and gene_names beside
 * the arrays. CellBender writes the same as /matrix_v2. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "features_10x.h"
#include "formats.h"
#include "h5_names.h"
#include "matrix_h5.h"

enum { MAX_MEMBERS = 1000 };

static bool has(hid_t file, const char *group, const char *member)
{
    char path[1200];
    (void)snprintf(path, sizeof path, "%s/%s", group, member);
    return ql_h5r_kind_of(file, path) == QL_H5R_DATASET;
}

static bool is_genome(hid_t file, const char *group)
{
    static const char *const needed[] = {"data", "indices", "indptr", "shape", "genes", "barcodes"};
    if (ql_h5r_kind_of(file, group) != QL_H5R_GROUP) return false;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!has(file, group, needed[i])) return false;
    return true;
}

/* Names of the root's groups that hold a genome's matrix. */
static ql_status genomes(hid_t file, ql_names *out, ql_err *err)
{
    ql_names members = {0};
    ql_status st = ql_h5r_members(file, "/", MAX_MEMBERS, &members, NULL, err);
    for (int64_t i = 0; st == QL_OK && i < members.n; i++) {
        const char *name = ql_name(&members, i);
        if (is_genome(file, name)) st = ql_names_add(out, name, strlen(name), err);
    }
    ql_names_free(&members);
    return st;
}

static bool sniff(const char *path)
{
    ql_names found = {0};
    hid_t file = ql_h5r_try_open(path);
    bool is = file >= 0 && genomes(file, &found, NULL) == QL_OK && found.n > 0;
    ql_names_free(&found);
    ql_h5r_close(file);
    return is;
}

static ql_status pick_genome(const ql_names *found, const char *want, int64_t *at, ql_err *err)
{
    ql_str list = {0};
    *at = want || found->n > 1 ? -1 : 0;
    for (int64_t i = 0; i < found->n; i++) {
        if (want && strcmp(ql_name(found, i), want) == 0) *at = i;
        ql_str_puts(&list, i ? ", " : "");
        ql_str_escape(&list, ql_name(found, i), strlen(ql_name(found, i)));
    }
    ql_status st = QL_OK;
    if (found->n == 0) {
        st = ql_fail(err, QL_EDATA, "has no group of a genome with barcodes, genes and counts");
    } else if (*at < 0 && want) {
        st = ql_fail(err, QL_EDATA, "has no genome \"%s\" (it has: %s)", want, ql_str_text(&list));
    } else if (*at < 0) {
        st = ql_fail(err, QL_EDATA, "has several genomes: %s", ql_str_text(&list));
        st = err ? ql_hint(err, "pick one with --genome") : st;
    }
    ql_str_free(&list);
    return st;
}

static ql_status read_features(hid_t file, const char *genome, ql_features *f, ql_err *err)
{
    char path[1200];
    (void)snprintf(path, sizeof path, "%s/genes", genome);
    QL_TRY(ql_h5r_names(file, path, &f->id, err));
    if (!has(file, genome, "gene_names")) return QL_OK;
    (void)snprintf(path, sizeof path, "%s/gene_names", genome);
    QL_TRY(ql_h5r_names(file, path, &f->name, err));
    if (f->name.n == f->id.n) return QL_OK;
    return ql_fail(err, QL_EDATA, "/%s: has %" PRId64 " values, but there are %" PRId64 " genes",
                   path, f->name.n, f->id.n);
}

static ql_status read_matrix(hid_t file, const char *genome, const ql_features *f,
                             const ql_read_options *opt, ql_csr *m, ql_dataset *ds, ql_err *err)
{
    char path[1200];
    int64_t shape[2];
    (void)snprintf(path, sizeof path, "%s/barcodes", genome);
    QL_TRY(ql_h5r_names(file, path, &ds->cells.index, err));
    QL_TRY(ql_10x_shape(file, genome, shape, err));
    QL_TRY(ql_10x_check_lengths(genome, shape, f->id.n, ds->cells.index.n, err));
    return ql_matrix_h5_arrays(file, genome, shape[1], shape[0], "genes", opt->threads, m, err);
}

static ql_status read_genome(hid_t file, const char *genome, const ql_read_options *opt,
                             ql_dataset *ds, ql_notes *notes, ql_err *err)
{
    ql_features f = {0};
    ql_csr m = {0};
    ql_read_options o = *opt;
    int64_t n_duplicates = 0;
    ql_status st;
    o.genome = NULL; /* picked by its group */
    QL_GO(read_features(file, genome, &f, err));
    QL_GO(read_matrix(file, genome, &f, &o, &m, ds, err));
    QL_GO(ql_csr_normalise(&m, &n_duplicates, err));
    ql_note_duplicates(n_duplicates, notes);
    QL_GO(ql_features_apply(&f, &o, &m, ds, notes, err));
    QL_GO(ql_set_text(&ds->matrix, genome, err));
out:
    ql_csr_free(&m);
    ql_features_free(&f);
    return st;
}

static ql_status read_v2(const char *path, const ql_read_options *opt, ql_dataset *ds,
                         ql_notes *notes, ql_err *err)
{
    hid_t file = -1;
    ql_names found = {0};
    int64_t at = -1;
    ql_status st;
    QL_GO(ql_h5r_open(path, &file, err));
    QL_GO(genomes(file, &found, err));
    QL_GO(pick_genome(&found, opt->genome, &at, err));
    QL_GO(read_genome(file, ql_name(&found, at), opt, ds, notes, err));
out:
    ql_names_free(&found);
    ql_h5r_close(file);
    return st;
}

static ql_status describe(const char *path, ql_str *out, ql_err *err)
{
    hid_t file = -1;
    ql_names found = {0};
    ql_status st;
    QL_GO(ql_h5r_open(path, &file, err));
    QL_GO(genomes(file, &found, err));
    for (int64_t i = 0; i < found.n; i++) {
        int64_t shape[2];
        QL_GO(ql_10x_shape(file, ql_name(&found, i), shape, err));
        QL_GO(ql_10x_describe_group(file, ql_name(&found, i), shape, out, err));
    }
out:
    ql_names_free(&found);
    ql_h5r_close(file);
    return st;
}

const ql_format ql_format_10x_h5_v2 = {
    .name = "10x-h5-v2",
    .summary = "10x HDF5 of Cell Ranger 1 and 2",
    .sniff = sniff,
    .read = read_v2,
    .describe = describe,
};
