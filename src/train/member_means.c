/* Gene mean x depth: all cells alike. What every other member has to beat. */

#include "quell/alloc.h"
#include "quell/member.h"

typedef struct {
    int64_t n_genes;
    double *share; /* [n_genes] of the molecules, of those genes that the counts have; owned */
} means;

static int64_t bytes(const ql_rows *counts, const ql_member_spec *spec)
{
    (void)spec;
    return counts->n_cols * (int64_t)sizeof(double);
}

static void release(void *state)
{
    means *m = state;
    if (m) ql_free(m->share);
    ql_free(m);
}

static ql_status make(int64_t n_genes, means **out, ql_err *err)
{
    QL_TRY(QL_NEW(*out, 1, "gene means", err));
    (*out)->n_genes = n_genes;
    ql_status st = QL_NEW((*out)->share, n_genes, "gene means", err);
    if (st != QL_OK) release(*out);
    return st;
}

static void normalise(means *m)
{
    double sum = 0;
    for (int64_t g = 0; g < m->n_genes; g++) sum += m->share[g];
    for (int64_t g = 0; g < m->n_genes && sum > 0; g++) m->share[g] /= sum;
}

static ql_status fit(const ql_member_data *data, const ql_member_spec *spec, void **state,
                     ql_err *err)
{
    ql_row_cursor c;
    means *m;
    (void)spec;
    QL_TRY(make(data->counts->n_cols, &m, err));
    ql_status st = ql_cursor_open(&c, data->counts, err);
    for (int64_t i = 0; st == QL_OK && i < data->n_train; i++) {
        const ql_row_view row = ql_cursor_row(&c, data->train[i]);
        for (int64_t k = 0; k < row.n; k++) m->share[row.gene[k]] += (double)row.count[k];
    }
    ql_cursor_close(&c);
    if (st == QL_OK) st = ql_rows_check(data->counts, err);
    normalise(m);
    if (st == QL_OK)
        *state = m;
    else
        release(m);
    return st;
}

static ql_status rates(void *state, const ql_batch_source *source, const int64_t *rows, int64_t n,
                       int64_t ld, ql_real *out, ql_err *err)
{
    const means *m = state;
    ql_row_cursor c;
    QL_TRY(ql_cursor_open(&c, source->counts, err));
    for (int64_t i = 0; i < n; i++) {
        const ql_row_view row = ql_cursor_row(&c, rows[i]);
        double depth = 0;
        for (int64_t k = 0; k < row.n; k++) depth += (double)row.count[k];
        for (int64_t g = 0; g < m->n_genes; g++) out[g * ld + i] = (ql_real)(depth * m->share[g]);
    }
    ql_cursor_close(&c);
    return ql_rows_check(source->counts, err);
}

static ql_status put(const void *state, ql_bundle *b, ql_err *err)
{
    const means *m = state;
    return ql_bundle_copy_array(b, "share", (ql_array){QL_ELEM_F64, m->n_genes, -1, m->share}, err);
}

static ql_status check(const ql_bundle *b, const ql_member_spec *spec, int64_t n_genes, ql_err *err)
{
    (void)spec;
    return ql_bundle_numbers(b, "share", (ql_array){QL_ELEM_F64, n_genes, -1, NULL}, QL_FROM_0_TO_1,
                             NULL, err);
}

static ql_status take(const ql_bundle *b, const ql_member_spec *spec, const ql_rows *counts,
                      const ql_gene_places *genes, const ql_kern *kern, void **state, ql_err *err)
{
    const int64_t n = genes->n_genes;
    means *m;
    (void)spec;
    (void)counts;
    (void)kern;
    QL_TRY(make(n, &m, err));
    ql_status st = ql_bundle_load(b, "share", (ql_array){QL_ELEM_F64, n, -1, NULL}, m->share, err);
    if (st != QL_OK) {
        release(m);
        return st;
    }
    bool lacking = false;
    for (int64_t g = 0; g < n; g++) {
        if (genes->place[g] >= 0) continue;
        m->share[g] = 0;
        lacking = true;
    }
    if (lacking) normalise(m);
    *state = m;
    return QL_OK;
}

const ql_member_kind ql_member_means = {
    .name = "means",
    .help = "gene mean x depth: all cells alike",
    .bytes = bytes,
    .fit = fit,
    .rates = rates,
    .put = put,
    .check = check,
    .take = take,
    .free = release,
};
