/* The formats, in order of detection: a new one is its file and a line here (and in formats.h). */
#include <string.h>

#include "formats.h"
#include "h5_error.h"
#include "pipe_input.h"
#include "quell/strbuf.h"

const ql_format *const ql_formats[] = {
    &ql_format_h5mu,
    &ql_format_h5ad,
    &ql_format_h5ad_old,
    &ql_format_10x_h5,
    &ql_format_loom,
    &ql_format_10x_h5_v2,
    &ql_format_10x_mtx,
    &ql_format_alevin,
    &ql_format_kallisto,
    &ql_format_parse,
    &ql_format_mtx,
    &ql_format_alevin_eds,
    &ql_format_hdf5,
    /* any text is a table, so they come last */
    &ql_format_long_table,
    &ql_format_table,
    NULL,
};

static ql_status fail_unknown(const char *name, ql_err *err)
{
    ql_str list = {0};
    for (const ql_format *const *f = ql_formats; *f; f++)
        ql_str_printf(&list, "%s%s", f == ql_formats ? "" : ", ", (*f)->name);
    ql_fail(err, QL_EUSAGE, "there is no format \"%s\" (known: %s)", name, ql_str_text(&list));
    ql_str_free(&list);
    return QL_EUSAGE;
}

static ql_status by_name(const char *name, const ql_format **out, ql_err *err)
{
    for (const ql_format *const *f = ql_formats; *f; f++) {
        if (strcmp((*f)->name, name) != 0) continue;
        *out = *f;
        return QL_OK;
    }
    return fail_unknown(name, err);
}

static ql_status detect(const char *path, const ql_read_options *opt, const ql_format **out,
                        ql_err *err)
{
    ql_h5_init();
    QL_TRY(ql_check_input(path, err));
    if (opt->format) return by_name(opt->format, out, err);
    if (opt->dataset && H5Fis_hdf5(path) > 0) {
        *out = &ql_format_hdf5;
        return QL_OK;
    }
    for (const ql_format *const *f = ql_formats; *f; f++) {
        if (!(*f)->sniff(path)) continue;
        *out = *f;
        return QL_OK;
    }
    return ql_refuse(path, err);
}

ql_status ql_format_detect(const char *path, const ql_read_options *opt, const ql_format **out,
                           ql_err *err)
{
    ql_input in;
    QL_TRY(ql_input_find(path, &in, err));
    ql_status st = detect(in.path, opt, out, err);
    ql_input_rename_err(&in, err);
    if (st != QL_OK && st != QL_EUSAGE) ql_context(err, "%s", in.shown);
    return st;
}
