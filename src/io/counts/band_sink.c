#include "band_sink.h"

/* Forget a matrix; the settings stay. */
static void clear(ql_band_sink *s)
{
    ql_store_free(s->store);
    ql_str_clear(&s->why);
    s->store = NULL;
    s->n_rows = s->n_cols = s->n_done = s->n_duplicates = s->n_few = 0;
    s->check = (ql_count_check){.first = -1, .first_impossible = -1, .first_fraction = -1};
    s->stop = false;
}

void ql_sink_free(ql_band_sink *s)
{
    clear(s);
    ql_str_free(&s->why);
}

static int64_t count_kept(const ql_band_sink *s)
{
    int64_t kept = 0, n = s->fold ? s->n_folded : s->n_cols;
    for (int64_t g = 0; g < n; g++) kept += !s->keep || s->keep[g];
    return kept;
}

ql_status ql_sink_begin(ql_band_sink *s, int64_t n_rows, int64_t n_cols, ql_err *err)
{
    clear(s);
    s->n_rows = n_rows;
    s->n_cols = n_cols;
    return ql_store_new(s->folder, n_rows, count_kept(s), &s->store, err);
}

void ql_sink_name(ql_band_sink *s, const ql_dataset *ds)
{
    s->cells = &ds->cells.index;
    s->genes = &ds->genes.index;
}

/* What the first entry is that is no count, while its band is at hand. */
static void describe(ql_band_sink *s, const ql_csr *m, const ql_count_check *check)
{
    static const ql_names none = {0};
    ql_names cells = s->cells ? *s->cells : none;
    int64_t entry = s->fractions ? check->first_impossible : check->first;
    cells.n -= s->n_done;
    if (cells.n > 0)
        cells.offset += s->n_done;
    else
        cells.n = 0;
    ql_str_clear(&s->why);
    ql_describe_noncount(m, check, entry < 0 ? check->first : entry, &cells,
                         s->genes ? s->genes : &none, &s->why);
}

static void look(ql_band_sink *s, const ql_csr *m)
{
    ql_count_check check = ql_check_counts(m, s->threads), *all = &s->check;
    bool bad = !ql_are_counts(&check);
    bool fatal = check.n_impossible > 0 || (bad && !s->fractions);
    if (bad && (all->first < 0 || fatal)) describe(s, m, &check);
    if (bad) all->first = 0;
    all->n_impossible += check.n_impossible;
    all->n_fractions += check.n_fractions;
    if (check.max > all->max) all->max = check.max;
    s->stop = fatal;
}

static void count_few(ql_band_sink *s, const ql_csr *m)
{
    for (int64_t i = 0; i < m->n_rows; i++) {
        double sum = 0;
        for (int64_t k = m->indptr[i]; k < m->indptr[i + 1] && sum < s->few; k++)
            sum += (double)m->data[k];
        s->n_few += sum < s->few;
    }
}

static ql_status take(ql_band_sink *s, ql_csr *m, ql_err *err)
{
    look(s, m);
    count_few(s, m);
    s->n_done += m->n_rows;
    return s->stop ? QL_OK : ql_store_add(s->store, m, err);
}

ql_status ql_sink_add(ql_band_sink *s, ql_csr *m, ql_err *err)
{
    int64_t n_duplicates = 0;
    ql_csr kept = {0};
    QL_TRY(ql_csr_normalise(m, &n_duplicates, err));
    s->n_duplicates += n_duplicates;
    if (s->fold) {
        s->fold(m, s->fold_how);
        QL_TRY(ql_csr_normalise(m, NULL, err));
    }
    if (!s->keep) return take(s, m, err);
    QL_TRY(ql_csr_subset(m, NULL, s->keep, &kept, err));
    ql_status st = take(s, &kept, err);
    ql_csr_free(&kept);
    return st;
}

ql_status ql_sink_end(ql_band_sink *s, ql_dataset *ds, ql_err *err)
{
    bool known = s->n_rows != QL_ROWS_UNKNOWN;
    ql_csr_free(&ds->counts);
    ds->counts = (ql_csr){.n_rows = known ? s->n_rows : s->n_done, .n_cols = count_kept(s)};
    if (s->stop) return QL_OK;
    QL_TRY(ql_store_finish(s->store, s->near_bytes, err));
    ds->store = s->store;
    s->store = NULL;
    return QL_OK;
}
