#include <inttypes.h>
#include <string.h>

#include "h5_names.h"
#include "h5ad_parts.h"

static ql_status append_path(const char *frame, const char *member, ql_str *out, ql_err *err)
{
    ql_str_clear(out);
    ql_str_printf(out, "%s/%s", frame, member);
    return out->failed ? ql_fail(err, QL_EMEMORY, "no memory for a path") : QL_OK;
}

ql_status ql_h5ad_index_path(hid_t file, const char *frame, ql_str *out, ql_err *err)
{
    ql_str name = {0};
    ql_status st = QL_OK;
    if (ql_h5r_kind_of(file, frame) != QL_H5R_GROUP)
        return ql_fail(err, QL_EDATA, "/%s: is missing, or no group", frame);
    if (!ql_h5r_attr_string(file, frame, "_index", &name)) {
        st = ql_fail(err, QL_EDATA, "/%s: has no attribute \"_index\" that names its index", frame);
        goto out;
    }
    QL_GO(append_path(frame, ql_str_text(&name), out, err));
    if (ql_h5r_kind_of(file, ql_str_text(out)) == QL_H5R_NONE) {
        ql_str text = {0};
        ql_str_escape(&text, ql_str_text(&name), strlen(ql_str_text(&name)));
        st = ql_fail(err, QL_EDATA, "/%s: its index \"%s\" is missing", frame, ql_str_text(&text));
        ql_str_free(&text);
    }
out:
    ql_str_free(&name);
    return st;
}

ql_status ql_h5ad_index(hid_t file, const char *frame, ql_names *out, ql_err *err)
{
    ql_str path = {0};
    ql_status st = ql_h5ad_index_path(file, frame, &path, err);
    if (st == QL_OK) st = ql_h5r_names(file, ql_str_text(&path), out, err);
    ql_str_free(&path);
    return st;
}

static void warn_missing(const char *frame, const char *column, ql_notes *notes)
{
    ql_str text = {0};
    ql_str_escape(&text, column, strlen(column));
    ql_note_add(notes, QL_NOTE_WARNING, "/%s: column \"%s\" is listed but missing", frame,
                ql_str_text(&text));
    ql_str_free(&text);
}

void ql_h5ad_check_columns(hid_t file, const char *frame, ql_notes *notes)
{
    ql_names columns = {0};
    ql_str path = {0};
    (void)ql_h5r_attr_strings(file, frame, "column-order", &columns);
    for (int64_t i = 0; i < columns.n; i++) {
        if (append_path(frame, ql_name(&columns, i), &path, NULL) != QL_OK) break;
        if (ql_h5r_kind_of(file, ql_str_text(&path)) == QL_H5R_NONE)
            warn_missing(frame, ql_name(&columns, i), notes);
    }
    ql_str_free(&path);
    ql_names_free(&columns);
}
