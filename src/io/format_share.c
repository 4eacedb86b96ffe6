/* Small things that several formats say or do alike. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "formats.h"
#include "matrix_h5.h"
#include "quell/alloc.h"

ql_status ql_set_text(char **dst, const char *text, ql_err *err)
{
    char *copy = NULL;
    QL_TRY(ql_text_copy(text, &copy, err));
    ql_free(*dst);
    *dst = copy;
    return QL_OK;
}

void ql_note_duplicates(int64_t n, ql_notes *notes)
{
    if (n > 0)
        ql_note_add(notes, QL_NOTE_WARNING, "entries given more than once: %" PRId64 ", summed", n);
}

const char *ql_group_digits(int64_t n, ql_grouped buf)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRId64, n), at = 0;
    for (int i = 0; i < len; i++) {
        buf[at++] = digits[i];
        int left = len - 1 - i;
        if (left > 0 && left % 3 == 0 && digits[i] != '-') buf[at++] = ',';
    }
    buf[at] = '\0';
    return buf;
}

void ql_join_names(const ql_names *names, ql_str *out)
{
    for (int64_t i = 0; i < names->n; i++) {
        ql_str_puts(out, i ? ", " : "");
        ql_str_escape(out, ql_name(names, i), strlen(ql_name(names, i)));
    }
}

void ql_list_names(const ql_names *names, int64_t total, ql_str *out)
{
    ql_join_names(names, out);
    if (total > names->n) ql_str_printf(out, " and %" PRId64 " more", total - names->n);
    if (total == 0) ql_str_puts(out, "(none)");
}

void ql_h5_describe_matrix(hid_t file, const char *path, const char *rows, const char *cols,
                           ql_str *out)
{
    ql_matrix_info info;
    ql_err err = {0};
    ql_grouped n_rows, n_cols, nnz;
    if (ql_h5r_kind_of(file, path) == QL_H5R_NONE) return;
    if (ql_matrix_h5_info(file, path, &info, &err) != QL_OK) {
        ql_str_printf(out, "%s  not readable (%s)\n", path, err.msg);
        return;
    }
    ql_str_printf(out, "%s  %s %s  %s%s%s x %s%s%s", path, ql_matrix_layout_text(info.layout),
                  info.type, ql_group_digits(info.n_rows, n_rows), rows[0] ? " " : "", rows,
                  ql_group_digits(info.n_cols, n_cols), cols[0] ? " " : "", cols);
    if (info.layout != QL_LAYOUT_DENSE)
        ql_str_printf(out, ", %s nonzero", ql_group_digits(info.nnz, nnz));
    if (info.filters[0]) ql_str_printf(out, ", %s", info.filters);
    ql_str_puts(out, "\n");
}

void ql_h5_describe_layers(hid_t file, const char *rows, const char *cols, ql_str *out)
{
    ql_names layers = {0};
    char path[1024];
    ql_h5r_list(file, "layers", 50, &layers);
    for (int64_t i = 0; i < layers.n; i++) {
        (void)snprintf(path, sizeof path, "layers/%s", ql_name(&layers, i));
        ql_h5_describe_matrix(file, path, rows, cols, out);
    }
    ql_names_free(&layers);
}
