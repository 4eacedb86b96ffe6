/* The output formats, in the order of the help: a new one is its file out_NAME.c, which defines
 * ql_out_NAME, and a line here. */
#include "quell/out_format.h"

#include <string.h>

#include "quell/h5ad_writer.h"
#include "quell/strbuf.h"

enum { LOSSES_NAMED = 12 };

#define FORMATS(X)                                                                                 \
    X(h5ad)                                                                                        \
    X(10x_h5)                                                                                      \
    X(10x_mtx)                                                                                     \
    X(loom)                                                                                        \
    X(csv)                                                                                         \
    X(tsv)                                                                                         \
    X(npy)

#define X(name) extern const ql_out_format ql_out_##name;
FORMATS(X)
#undef X

#define X(name) &ql_out_##name,
const ql_out_format *const ql_out_formats[] = {FORMATS(X) NULL};
#undef X

/* ---- finding one ---- */

static bool ends_with(const char *path, const char *extension)
{
    size_t n = strlen(path), m = strlen(extension);
    return n > m && strcmp(path + n - m, extension) == 0;
}

static bool has_extension(const ql_out_format *f, const char *path)
{
    for (const char *const *e = f->extensions; e && *e; e++)
        if (ends_with(path, *e)) return true;
    return false;
}

static ql_status fail_unknown_extension(const char *path, ql_err *err)
{
    ql_str list = {0};
    for (const ql_out_format *const *f = ql_out_formats; *f; f++)
        for (const char *const *e = (*f)->extensions; e && *e; e++)
            ql_str_printf(&list, "%s%s", list.len ? ", " : "", *e);
    ql_fail(err, QL_EUSAGE, "%s: its name does not say the format (%s)", path, ql_str_text(&list));
    ql_str_free(&list);
    return ql_hint(err, QL_EUSAGE, "--to NAME says it, such as --to 10x-mtx for a folder");
}

static ql_status fail_unknown_name(const char *name, ql_err *err)
{
    ql_str list = {0};
    for (const ql_out_format *const *f = ql_out_formats; *f; f++)
        ql_str_printf(&list, "%s%s", list.len ? ", " : "", (*f)->name);
    ql_fail(err, QL_EUSAGE, "there is no output format \"%s\" (known: %s)", name,
            ql_str_text(&list));
    ql_str_free(&list);
    return QL_EUSAGE;
}

ql_status ql_out_format_find(const char *name, const char *path, const ql_out_format **out,
                             ql_err *err)
{
    for (const ql_out_format *const *f = ql_out_formats; *f; f++) {
        if (name ? strcmp((*f)->name, name) != 0 : !has_extension(*f, path)) continue;
        *out = *f;
        return QL_OK;
    }
    return name ? fail_unknown_name(name, err) : fail_unknown_extension(path, err);
}

ql_status ql_out_format_check(const ql_out_format *format, const char *path, const char *in_path,
                              bool force, ql_err *err)
{
    if (format->check) return format->check(path, in_path, force, err);
    return ql_output_check(path, in_path, force, err);
}

/* ---- what is lost ---- */

typedef struct {
    ql_str text;
    int64_t n;
} losses;

static void add_loss(losses *l, const char *where, const char *name)
{
    if (l->n++ >= LOSSES_NAMED) return;
    ql_str_printf(&l->text, "%s%s", l->n > 1 ? ", " : "", where);
    ql_str_escape(&l->text, name, strlen(name));
}

static void add_columns(losses *l, const char *where, const ql_frame *frame,
                        const char *const *kept)
{
    for (int i = 0; i < frame->n_columns; i++) {
        if (!ql_is_one_of(frame->columns[i].name, kept)) add_loss(l, where, frame->columns[i].name);
    }
}

static bool carries(const ql_out_format *format, const ql_dataset *ds)
{
    return format->carries && ds->format && strcmp(format->carries, ds->format) == 0;
}

ql_status ql_out_format_losses(const ql_out_format *format, const ql_dataset *ds, ql_notes *notes,
                               ql_err *err)
{
    losses l = {0};
    if (carries(format, ds)) return QL_OK; /* the writer knows what it cannot carry */
    if (!format->all_columns) {
        add_columns(&l, "obs/", &ds->cells, NULL);
        add_columns(&l, "var/", &ds->genes, format->gene_columns);
    }
    for (int64_t i = 0; i < ds->others.n; i++) add_loss(&l, "", ql_name(&ds->others, i));
    if (l.n > LOSSES_NAMED)
        ql_str_printf(&l.text, " and %lld more", (long long)(l.n - LOSSES_NAMED));
    ql_status st = QL_OK;
    if (l.text.failed)
        st = ql_fail(err, QL_EMEMORY, "no memory for a list of names");
    else if (l.n > 0)
        ql_note_add(notes, QL_NOTE_WARNING, "the format %s has no place for: %s", format->name,
                    ql_str_text(&l.text));
    ql_str_free(&l.text);
    return st;
}
