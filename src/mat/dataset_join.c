#include "quell/dataset_join.h"

#include <inttypes.h>
#include <string.h>

#include "frame_join.h"
#include "join_names.h"
#include "quell/alloc.h"
#include "quell/strbuf.h"

/* Share of an input's counts whose loss is a warning. */
static const double MUCH = 0.1;

/* What is told of an input. */
typedef struct {
    char *path; /* owned */
    int64_t n_cells, n_genes;
    double counts;
} part;

struct ql_join {
    ql_join_how how;
    int threads;
    ql_dataset all;       /* counts [cells so far, genes so far] */
    ql_name_index *index; /* of all.genes.index */
    uint8_t *alive;       /* inner: [genes of the first] every input has the gene */
    ql_names samples, lost_cells, lost_genes;
    part *parts;
    int n_parts, cap_parts;
    bool renamed_sample;
};

ql_status ql_join_new(ql_join_how how, int threads, ql_join **out, ql_err *err)
{
    QL_TRY(QL_NEW(*out, 1, "inputs to be joined", err));
    (*out)->how = how;
    (*out)->threads = threads;
    return QL_OK;
}

void ql_join_free(ql_join *j)
{
    if (!j) return;
    ql_dataset_free(&j->all);
    ql_name_index_free(j->index);
    ql_free(j->alive);
    ql_names_free(&j->samples);
    ql_names_free(&j->lost_cells);
    ql_names_free(&j->lost_genes);
    for (int i = 0; i < j->n_parts; i++) ql_free(j->parts[i].path);
    ql_free(j->parts);
    ql_free(j);
}

/* --- counts --- */

static double sum_entries(const ql_csr *m, int64_t first_row, int64_t end_row)
{
    double sum = 0;
    for (int64_t k = m->indptr[first_row]; k < m->indptr[end_row]; k++) sum += (double)m->data[k];
    return sum;
}

/* Column c becomes map[c], or goes where that is -1. Rows may be out of order afterwards. */
static void remap(ql_csr *m, const int32_t *map, int64_t n_cols)
{
    int64_t to = 0, begin = 0;
    for (int64_t i = 0; i < m->n_rows; i++) {
        int64_t end = m->indptr[i + 1];
        for (int64_t k = begin; k < end; k++) {
            int32_t col = map[m->indices[k]];
            if (col < 0) continue;
            m->indices[to] = col;
            m->data[to++] = m->data[k];
        }
        begin = end;
        m->indptr[i + 1] = to;
    }
    m->n_cols = n_cols;
}

static bool is_ascending(const int32_t *map, int64_t n)
{
    int32_t last = -1;
    for (int64_t i = 0; i < n; i++) {
        if (map[i] < 0) continue;
        if (map[i] <= last) return false;
        last = map[i];
    }
    return true;
}

static ql_status grow(void **array, int64_t n, size_t size, ql_err *err)
{
    void *grown = ql_realloc(*array, n > 0 ? n : 1, size);
    if (!grown) return ql_fail(err, QL_EMEMORY, "no memory for the inputs joined");
    *array = grown;
    return QL_OK;
}

static ql_status append_rows(ql_csr *to, const ql_csr *from, ql_err *err)
{
    const int64_t n = ql_csr_nnz(to), more = ql_csr_nnz(from);
    QL_TRY(grow((void **)&to->indptr, to->n_rows + from->n_rows + 1, sizeof *to->indptr, err));
    QL_TRY(grow((void **)&to->indices, n + more, sizeof *to->indices, err));
    QL_TRY(grow((void **)&to->data, n + more, sizeof *to->data, err));
    for (int64_t i = 1; i <= from->n_rows; i++) to->indptr[to->n_rows + i] = n + from->indptr[i];
    if (more > 0) {
        memcpy(to->indices + n, from->indices, (size_t)more * sizeof *to->indices);
        memcpy(to->data + n, from->data, (size_t)more * sizeof *to->data);
    }
    to->n_rows += from->n_rows;
    return QL_OK;
}

/* --- genes --- */

/* Where each gene is among those known, or -1; how many are. */
static int64_t find_genes(const ql_join *j, const ql_names *genes, int32_t *map)
{
    int64_t n_found = 0;
    for (int64_t i = 0; i < genes->n; i++) {
        map[i] = (int32_t)ql_name_index_find(j->index, ql_name(genes, i));
        n_found += map[i] >= 0;
    }
    return n_found;
}

/* Genes that are not known come at the end. */
static ql_status add_genes(ql_join *j, const ql_names *genes, int32_t *map, ql_err *err)
{
    ql_names *known = &j->all.genes.index;
    const int64_t n_old = known->n;
    for (int64_t i = 0; i < genes->n; i++) {
        if (map[i] >= 0) continue;
        if (known->n >= INT32_MAX) return ql_fail(err, QL_EDATA, "the inputs have too many genes");
        map[i] = (int32_t)known->n;
        QL_TRY(ql_names_add(known, ql_name(genes, i), strlen(ql_name(genes, i)), err));
    }
    if (known->n == n_old) return QL_OK;
    ql_name_index_free(j->index);
    j->index = NULL;
    return ql_name_index_new(known, &j->index, err);
}

/* Genes that this input lacks are out; what is out stays out. */
static ql_status settle_alive(ql_join *j, int32_t *map, int64_t n, ql_err *err)
{
    uint8_t *here = NULL;
    QL_TRY(QL_NEW(here, j->all.genes.index.n, "the genes of an input", err));
    for (int64_t i = 0; i < n; i++) {
        if (map[i] >= 0 && !j->alive[map[i]]) map[i] = -1;
        if (map[i] >= 0) here[map[i]] = 1;
    }
    ql_free(j->alive);
    j->alive = here;
    return QL_OK;
}

/* --- appending --- */

static ql_status add_part(ql_join *j, ql_dataset *ds, const char *sample, ql_err *err)
{
    if (j->n_parts == j->cap_parts) {
        int cap = j->cap_parts ? 2 * j->cap_parts : 8;
        QL_TRY(grow((void **)&j->parts, cap, sizeof *j->parts, err));
        j->cap_parts = cap;
    }
    QL_TRY(ql_names_add(&j->samples, sample, strlen(sample), err));
    j->parts[j->n_parts++] = (part){.path = ds->path,
                                    .n_cells = ds->counts.n_rows,
                                    .n_genes = ds->counts.n_cols,
                                    .counts = sum_entries(&ds->counts, 0, ds->counts.n_rows)};
    ds->path = NULL;
    return QL_OK;
}

/* The column "sample" will be ours. */
static ql_status make_way(ql_join *j, ql_frame *cells, ql_err *err)
{
    for (int i = 0; i < cells->n_columns; i++) {
        char **name = &cells->columns[i].name;
        if (strcmp(*name, QL_SAMPLE_COLUMN) != 0) continue;
        ql_free(*name);
        j->renamed_sample = true;
        return ql_text_copy(QL_SAMPLE_COLUMN "_before", name, err);
    }
    return QL_OK;
}

static ql_status take_first(ql_join *j, ql_dataset *ds, ql_err *err)
{
    j->all = *ds;
    *ds = (ql_dataset){0};
    int64_t n = j->all.genes.index.n;
    QL_TRY(QL_NEW(j->alive, n, "the genes of an input", err));
    memset(j->alive, 1, (size_t)n);
    return ql_name_index_new(&j->all.genes.index, &j->index, err);
}

static ql_status append_names(ql_names *to, const ql_names *from, ql_err *err)
{
    for (int64_t i = 0; i < from->n; i++)
        QL_TRY(ql_names_add(to, ql_name(from, i), strlen(ql_name(from, i)), err));
    return QL_OK;
}

/* The matrices of all inputs, each kind once. */
static ql_status add_matrix(ql_join *j, const char *matrix, ql_err *err)
{
    ql_str text = {0};
    if (strstr(j->all.matrix, matrix)) return QL_OK;
    ql_str_printf(&text, "%s, %s", j->all.matrix, matrix);
    ql_free(j->all.matrix);
    j->all.matrix = NULL;
    ql_status st = ql_text_copy(ql_str_text(&text), &j->all.matrix, err);
    ql_str_free(&text);
    return st;
}

static ql_status append(ql_join *j, ql_dataset *ds, ql_err *err)
{
    const int64_t n = ds->genes.index.n, n_old = j->all.genes.index.n;
    int32_t *map = NULL;
    ql_status st;
    QL_GO(QL_NEW(map, n, "the genes of an input", err));
    if (find_genes(j, &ds->genes.index, map) == 0)
        QL_GO(ql_join_fail_strangers(j->parts[j->n_parts - 1].path, &ds->genes, j->parts[0].path,
                                     &j->all.genes, err));
    QL_GO(j->how == QL_JOIN_OUTER ? add_genes(j, &ds->genes.index, map, err)
                                  : settle_alive(j, map, n, err));
    QL_GO(ql_frame_merge(&j->all.genes, n_old, &ds->genes, map, &j->lost_genes, err));
    remap(&ds->counts, map, j->all.genes.index.n);
    if (!is_ascending(map, n)) QL_GO(ql_csr_normalise_threads(&ds->counts, j->threads, NULL, err));
    QL_GO(append_rows(&j->all.counts, &ds->counts, err));
    j->all.counts.n_cols = j->all.genes.index.n;
    ql_csr_free(&ds->counts);
    QL_GO(ql_frame_append(&j->all.cells, &ds->cells, &j->lost_cells, err));
    QL_GO(append_names(&j->all.others, &ds->others, err));
    QL_GO(add_matrix(j, ds->matrix, err));
    j->all.is_counts = j->all.is_counts && ds->is_counts;
out:
    ql_free(map);
    return st;
}

ql_status ql_join_add(ql_join *j, ql_dataset *ds, const char *sample, ql_err *err)
{
    ql_status st;
    QL_GO(add_part(j, ds, sample, err));
    QL_GO(make_way(j, &ds->cells, err));
    st = j->n_parts == 1 ? take_first(j, ds, err) : append(j, ds, err);
out:
    ql_dataset_free(ds);
    *ds = (ql_dataset){0};
    return st;
}

/* --- the end --- */

static ql_status drop_genes(ql_join *j, ql_err *err)
{
    int64_t n = j->all.genes.index.n;
    int32_t *map = NULL, kept = 0;
    QL_TRY(QL_NEW(map, n, "the genes of an input", err));
    for (int64_t g = 0; g < n; g++) map[g] = j->alive[g] ? kept++ : -1;
    if (kept < n) remap(&j->all.counts, map, kept);
    ql_free(map);
    return kept < n ? ql_frame_keep(&j->all.genes, j->alive, err) : QL_OK;
}

static ql_status add_samples(ql_join *j, ql_err *err)
{
    ql_names column = {0};
    ql_status st = QL_OK;
    for (int p = 0; p < j->n_parts; p++) {
        const char *sample = ql_name(&j->samples, p);
        for (int64_t i = 0; st == QL_OK && i < j->parts[p].n_cells; i++)
            st = ql_names_add(&column, sample, strlen(sample), err);
    }
    if (st == QL_OK)
        st = ql_frame_add(&j->all.cells, QL_SAMPLE_COLUMN, QL_COL_STRING, &column, err);
    ql_names_free(&column);
    return st;
}

static void note_inner(const part *of, const char *sample, int64_t n, double left, ql_notes *notes)
{
    double lost = of->counts > 0 ? (of->counts - left) / of->counts : 0;
    if (n == of->n_genes)
        ql_note_add(notes, QL_NOTE_INFO,
                    "%s: sample %s, %" PRId64 " cells; every input has its %" PRId64 " genes",
                    of->path, sample, of->n_cells, n);
    else
        ql_note_add(notes, lost > MUCH ? QL_NOTE_WARNING : QL_NOTE_INFO,
                    "%s: sample %s, %" PRId64 " cells; %" PRId64 " of its %" PRId64
                    " genes are in every input, the others (%.1f %% of its counts) are left out",
                    of->path, sample, of->n_cells, n, of->n_genes, 100 * lost);
}

static void note_outer(const part *of, const char *sample, int64_t n, ql_notes *notes)
{
    ql_note_add(notes, QL_NOTE_INFO,
                "%s: sample %s, %" PRId64 " cells; %" PRId64 " of the %" PRId64
                " genes are not in it and count as 0",
                of->path, sample, of->n_cells, n - of->n_genes, n);
}

static void note_parts(const ql_join *j, ql_notes *notes)
{
    const int64_t n = j->all.genes.index.n;
    int64_t row = 0;
    for (int p = 0; p < j->n_parts; p++) {
        int64_t end = row + j->parts[p].n_cells;
        const char *sample = ql_name(&j->samples, p);
        if (j->how == QL_JOIN_OUTER)
            note_outer(&j->parts[p], sample, n, notes);
        else
            note_inner(&j->parts[p], sample, n, sum_entries(&j->all.counts, row, end), notes);
        row = end;
    }
}

static void note_lost(const ql_join *j, ql_notes *notes)
{
    ql_join_note_list(&j->lost_cells, "columns of cells left out, which not every input has alike",
                      notes);
    ql_join_note_list(&j->lost_genes, "columns of genes left out, which not every input has alike",
                      notes);
    ql_join_note_list(&j->all.others, "left out, since inputs are joined", notes);
    if (j->renamed_sample && ql_frame_column(&j->all.cells, QL_SAMPLE_COLUMN "_before"))
        ql_note_add(notes, QL_NOTE_INFO,
                    "the column " QL_SAMPLE_COLUMN " of an input is called " QL_SAMPLE_COLUMN
                    "_before now");
}

static ql_status settle_texts(ql_join *j, ql_err *err)
{
    ql_str list = {0};
    for (int p = 0; p < j->n_parts; p++)
        ql_str_printf(&list, "%s%s", p ? ", " : "", j->parts[p].path);
    ql_free(j->all.format);
    j->all.format = NULL;
    j->all.genes_differ = false;
    ql_status st = ql_text_copy("joined", &j->all.format, err);
    if (st == QL_OK) st = ql_text_copy(ql_str_text(&list), &j->all.path, err);
    ql_str_free(&list);
    return st;
}

ql_status ql_join_finish(ql_join *j, ql_dataset *out, ql_notes *notes, ql_err *err)
{
    if (j->how == QL_JOIN_INNER) QL_TRY(drop_genes(j, err));
    if (j->all.genes.index.n == 0)
        return ql_fail(err, QL_EDATA, "the inputs have no gene in common; --join outer keeps all");
    QL_TRY(add_samples(j, err));
    QL_TRY(ql_join_cell_names(&j->all.cells, notes, err));
    note_parts(j, notes);
    note_lost(j, notes);
    ql_names_free(&j->all.others);
    QL_TRY(settle_texts(j, err));
    *out = j->all;
    j->all = (ql_dataset){0};
    return QL_OK;
}
