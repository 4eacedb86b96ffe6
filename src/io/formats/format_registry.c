/* The formats, in order of detection: a new one is its file fmt_NAME.c, which defines
 * ql_format_NAME, and a line here. */
#include <string.h>

#include "../file/pipe_input.h"
#include "../hdf5/h5_error.h"
#include "quell/reader.h"
#include "quell/strbuf.h"
#include "refuse.h"

/* Any text is a table, so those come last. */
#define FORMATS(X)                                                                                 \
    X(h5mu)                                                                                        \
    X(h5ad)                                                                                        \
    X(h5ad_old)                                                                                    \
    X(10x_h5)                                                                                      \
    X(loom)                                                                                        \
    X(10x_h5_v2)                                                                                   \
    X(10x_mtx)                                                                                     \
    X(alevin)                                                                                      \
    X(kallisto)                                                                                    \
    X(parse)                                                                                       \
    X(mtx)                                                                                         \
    X(alevin_eds)                                                                                  \
    X(hdf5)                                                                                        \
    X(long_table)                                                                                  \
    X(table)

#define X(name) extern const ql_format ql_format_##name;
FORMATS(X)
#undef X

#define X(name) &ql_format_##name,
const ql_format *const ql_formats[] = {FORMATS(X) NULL};
#undef X

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

/* What formats that it is not say of the path is forgotten. */
static ql_status ask(const ql_format *format, const char *path, bool *is, ql_err *err)
{
    ql_err own = {0};
    const ql_status st = format->sniff(path, is, &own);
    if (st != QL_OK && err) *err = own;
    return st;
}

static ql_status detect(const char *path, const ql_read_options *opt, const ql_format **out,
                        ql_err *err)
{
    ql_h5_init();
    QL_TRY(ql_check_input(path, err));
    if (opt->format) return by_name(opt->format, out, err);
    if (opt->dataset && H5Fis_hdf5(path) > 0) { /* never detected */
        *out = &ql_format_hdf5;
        return QL_OK;
    }
    for (const ql_format *const *f = ql_formats; *f; f++) {
        bool is = false;
        QL_TRY(ask(*f, path, &is, err));
        if (!is) continue;
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
    if (st != QL_OK && st != QL_EUSAGE) ql_context(err, st, "%s", in.shown);
    return st;
}
