/* ql_read_counts: what holds for every format, done once: detection, the count check, emptiness,
 * unique names. */
#include "quell/reader.h"

#include <inttypes.h>
#include <string.h>

#include "counts/band_sink.h"
#include "counts/count_check.h"
#include "file/pipe_input.h"
#include "text/wording.h"

/* float32 holds every whole number up to here. */
static const float EXACT_MAX = 16777216.0f;

/* Raw 10x matrices have every barcode that was seen, most of them with a handful of counts. */
enum { RAW_CELLS = 200000, RAW_COUNTS = 10 };

/* Of a streamed matrix it was said when the entry was at hand. */
static void describe_entry(const ql_reading *r, const ql_dataset *ds, const ql_count_check *check,
                           int64_t entry, ql_str *text)
{
    if (r->sink)
        ql_str_puts(text, ql_str_text(&r->sink->why));
    else
        ql_describe_noncount(&ds->counts, check, entry, &ds->cells.index, &ds->genes.index, text);
}

static ql_status fail_noncount(const ql_reading *r, const ql_dataset *ds,
                               const ql_count_check *check, ql_err *err)
{
    ql_str text = {0};
    describe_entry(r, ds, check, r->opt->allow_noncounts ? check->first_impossible : check->first,
                   &text);
    ql_fail(err, QL_EDATA, "%s: %s", ds->matrix, ql_str_text(&text));
    ql_str_free(&text);
    return QL_EDATA;
}

static void warn_noncount(const ql_reading *r, const ql_dataset *ds, const ql_count_check *check,
                          ql_notes *notes)
{
    ql_str text = {0};
    describe_entry(r, ds, check, check->first, &text);
    ql_note_add(notes, QL_NOTE_WARNING, "%s: %s", ds->matrix, ql_str_text(&text));
    ql_str_free(&text);
}

/* Negative and non-finite entries have no likelihood at all; fractions can be asked for. */
static ql_status check_values(const ql_reading *r, ql_dataset *ds, ql_notes *notes, ql_err *err)
{
    ql_count_check check = r->sink ? r->sink->check : ql_check_dataset(ds, r->opt->threads);
    ds->is_counts = ql_are_counts(&check);
    if (check.max > EXACT_MAX)
        ql_note_add(notes, QL_NOTE_WARNING,
                    "%s: its largest entry is %.0f; above %.0f not every count is "
                    "kept exactly",
                    ds->matrix, (double)check.max, (double)EXACT_MAX);
    if (ds->is_counts) return QL_OK;
    if ((check.n_impossible > 0 && !r->opt->only_look) || !r->opt->allow_noncounts)
        return fail_noncount(r, ds, &check, err);
    warn_noncount(r, ds, &check, notes);
    return QL_OK;
}

static ql_status check_not_empty(const ql_reading *r, const ql_dataset *ds, ql_err *err)
{
    bool stopped = r->sink && r->sink->stop; /* it has entries, which are no counts */
    if (ds->cells.index.n == 0)
        return ql_fail(err, QL_EDATA, "has no cells (%" PRId64 " genes)", ds->genes.index.n);
    if (ds->genes.index.n == 0)
        return ql_fail(err, QL_EDATA, "has no genes (%" PRId64 " cells)", ds->cells.index.n);
    if (!stopped && ql_dataset_rows(ds).nnz == 0)
        return ql_fail(err, QL_EDATA, "%s: has no counts: every entry is 0", ds->matrix);
    return QL_OK;
}

/* Every cell and gene gets a name of its own. */
static ql_status settle_names(ql_names *names, const char *what, ql_notes *notes, ql_err *err)
{
    int64_t n_empty = 0, n_changed = 0, example = -1;
    QL_TRY(ql_names_fill_empty(names, &n_empty, err));
    if (n_empty > 0)
        ql_note_add(notes, QL_NOTE_WARNING,
                    "%s without a name: %" PRId64 ", called unnamed_<position>", what, n_empty);
    QL_TRY(ql_names_make_unique(names, &n_changed, &example, err));
    if (n_changed == 0) return QL_OK;
    ql_str text = {0};
    ql_str_escape(&text, ql_name(names, example), strlen(ql_name(names, example)));
    ql_note_add(notes, QL_NOTE_WARNING,
                "repeated names of %s: %" PRId64 " made unique, e.g. \"%s\"", what, n_changed,
                ql_str_text(&text));
    ql_str_free(&text);
    return QL_OK;
}

/* Counts that are stored are 1 at least, so a row with that many entries need not be looked at. */
static int64_t count_few(const ql_csr *m, bool is_counts)
{
    int64_t few = 0;
    for (int64_t i = 0; i < m->n_rows; i++) {
        double sum = 0;
        if (is_counts && m->indptr[i + 1] - m->indptr[i] >= RAW_COUNTS) continue;
        for (int64_t k = m->indptr[i]; k < m->indptr[i + 1] && sum < RAW_COUNTS; k++)
            sum += (double)m->data[k];
        few += sum < RAW_COUNTS;
    }
    return few;
}

static void warn_raw(const ql_reading *r, const ql_dataset *ds, ql_notes *notes)
{
    const ql_csr *m = &ds->counts;
    if (m->n_rows <= RAW_CELLS) return;
    int64_t few = r->sink ? r->sink->n_few : count_few(m, ds->is_counts);
    if (few * 2 > m->n_rows)
        ql_note_add(notes, QL_NOTE_WARNING,
                    "more than half of the %" PRId64 " cells have fewer than %d counts: "
                    "looks like the raw (unfiltered) matrix",
                    m->n_rows, RAW_COUNTS);
}

/* A format that knows no bands has read the matrix whole. */
static ql_status hand_over(ql_band_sink *s, ql_dataset *ds, ql_err *err)
{
    ql_sink_name(s, ds);
    QL_TRY(ql_sink_begin(s, ds->counts.n_rows, ds->counts.n_cols, err));
    QL_TRY(ql_sink_add(s, &ds->counts, err));
    return ql_sink_end(s, ds, err);
}

/* A copy of a pipe has no file name to call its matrix by. */
static ql_status settle_texts(const ql_input *in, const ql_format *format, ql_dataset *ds,
                              ql_err *err)
{
    const char *base = strrchr(in->path, '/');
    if (in->path != in->shown && base && strcmp(ds->matrix, base + 1) == 0)
        QL_TRY(ql_set_text(&ds->matrix, in->shown, err));
    QL_TRY(ql_set_text(&ds->path, in->shown, err));
    return ql_set_text(&ds->format, format->name, err);
}

static ql_status read_checked(const ql_input *in, const ql_format *format, const ql_reading *r,
                              ql_dataset *ds, ql_notes *notes, ql_err *err)
{
    QL_TRY(format->read(in->path, r, ds, notes, err));
    if (r->sink && !ds->store && !r->sink->stop) QL_TRY(hand_over(r->sink, ds, err));
    QL_TRY(settle_texts(in, format, ds, err));
    QL_TRY(check_not_empty(r, ds, err));
    QL_TRY(check_values(r, ds, notes, err));
    QL_TRY(settle_names(&ds->cells.index, "cells", notes, err));
    QL_TRY(settle_names(&ds->genes.index, "genes", notes, err));
    warn_raw(r, ds, notes);
    return QL_OK;
}

/* With options that may lack the number of threads, into a sink or (NULL) whole. */
static ql_status read_into(const char *path, const ql_read_options *opt, ql_band_sink *sink,
                           ql_dataset *ds, ql_notes *notes, ql_err *err)
{
    ql_err own = {0};
    ql_dataset read = {0};
    ql_read_options o = *opt;
    const ql_reading r = {&o, sink};
    const ql_format *format = NULL;
    ql_input in;
    int first_note = notes ? notes->n : 0;
    if (!err) err = &own;
    if (o.threads < 1) o.threads = 1;
    QL_TRY(ql_input_find(path, &in, err));
    QL_TRY(ql_format_detect(path, &o, &format, err));
    ql_status st = read_checked(&in, format, &r, &read, notes, err);
    ql_input_rename_notes(&in, notes, first_note);
    if (st == QL_OK) {
        *ds = read;
        return QL_OK;
    }
    ql_dataset_free(&read);
    ql_input_rename_err(&in, err);
    if (strncmp(err->msg, in.shown, strlen(in.shown)) != 0) ql_context(err, st, "%s", in.shown);
    return st;
}

ql_status ql_read_counts(const char *path, const ql_read_options *opt, ql_dataset *ds,
                         ql_notes *notes, ql_err *err)
{
    return read_into(path, opt, NULL, ds, notes, err);
}

ql_status ql_describe_input(const ql_format *format, const char *path, ql_str *out, ql_err *err)
{
    ql_input in;
    ql_str text = {0};
    if (!format->describe) return QL_OK;
    QL_TRY(ql_input_find(path, &in, err));
    ql_status st = format->describe(in.path, &text, err);
    if (st == QL_OK) st = ql_input_rename(&in, &text.text, err);
    ql_input_rename_err(&in, err);
    ql_str_puts(out, ql_str_text(&text));
    if (st == QL_OK && (text.failed || out->failed))
        st = ql_fail(err, QL_EMEMORY, "%s: no memory to describe it", in.shown);
    ql_str_free(&text);
    return st;
}

ql_status ql_read_streamed(const char *path, const ql_read_options *opt, const char *folder,
                           int64_t near_bytes, ql_dataset *ds, ql_notes *notes, ql_err *err)
{
    ql_band_sink sink = {.folder = folder,
                         .near_bytes = near_bytes,
                         .fractions = opt->allow_noncounts,
                         .threads = opt->threads > 1 ? opt->threads : 1,
                         .few = RAW_COUNTS};
    const ql_status st = read_into(path, opt, &sink, ds, notes, err);
    ql_sink_free(&sink);
    return st;
}

ql_status ql_read_measure(const char *path, const ql_read_options *opt, ql_read_sizes *out,
                          ql_err *err)
{
    const ql_format *format = NULL;
    ql_input in;
    ql_err own = {0};
    *out = (ql_read_sizes){0};
    QL_TRY(ql_format_detect(path, opt, &format, err));
    QL_TRY(ql_input_find(path, &in, err));
    const ql_status st = format->measure ? format->measure(in.path, opt, out, &own) : QL_OK;
    if (st == QL_OK) return QL_OK;
    *out = (ql_read_sizes){0};
    if (st != QL_EMEMORY) return QL_OK; /* it shows again, and better, when the file is read */
    return ql_fail(err, st, "%s: %s", in.shown, own.msg);
}
