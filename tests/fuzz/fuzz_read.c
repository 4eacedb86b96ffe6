/* One read of one input, and what must be true of it afterwards. */
#include <hdf5.h>
#include <math.h>
#include <string.h>

#include "fuzz.h"
#include "quell/alloc.h"
#include "quell/reader.h"
#include "quell/utf8.h"

enum { CAP = 64 << 20 }; /* bytes: what no input of a few kilobytes has a right to */

fz_settings fz_take_settings(fz_bytes *b)
{
    fz_settings s = {0};
    s.flags = fz_u8(b);
    s.texts = fz_u8(b);
    s.fail_after = fz_u8(b);
    return s;
}

static ql_read_options options(const fz_settings *s)
{
    static const char *const layers[] = {NULL, "counts", "", "../X"};
    static const char *const types[] = {NULL, "all", "Antibody Capture", ""};
    static const char *const genomes[] = {NULL, "GRCh38", "mm10", ""};
    static const ql_orient orients[] = {QL_ORIENT_AUTO, QL_ORIENT_CELLS_X_GENES,
                                        QL_ORIENT_GENES_X_CELLS, QL_ORIENT_AUTO};
    return (ql_read_options){.use_raw = s->flags & 1,
                             .use_x = s->flags & 2,
                             .orient = orients[s->flags >> 2 & 3],
                             .no_header = s->flags & 16,
                             .no_row_names = s->flags & 32,
                             .allow_short = s->flags & 64,
                             .allow_noncounts = s->flags & 128,
                             .layer = layers[s->texts & 3],
                             .feature_type = types[s->texts >> 2 & 3],
                             .genome = genomes[s->texts >> 4 & 3],
                             .modality = s->texts & 64 ? "rna" : NULL,
                             .dataset = s->texts & 128 ? "X" : NULL,
                             .threads = 1};
}

/* ---- what must be true of a failure ---- */

static void check_error(ql_status st, const ql_err *err)
{
    fz_require(st == err->code);
    fz_require(st == QL_EUSAGE || st == QL_EDATA || st == QL_ENOINPUT || st == QL_EMEMORY ||
               st == QL_EIO);
    fz_require(err->msg[0] != '\0');
}

/* ---- what must be true of a dataset ---- */

static void check_row(const ql_csr *m, int64_t i)
{
    fz_require(m->indptr[i] <= m->indptr[i + 1]);
    for (int64_t k = m->indptr[i]; k < m->indptr[i + 1]; k++) {
        fz_require(m->indices[k] >= 0 && m->indices[k] < m->n_cols);
        fz_require(k == m->indptr[i] || m->indices[k - 1] < m->indices[k]);
        fz_require(isfinite(m->data[k]) && m->data[k] > 0);
    }
}

static void check_names(const ql_names *names, int64_t n)
{
    ql_name_index *index = NULL;
    fz_require(names->n == n);
    if (ql_name_index_new(names, &index, NULL) != QL_OK) return;
    for (int64_t i = 0; i < n; i++) {
        const char *name = ql_name(names, i);
        fz_require(*name != '\0' && ql_utf8_valid(name, strlen(name)));
        fz_require(ql_name_index_find(index, name) == i);
    }
    ql_name_index_free(index);
}

static void check_columns(const ql_frame *frame)
{
    for (int i = 0; i < frame->n_columns; i++) {
        const ql_column *c = &frame->columns[i];
        fz_require(c->type != QL_COL_STRING || c->strings.n == frame->index.n);
    }
}

static void check_dataset(const ql_dataset *ds)
{
    fz_require(ds->counts.n_rows > 0 && ds->counts.n_cols > 0 && ds->counts.indptr[0] == 0);
    for (int64_t i = 0; i < ds->counts.n_rows; i++) check_row(&ds->counts, i);
    check_names(&ds->cells.index, ds->counts.n_rows);
    check_names(&ds->genes.index, ds->counts.n_cols);
    check_columns(&ds->cells);
    check_columns(&ds->genes);
    fz_require(ds->path && ds->format && ds->matrix);
}

/* ---- what must be true of a note, which is stored in outputs ---- */

/* One line, fit for a terminal. */
static bool is_clean(const char *text)
{
    for (const char *c = text; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f) return false;
    return ql_utf8_valid(text, strlen(text));
}

/* ---- a read ---- */

static void describe(const char *path, const char *name)
{
    ql_str out = {0};
    ql_err err = {0};
    for (const ql_format *const *f = ql_formats; *f; f++) {
        if (!(*f)->describe || (name && strcmp((*f)->name, name) != 0)) continue;
        bool is = false;
        fz_require((*f)->sniff(path, &is, &err) == QL_OK);
        if (!is) continue;
        ql_status st = (*f)->describe(path, &out, &err);
        if (st != QL_OK) check_error(st, &err);
        break;
    }
    ql_str_free(&out);
}

static int64_t n_sound;

int64_t fz_n_sound(void)
{
    return n_sound;
}

static void read_once(const char *path, const ql_read_options *opt, int64_t fail_after)
{
    ql_dataset ds = {0};
    ql_notes notes = {0};
    ql_err err = {0};
    ql_alloc_fail_after(fail_after);
    ql_status st = ql_read_counts(path, opt, &ds, &notes, &err);
    ql_alloc_fail_after(0);
    if (st == QL_OK) {
        n_sound++;
        check_dataset(&ds);
    } else {
        check_error(st, &err);
    }
    for (int i = 0; i < notes.n; i++) fz_require(is_clean(notes.items[i].text));
    ql_dataset_free(&ds);
    ql_notes_free(&notes);
}

static void first_time(void)
{
    static bool done;
    ql_err err = {0};
    const ql_format *format = NULL;
    const ql_read_options opt = {0};
    if (done) return;
    done = true;
    ql_alloc_set_cap(CAP);
    /* what libraries set up once is no leak */
    fz_require(ql_format_detect("/", &opt, &format, &err) != QL_OK);
}

void fz_read(const char *path, const char *format, const fz_settings *s)
{
    first_time();
    ql_read_options opt = options(s);
    opt.format = format;
    int64_t before = ql_alloc_bytes();
    read_once(path, &opt, s->fail_after);
    if (s->fail_after == 0) describe(path, format);
    fz_require(ql_alloc_bytes() == before);
    fz_require(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0);
}
