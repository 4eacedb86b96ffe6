/* 10x HDF5 of Cell Ranger 1 and 2: a group per genome with barcodes, genes and gene_names beside
 * the arrays. CellBender writes the same as /matrix_v2. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../counts/band_sink.h"
#include "../hdf5/h5_names.h"
#include "../hdf5/matrix_h5.h"
#include "../text/wording.h"
#include "genomes_10x.h"
#include "h5_10x.h"
#include "quell/alloc.h"
#include "quell/reader.h"

enum { MAX_MEMBERS = 1000, MAX_GENOMES = 64 };

static bool has(hid_t file, const char *group, const char *member)
{
    char path[1200];
    (void)snprintf(path, sizeof path, "%s/%s", group, member);
    return ql_h5r_kind_of(file, path) == QL_H5R_DATASET;
}

static bool is_genome(hid_t file, const char *group)
{
    static const char *const needed[] = {"data", "indices", "indptr", "shape"};
    if (ql_h5r_kind_of(file, group) != QL_H5R_GROUP) return false;
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (!has(file, group, needed[i])) return false;
    return true;
}

/* Names of the root's groups that hold a genome's matrix. */
static ql_status find_genomes(hid_t file, ql_names *out, ql_err *err)
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

static ql_status sniff(const char *path, bool *is, ql_err *err)
{
    ql_names found = {0};
    hid_t file = ql_h5r_try_open(path);
    const ql_status st = file < 0 ? QL_OK : find_genomes(file, &found, err);
    *is = st == QL_OK && found.n > 0;
    ql_names_free(&found);
    ql_h5r_close(file);
    return st == QL_EMEMORY ? st : QL_OK;
}

static ql_status fail_no_genome(const ql_names *found, const char *want, ql_err *err)
{
    ql_str list = {0};
    ql_list_names(found, found->n, &list);
    ql_fail(err, QL_EDATA, "has no genome \"%s\" (it has: %s)", want, ql_str_text(&list));
    ql_str_free(&list);
    return QL_EDATA;
}

/* The groups to read: all, or the one called as the genome that is wanted. A single group that
 * lists the genome of each gene (CellBender) is cut down by that list later. */
static ql_status pick_genomes(hid_t file, ql_names *found, const char *want, bool *by_list,
                              ql_err *err)
{
    *by_list = false;
    if (found->n == 0) return ql_fail(err, QL_EDATA, "has no group with the counts of a genome");
    if (found->n > MAX_GENOMES)
        return ql_fail(err, QL_EDATA, "has %" PRId64 " genomes, more than %d", found->n,
                       MAX_GENOMES);
    if (!want) return QL_OK;
    for (int64_t i = 0; i < found->n; i++) {
        if (strcmp(ql_name(found, i), want) != 0) continue;
        ql_names_free(found);
        return ql_names_add(found, want, strlen(want), err);
    }
    *by_list = found->n == 1 && has(file, ql_name(found, 0), "genome");
    return *by_list ? QL_OK : fail_no_genome(found, want, err);
}

/* --- one genome --- */

/* Strings of a member that must be as many as n; *there says whether the file has it. */
static ql_status member_names(hid_t file, const char *group, const char *member, int64_t n,
                              ql_names *out, bool *there, ql_err *err)
{
    char path[1200];
    *there = has(file, group, member);
    if (!*there) return QL_OK;
    (void)snprintf(path, sizeof path, "%s/%s", group, member);
    QL_TRY(ql_h5r_names(file, path, out, err));
    if (out->n == n) return QL_OK;
    return ql_fail(err, QL_EDATA, "/%s: has %" PRId64 " values, but shape says %" PRId64, path,
                   out->n, n);
}

static ql_status number(const char *group, const char *members, const char *what, int64_t n,
                        ql_names *out, ql_notes *notes, ql_err *err)
{
    ql_note_add(notes, QL_NOTE_WARNING, "/%s: has no %s: the %ss are called %s_1 to %s_%" PRId64,
                group, members, what, what, what, n);
    return ql_names_number(what, n, out, err);
}

static ql_status read_features(hid_t file, const char *group, int64_t n, ql_features *f,
                               ql_notes *notes, ql_err *err)
{
    bool ids, names, genomes;
    QL_TRY(member_names(file, group, "genes", n, &f->id, &ids, err));
    QL_TRY(member_names(file, group, "gene_names", n, &f->name, &names, err));
    QL_TRY(member_names(file, group, "genome", n, &f->genome, &genomes, err));
    if (ids) return QL_OK;
    if (names) return ql_names_copy(&f->name, &f->id, err);
    return number(group, "genes and no gene_names", "gene", n, &f->id, notes, err);
}

static ql_status read_names(hid_t file, const char *group, int64_t shape[2], ql_genome *g,
                            ql_notes *notes, ql_err *err)
{
    bool barcodes;
    QL_TRY(ql_10x_shape(file, group, shape, err));
    QL_TRY(read_features(file, group, shape[0], &g->features, notes, err));
    QL_TRY(member_names(file, group, "barcodes", shape[1], &g->cells, &barcodes, err));
    return barcodes ? QL_OK : number(group, "barcodes", "cell", shape[1], &g->cells, notes, err);
}

static ql_status read_genome(hid_t file, const char *group, int threads, ql_genome *g,
                             ql_notes *notes, ql_err *err)
{
    int64_t shape[2];
    QL_TRY(read_names(file, group, shape, g, notes, err));
    return ql_matrix_h5_arrays(file, group, shape[1], shape[0], "genes", threads, &g->counts, err);
}

/* --- all of them --- */

static ql_status settle(ql_genome *g, const ql_read_options *opt, const char *matrix,
                        ql_dataset *ds, ql_notes *notes, ql_err *err)
{
    int64_t n_duplicates = 0;
    QL_TRY(ql_csr_normalise_threads(&g->counts, opt->threads, &n_duplicates, err));
    ql_note_duplicates(n_duplicates, notes);
    ds->cells.index = g->cells;
    g->cells = (ql_names){0};
    QL_TRY(ql_features_apply(&g->features, opt, &g->counts, ds, notes, err));
    return ql_set_text(&ds->matrix, matrix, err);
}

static ql_status read_genomes(hid_t file, const ql_names *groups, const ql_read_options *opt,
                              ql_dataset *ds, ql_notes *notes, ql_err *err)
{
    ql_genome *parts = NULL, joined = {0};
    ql_str matrix = {0};
    ql_status st;
    QL_GO(QL_NEW(parts, groups->n, "the genomes of the file", err));
    for (int64_t i = 0; i < groups->n; i++) {
        ql_str_printf(&matrix, "%s%s", i ? "+" : "", ql_name(groups, i));
        QL_GO(read_genome(file, ql_name(groups, i), opt->threads, &parts[i], notes, err));
    }
    if (groups->n > 1) QL_GO(ql_genomes_join(parts, groups, &joined, notes, err));
    QL_GO(settle(groups->n > 1 ? &joined : parts, opt, ql_str_text(&matrix), ds, notes, err));
out:
    for (int64_t i = 0; parts && i < groups->n; i++) ql_genome_free(&parts[i]);
    ql_genome_free(&joined);
    ql_free(parts);
    ql_str_free(&matrix);
    return st;
}

/* The file's only genome, or the one that is wanted, in bands; several are joined, whole. */
static ql_status stream_genome(hid_t file, const char *group, const ql_reading *r, ql_dataset *ds,
                               ql_notes *notes, ql_err *err)
{
    ql_genome g = {0};
    int64_t shape[2];
    ql_status st;
    QL_GO(read_names(file, group, shape, &g, notes, err));
    ds->cells.index = g.cells;
    g.cells = (ql_names){0};
    QL_GO(ql_10x_stream(file, group, "genes", &g.features, r, ds, notes, err));
    QL_GO(ql_set_text(&ds->matrix, group, err));
out:
    ql_genome_free(&g);
    return st;
}

static ql_status open_genomes(const char *path, const char *want, hid_t *file, ql_names *groups,
                              bool *by_list, ql_err *err)
{
    QL_TRY(ql_h5r_open(path, file, err));
    QL_TRY(find_genomes(*file, groups, err));
    return pick_genomes(*file, groups, want, by_list, err);
}

static ql_status read_v2(const char *path, const ql_reading *r, ql_dataset *ds, ql_notes *notes,
                         ql_err *err)
{
    hid_t file = -1;
    ql_read_options o = *r->opt;
    const ql_reading chosen = {&o, r->sink};
    ql_names groups = {0};
    bool by_list = false;
    ql_status st;
    QL_GO(open_genomes(path, o.genome, &file, &groups, &by_list, err));
    if (!by_list) o.genome = NULL; /* picked by its group */
    if (r->sink && groups.n == 1)
        st = stream_genome(file, ql_name(&groups, 0), &chosen, ds, notes, err);
    else
        st = read_genomes(file, &groups, &o, ds, notes, err);
out:
    ql_names_free(&groups);
    ql_h5r_close(file);
    return st;
}

static ql_status measure(const char *path, const ql_read_options *opt, ql_read_sizes *out,
                         ql_err *err)
{
    hid_t file = -1;
    ql_names groups = {0};
    bool by_list = false;
    ql_status st;
    QL_GO(open_genomes(path, opt->genome, &file, &groups, &by_list, err));
    if (groups.n == 1) QL_GO(ql_10x_measure(file, ql_name(&groups, 0), out, err));
out:
    ql_names_free(&groups);
    ql_h5r_close(file);
    return st;
}

static ql_status describe(const char *path, ql_str *out, ql_err *err)
{
    hid_t file = -1;
    ql_names found = {0};
    ql_status st;
    QL_GO(ql_h5r_open(path, &file, err));
    QL_GO(find_genomes(file, &found, err));
    ql_str_printf(out, "10x HDF5 of Cell Ranger 1 or 2%s, one group a genome\n",
                  ql_10x_is_cellbender(file) ? " (written by CellBender)" : "");
    for (int64_t i = 0; i < found.n; i++) {
        int64_t shape[2];
        QL_GO(ql_10x_shape(file, ql_name(&found, i), shape, err));
        QL_GO(ql_10x_describe(file, ql_name(&found, i), shape, out, err));
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
    .measure = measure,
};
