#include "features_10x.h"

#include <inttypes.h>
#include <string.h>

#include "quell/alloc.h"

static const char GENES[] = "Gene Expression";

void ql_features_free(ql_features *f)
{
    ql_names_free(&f->id);
    ql_names_free(&f->name);
    ql_names_free(&f->type);
    ql_names_free(&f->genome);
}

/* --- how often each value of a list occurs, in order of appearance --- */

enum { MAX_KINDS = 64 };

typedef struct {
    const char *text[MAX_KINDS]; /* borrowed */
    int64_t count[MAX_KINDS];
    int n;
    int64_t others; /* of kinds beyond MAX_KINDS */
} tally;

static void tally_add(tally *t, const char *text)
{
    for (int i = 0; i < t->n; i++) {
        if (strcmp(t->text[i], text) != 0) continue;
        t->count[i]++;
        return;
    }
    if (t->n == MAX_KINDS) {
        t->others++;
        return;
    }
    t->text[t->n] = text;
    t->count[t->n++] = 1;
}

/* "12 Antibody Capture, 3 Custom" */
static void tally_text(const tally *t, ql_str *out)
{
    for (int i = 0; i < t->n; i++) {
        ql_str_printf(out, "%s%" PRId64 " ", i ? ", " : "", t->count[i]);
        ql_str_escape(out, t->text[i], strlen(t->text[i]));
    }
    if (t->others) ql_str_printf(out, " and %" PRId64 " more", t->others);
}

void ql_tally_text(const ql_names *values, ql_str *out)
{
    tally t = {0};
    for (int64_t i = 0; i < values->n; i++) tally_add(&t, ql_name(values, i));
    tally_text(&t, out);
}

/* --- choosing --- */

static const char *wanted_type(const ql_read_options *opt)
{
    if (!opt->feature_type) return GENES;
    return strcmp(opt->feature_type, "all") == 0 ? NULL : opt->feature_type;
}

/* Clear keep[i] where values[i] is not `want`; *dropped counts what went. */
static int64_t filter(const ql_names *values, const char *want, uint8_t *keep, tally *dropped)
{
    int64_t left = 0;
    for (int64_t i = 0; i < values->n; i++) {
        if (!keep[i]) continue;
        if (strcmp(ql_name(values, i), want) != 0) {
            keep[i] = 0;
            tally_add(dropped, ql_name(values, i));
        }
        left += keep[i];
    }
    return left;
}

static ql_status fail_none_left(const char *kind, const char *want, const tally *has, ql_err *err)
{
    ql_str text = {0};
    tally_text(has, &text);
    ql_fail(err, QL_EDATA, "has no %s %s (it has: %s)", kind, want, ql_str_text(&text));
    ql_str_free(&text);
    return QL_EDATA;
}

static void note_dropped(const tally *dropped, ql_notes *notes)
{
    ql_str text = {0};
    if (dropped->n == 0) return;
    tally_text(dropped, &text);
    ql_note_add(notes, QL_NOTE_INFO, "dropped %s features", ql_str_text(&text));
    ql_str_free(&text);
}

static ql_status keep_by(const ql_names *values, const char *want, const char *kind, uint8_t *keep,
                         ql_notes *notes, ql_err *err)
{
    tally dropped = {0};
    if (!want || values->n == 0) return QL_OK;
    if (filter(values, want, keep, &dropped) == 0 && values->n > 0)
        return fail_none_left(kind, want, &dropped, err);
    note_dropped(&dropped, notes);
    return QL_OK;
}

/* A type that a file without types cannot have. */
static ql_status check_untyped(const ql_features *f, const char *want, ql_err *err)
{
    if (!want || f->type.n > 0 || strcmp(want, GENES) == 0) return QL_OK;
    return ql_fail(err, QL_EDATA, "has no feature types, so no \"%s\"", want);
}

static ql_status choose(const ql_features *f, const ql_read_options *opt, uint8_t *keep,
                        ql_notes *notes, ql_err *err)
{
    const char *type = wanted_type(opt);
    memset(keep, 1, (size_t)f->id.n);
    QL_TRY(check_untyped(f, type, err));
    const ql_status st = keep_by(&f->type, type, "features of type", keep, notes, err);
    if (st != QL_OK)
        return ql_hint(
            err, st,
            "--feature-type all keeps every feature, --feature-type NAME those of one type");
    if (opt->genome && f->genome.n == 0)
        return ql_fail(err, QL_EDATA, "names no genomes, so \"%s\" cannot be picked", opt->genome);
    return keep_by(&f->genome, opt->genome, "features of genome", keep, notes, err);
}

/* --- the genes' frame --- */

static ql_status subset_names(const ql_names *in, const uint8_t *keep, ql_names *out, ql_err *err)
{
    for (int64_t i = 0; i < in->n; i++)
        if (keep[i]) QL_TRY(ql_names_add(out, ql_name(in, i), strlen(ql_name(in, i)), err));
    return QL_OK;
}

static ql_status add_column(const ql_names *in, const uint8_t *keep, const char *name,
                            ql_frame *genes, ql_err *err)
{
    ql_names kept = {0};
    if (in->n == 0) return QL_OK;
    ql_status st = subset_names(in, keep, &kept, err);
    if (st == QL_OK) st = ql_frame_add(genes, name, QL_COL_STRING, &kept, err);
    ql_names_free(&kept);
    return st;
}

/* The name, or the id where there is none; files of organisms without names say "NA" throughout. */
static ql_status gene_names(const ql_features *f, const uint8_t *keep, ql_names *out, ql_err *err)
{
    int64_t n_na = 0;
    for (int64_t i = 0; i < f->name.n; i++) n_na += strcmp(ql_name(&f->name, i), "NA") == 0;
    bool use_ids = f->name.n == 0 || n_na * 2 > f->name.n;
    for (int64_t i = 0; i < f->id.n; i++) {
        if (!keep[i]) continue;
        const char *s = use_ids ? "" : ql_name(&f->name, i);
        if (s[0] == '\0') s = ql_name(&f->id, i);
        QL_TRY(ql_names_add(out, s, strlen(s), err));
    }
    return QL_OK;
}

static ql_status make_frame(const ql_features *f, const uint8_t *keep, ql_frame *genes, ql_err *err)
{
    const struct {
        const ql_names *values;
        const char *name; /* scanpy's spellings */
    } columns[] = {{&f->id, "gene_ids"}, {&f->type, "feature_types"}, {&f->genome, "genome"}};
    QL_TRY(gene_names(f, keep, &genes->index, err));
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        QL_TRY(add_column(columns[i].values, keep, columns[i].name, genes, err));
    return QL_OK;
}

static bool all_kept(const uint8_t *keep, int64_t n)
{
    return n == 0 || memchr(keep, 0, (size_t)n) == NULL;
}

ql_status ql_features_choose(const ql_features *f, const ql_read_options *opt, uint8_t **keep,
                             ql_dataset *ds, ql_notes *notes, ql_err *err)
{
    ql_status st;
    QL_TRY(QL_NEW(*keep, f->id.n, "features", err));
    QL_GO(choose(f, opt, *keep, notes, err));
    QL_GO(make_frame(f, *keep, &ds->genes, err));
    if (!all_kept(*keep, f->id.n)) return QL_OK;
out:
    ql_free(*keep);
    *keep = NULL;
    return st;
}

ql_status ql_features_apply(const ql_features *f, const ql_read_options *opt, ql_csr *m,
                            ql_dataset *ds, ql_notes *notes, ql_err *err)
{
    uint8_t *keep = NULL;
    ql_status st;
    QL_GO(ql_features_choose(f, opt, &keep, ds, notes, err));
    if (!keep) {
        ds->counts = *m;
        *m = (ql_csr){0};
    } else {
        QL_GO(ql_csr_subset(m, NULL, keep, &ds->counts, err));
    }
out:
    ql_csr_free(m);
    ql_free(keep);
    return st;
}
