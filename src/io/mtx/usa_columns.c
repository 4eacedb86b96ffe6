/* alevin-fry's USA mode: unspliced, spliced and ambiguous counts of a gene in three columns. */
#include <inttypes.h>
#include <string.h>

#include "mtx_dataset.h"

enum { SPLICED = 1, UNSPLICED = 2, AMBIGUOUS = 4 };

typedef struct {
    const char *name;
    int parts;
} usa_layer;

static const usa_layer usa_layers[] = {
    {"spliced+ambiguous", SPLICED | AMBIGUOUS}, /* what is used when no layer is named */
    {"spliced", SPLICED},
    {"unspliced", UNSPLICED},
    {"ambiguous", AMBIGUOUS},
    {"all", SPLICED | UNSPLICED | AMBIGUOUS},
};
enum { N_LAYERS = sizeof usa_layers / sizeof *usa_layers };

static bool is_name_with(const char *name, const char *gene, const char *suffix)
{
    size_t n = strlen(gene);
    return strncmp(name, gene, n) == 0 && strcmp(name + n, suffix) == 0;
}

bool ql_is_usa(const ql_names *genes)
{
    int64_t n = genes->n / 3;
    if (n == 0 || genes->n % 3 != 0) return false;
    for (int64_t i = 0; i < n; i++) {
        if (!is_name_with(ql_name(genes, n + i), ql_name(genes, i), "-U")) return false;
        if (!is_name_with(ql_name(genes, 2 * n + i), ql_name(genes, i), "-A")) return false;
    }
    return true;
}

static ql_status find_layer(const char *name, const usa_layer **out, ql_err *err)
{
    for (int i = 0; i < N_LAYERS; i++) {
        *out = &usa_layers[i];
        if (!name || strcmp(name, usa_layers[i].name) == 0) return QL_OK;
    }
    return ql_fail(err, QL_EUSAGE,
                   "has no layer \"%s\" (it has: spliced, unspliced, ambiguous, "
                   "spliced+ambiguous, all)",
                   name);
}

/* Keep the columns of `parts` and number them by gene. Rows come out unsorted. */
static void fold_columns(ql_csr *m, const void *how)
{
    const int64_t n_genes = ((const ql_mtx_fold *)how)->n;
    const int parts = ((const ql_mtx_fold *)how)->parts;
    int64_t to = 0, begin = 0;
    for (int64_t i = 0; i < m->n_rows; i++) {
        int64_t end = m->indptr[i + 1];
        for (int64_t k = begin; k < end; k++) {
            if (!(parts >> (m->indices[k] / n_genes) & 1)) continue;
            m->indices[to] = (int32_t)(m->indices[k] % n_genes);
            m->data[to++] = m->data[k];
        }
        begin = end;
        m->indptr[i + 1] = to;
    }
    m->n_cols = n_genes;
}

static ql_status keep_first(ql_names *names, int64_t n, ql_err *err)
{
    ql_names first = {0};
    ql_status st = QL_OK;
    for (int64_t i = 0; st == QL_OK && i < n && i < names->n; i++)
        st = ql_names_add(&first, ql_name(names, i), strlen(ql_name(names, i)), err);
    ql_names_free(st == QL_OK ? names : &first);
    if (st == QL_OK) *names = first;
    return st;
}

ql_status ql_fold_usa(ql_features *f, const ql_read_options *opt, ql_mtx_fold *fold,
                      ql_notes *notes, ql_err *err)
{
    const usa_layer *layer = NULL;
    int64_t n = f->id.n / 3;
    if (!ql_is_usa(&f->id)) return QL_OK;
    QL_TRY(find_layer(opt->layer, &layer, err));
    *fold = (ql_mtx_fold){fold_columns, n, layer->parts};
    QL_TRY(keep_first(&f->id, n, err));
    ql_names_free(&f->name);
    ql_note_add(notes, QL_NOTE_INFO,
                "spliced, unspliced and ambiguous counts of %" PRId64
                " genes: using %s (--layer takes another)",
                n, layer->name);
    return QL_OK;
}
