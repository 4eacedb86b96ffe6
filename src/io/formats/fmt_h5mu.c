/* h5mu (MuData): each group of /mod is an AnnData; one modality is read. */
#include <stdio.h>
#include <string.h>

#include "../counts/band_sink.h"
#include "../h5ad/h5ad_read.h"
#include "../text/wording.h"
#include "quell/reader.h"

enum { MAX_MODALITIES = 200 };

static const char DEFAULT_MODALITY[] = "rna";

static ql_status sniff(const char *path, bool *is, ql_err *err)
{
    (void)err;
    hid_t file = ql_h5r_try_open(path);
    *is = file >= 0 && (ql_h5r_attr_is(file, "/", "encoding-type", "MuData") ||
                        ql_h5r_kind_of(file, "mod") == QL_H5R_GROUP);
    ql_h5r_close(file);
    return QL_OK;
}

static ql_status group_of(const char *modality, char *out, size_t cap, ql_err *err)
{
    int n = snprintf(out, cap, "mod/%s", modality);
    if (n > 0 && (size_t)n < cap) return QL_OK;
    return ql_fail(err, QL_EDATA, "/mod: the name of a modality is too long");
}

/* Members of /mod that are groups. */
static ql_status list_modalities(hid_t file, ql_names *out, ql_err *err)
{
    ql_names members = {0};
    char group[1024];
    ql_status st;
    QL_GO(ql_h5r_members(file, "mod", MAX_MODALITIES, &members, NULL, err));
    for (int64_t i = 0; i < members.n; i++) {
        const char *name = ql_name(&members, i);
        QL_GO(group_of(name, group, sizeof group, err));
        if (ql_h5r_kind_of(file, group) == QL_H5R_GROUP)
            QL_GO(ql_names_add(out, name, strlen(name), err));
    }
    if (out->n == 0) st = ql_fail(err, QL_EDATA, "is an h5mu file without modalities");
out:
    ql_names_free(&members);
    return st;
}

static int64_t find(const ql_names *names, const char *name)
{
    for (int64_t i = 0; i < names->n; i++)
        if (strcmp(ql_name(names, i), name) == 0) return i;
    return -1;
}

/* The one asked for, else rna, else the only one. */
static ql_status pick_modality(const ql_names *found, const char *want, int64_t *at, ql_err *err)
{
    ql_str list = {0};
    *at = find(found, want ? want : DEFAULT_MODALITY);
    if (*at < 0 && !want && found->n == 1) *at = 0;
    if (*at >= 0) return QL_OK;
    ql_list_names(found, found->n, &list);
    if (want)
        ql_fail(err, QL_EDATA, "has no modality \"%s\" (it has: %s)", want, ql_str_text(&list));
    else
        ql_fail(err, QL_EDATA, "has several modalities, none of them called rna: %s",
                ql_str_text(&list));
    ql_str_free(&list);
    return ql_hint(err, QL_EDATA, "pick one with --modality");
}

/* The matrix is called by its path from the file's root. */
static ql_status name_matrix(const char *group, ql_dataset *ds, ql_err *err)
{
    ql_str path = {0};
    ql_str_printf(&path, "%s/%s", group, ds->matrix);
    ql_status st = path.failed ? ql_fail(err, QL_EMEMORY, "no memory for a path")
                               : ql_set_text(&ds->matrix, ql_str_text(&path), err);
    ql_str_free(&path);
    return st;
}

static void note_modality(const ql_names *found, int64_t at, ql_notes *notes)
{
    ql_str list = {0};
    if (found->n < 2) return;
    ql_list_names(found, found->n, &list);
    ql_note_add(notes, QL_NOTE_INFO, "using modality %s of %s", ql_name(found, at),
                ql_str_text(&list));
    ql_str_free(&list);
}

static ql_status read_modality(hid_t file, const char *group, const ql_reading *r, ql_dataset *ds,
                               ql_notes *notes, ql_err *err)
{
    hid_t root = H5Gopen2(file, group, H5P_DEFAULT);
    if (root < 0) return ql_fail(err, QL_EDATA, "/%s: cannot be opened", group);
    ql_status st = ql_h5ad_read(root, &ql_h5ad_modern_names, r, true, ds, notes, err);
    ql_h5r_close(root);
    if (st != QL_OK) return ql_context(err, st, "%s", group);
    return name_matrix(group, ds, err);
}

static ql_status list_other_modalities(const ql_names *found, int64_t at, ql_names *others,
                                       ql_err *err)
{
    char group[1024];
    for (int64_t i = 0; i < found->n; i++) {
        if (i == at) continue;
        QL_TRY(group_of(ql_name(found, i), group, sizeof group, err));
        QL_TRY(ql_names_add(others, group, strlen(group), err));
    }
    return QL_OK;
}

static ql_status read_h5mu(const char *path, const ql_reading *r, ql_dataset *ds, ql_notes *notes,
                           ql_err *err)
{
    hid_t file = -1;
    ql_names found = {0};
    char group[1024];
    int64_t at = -1;
    ql_status st;
    QL_GO(ql_h5r_open(path, &file, err));
    QL_GO(list_modalities(file, &found, err));
    QL_GO(pick_modality(&found, r->opt->modality, &at, err));
    QL_GO(group_of(ql_name(&found, at), group, sizeof group, err));
    note_modality(&found, at, notes);
    QL_GO(read_modality(file, group, r, ds, notes, err));
    if (r->opt->columns) QL_GO(list_other_modalities(&found, at, &ds->others, err));
out:
    ql_names_free(&found);
    ql_h5r_close(file);
    return st;
}

static ql_status describe_modality(hid_t file, const char *name, ql_str *out, ql_err *err)
{
    char group[1024];
    ql_err own = {0};
    QL_TRY(group_of(name, group, sizeof group, err));
    ql_str_printf(out, "modality  %s\n", group);
    hid_t root = H5Gopen2(file, group, H5P_DEFAULT);
    ql_status st = root < 0 ? QL_EDATA : ql_h5ad_describe(root, &ql_h5ad_modern_names, out, &own);
    ql_h5r_close(root);
    if (st == QL_EMEMORY) return ql_fail(err, st, "%s: %s", group, own.msg);
    if (st != QL_OK) ql_str_printf(out, "not readable (%s)\n", own.msg);
    return QL_OK;
}

static ql_status describe(const char *path, ql_str *out, ql_err *err)
{
    hid_t file = -1;
    ql_names found = {0};
    ql_status st;
    QL_GO(ql_h5r_open(path, &file, err));
    QL_GO(list_modalities(file, &found, err));
    ql_str_puts(out, "h5mu (MuData), modalities: ");
    ql_list_names(&found, found.n, out);
    ql_str_puts(out, "\n");
    for (int64_t i = 0; i < found.n; i++)
        QL_GO(describe_modality(file, ql_name(&found, i), out, err));
out:
    ql_names_free(&found);
    ql_h5r_close(file);
    return st;
}

const ql_format ql_format_h5mu = {
    .name = "h5mu",
    .summary = "MuData: one modality of it",
    .sniff = sniff,
    .read = read_h5mu,
    .describe = describe,
};
