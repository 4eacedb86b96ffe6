#include "h5ad_read.h"

#include <string.h>

static void warn_missing(const char *frame, const char *column, ql_notes *notes)
{
    ql_str text = {0};
    ql_str_escape(&text, column, strlen(column));
    ql_note_add(notes, QL_NOTE_WARNING, "/%s: column \"%s\" is listed but missing", frame,
                ql_str_text(&text));
    ql_str_free(&text);
}

/* A warning for each column that column-order names and the file lacks. */
static void check_columns(hid_t file, const char *frame, ql_notes *notes)
{
    ql_names columns = {0};
    ql_str path = {0};
    (void)ql_h5r_attr_strings(file, frame, "column-order", &columns);
    for (int64_t i = 0; i < columns.n; i++) {
        if (ql_h5ad_path(frame, ql_name(&columns, i), &path, NULL) != QL_OK) break;
        if (ql_h5r_kind_of(file, ql_str_text(&path)) == QL_H5R_NONE)
            warn_missing(frame, ql_name(&columns, i), notes);
    }
    ql_str_free(&path);
    ql_names_free(&columns);
}

const ql_h5ad_names ql_h5ad_modern_names = {
    .x = "X", .raw_x = "raw/X", .obs = "obs", .var = "var", .raw_var = "raw/var"};

ql_status ql_h5ad_read(hid_t file, const ql_h5ad_names *names, const ql_read_options *opt,
                       bool with_columns, ql_dataset *ds, ql_notes *notes, ql_err *err)
{
    QL_TRY(ql_h5ad_index(file, names->obs, &ds->cells.index, err));
    check_columns(file, names->obs, notes);
    check_columns(file, names->var, notes);
    QL_TRY(ql_h5ad_pick(file, names, opt, ds, notes, err));
    with_columns = with_columns || opt->columns;
    const ql_left_out left = {opt->columns ? &ds->others : NULL, notes};
    const char *var = ds->genes_differ ? names->raw_var : names->var;
    if (ds->genes_differ) check_columns(file, names->raw_var, notes);
    if (with_columns) QL_TRY(ql_h5ad_read_columns(file, names->obs, &ds->cells, &left, err));
    if (with_columns || ds->genes_differ)
        QL_TRY(ql_h5ad_read_columns(file, var, &ds->genes, &left, err));
    return opt->columns ? ql_h5ad_list_others(file, names, ds, &ds->others, err) : QL_OK;
}
