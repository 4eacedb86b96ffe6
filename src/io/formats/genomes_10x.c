#include "genomes_10x.h"

#include <inttypes.h>
#include <string.h>

#include "quell/alloc.h"

void ql_genome_free(ql_genome *g)
{
    ql_csr_free(&g->counts);
    ql_names_free(&g->cells);
    ql_features_free(&g->features);
}

static ql_status append(ql_names *to, const ql_names *from, ql_err *err)
{
    for (int64_t i = 0; i < from->n; i++)
        QL_TRY(ql_names_add(to, ql_name(from, i), strlen(ql_name(from, i)), err));
    return QL_OK;
}

/* Genes of one part behind those there are. A part without names goes by its ids. */
static ql_status append_features(const ql_features *f, const char *genome, ql_features *to,
                                 ql_err *err)
{
    QL_TRY(append(&to->id, &f->id, err));
    QL_TRY(append(&to->name, f->name.n ? &f->name : &f->id, err));
    for (int64_t i = 0; i < f->id.n; i++)
        QL_TRY(ql_names_add(&to->genome, genome, strlen(genome), err));
    return QL_OK;
}

/* row[i] = where cell i of a part is among all cells, which grow by those not there yet. */
static ql_status match_cells(const ql_names *cells, ql_names *all, int64_t *row, ql_err *err)
{
    ql_name_index *index = NULL;
    ql_status st = ql_name_index_new(all, &index, err);
    for (int64_t i = 0; st == QL_OK && i < cells->n; i++)
        row[i] = ql_name_index_find(index, ql_name(cells, i));
    ql_name_index_free(index);
    for (int64_t i = 0; st == QL_OK && i < cells->n; i++) {
        if (row[i] >= 0) continue;
        row[i] = all->n;
        st = ql_names_add(all, ql_name(cells, i), strlen(ql_name(cells, i)), err);
    }
    return st;
}

/* What is being joined: rows[p][i] is the joined row of cell i of part p. */
typedef struct {
    const ql_genome *parts;
    int64_t n;
    int64_t **rows;
} join;

static ql_status alloc_joined(const join *j, int64_t n_cells, ql_csr *out, ql_err *err)
{
    int64_t n_genes = 0, nnz = 0;
    for (int64_t p = 0; p < j->n; p++) {
        n_genes += j->parts[p].counts.n_cols;
        nnz += ql_csr_nnz(&j->parts[p].counts);
    }
    QL_TRY(ql_csr_alloc(out, n_cells, n_genes, nnz, err));
    for (int64_t p = 0; p < j->n; p++) {
        const ql_csr *m = &j->parts[p].counts;
        for (int64_t i = 0; i < m->n_rows; i++)
            out->indptr[j->rows[p][i] + 1] += m->indptr[i + 1] - m->indptr[i];
    }
    for (int64_t i = 0; i < n_cells; i++) out->indptr[i + 1] += out->indptr[i];
    return QL_OK;
}

/* next[r] is where the next entries of row r go. */
static void copy_part(const ql_csr *m, const int64_t *row, int32_t first_gene, int64_t *next,
                      ql_csr *out)
{
    for (int64_t i = 0; i < m->n_rows; i++) {
        int64_t to = next[row[i]], begin = m->indptr[i], n = m->indptr[i + 1] - begin;
        for (int64_t k = 0; k < n; k++) out->indices[to + k] = first_gene + m->indices[begin + k];
        if (n > 0) memcpy(out->data + to, m->data + begin, (size_t)n * sizeof *m->data);
        next[row[i]] += n;
    }
}

static ql_status join_counts(const join *j, int64_t n_cells, ql_csr *out, ql_err *err)
{
    int64_t *next = NULL, first_gene = 0;
    QL_TRY(alloc_joined(j, n_cells, out, err));
    QL_TRY(QL_NEW(next, n_cells, "joining genomes", err));
    memcpy(next, out->indptr, (size_t)n_cells * sizeof *next);
    for (int64_t p = 0; p < j->n; p++) {
        copy_part(&j->parts[p].counts, j->rows[p], (int32_t)first_gene, next, out);
        first_gene += j->parts[p].counts.n_cols;
    }
    ql_free(next);
    return QL_OK;
}

static void note_join(const join *j, const ql_names *names, int64_t n_cells, ql_notes *notes)
{
    ql_str text = {0};
    for (int64_t p = 0; p < j->n; p++) {
        ql_str_puts(&text, p ? ", " : "");
        ql_str_escape(&text, ql_name(names, p), strlen(ql_name(names, p)));
        ql_str_printf(&text, " (%" PRId64 " genes, %" PRId64 " barcodes)",
                      j->parts[p].counts.n_cols, j->parts[p].cells.n);
    }
    ql_note_add(notes, QL_NOTE_INFO,
                "joined the genomes %s: %" PRId64 " barcodes in all; --genome picks one",
                ql_str_text(&text), n_cells);
    ql_str_free(&text);
}

ql_status ql_genomes_join(const ql_genome *parts, const ql_names *names, ql_genome *out,
                          ql_notes *notes, ql_err *err)
{
    join j = {.parts = parts, .n = names->n};
    ql_status st;
    QL_GO(QL_NEW(j.rows, j.n, "joining genomes", err));
    for (int64_t p = 0; p < j.n; p++) {
        QL_GO(QL_NEW(j.rows[p], parts[p].cells.n, "joining genomes", err));
        QL_GO(match_cells(&parts[p].cells, &out->cells, j.rows[p], err));
        QL_GO(append_features(&parts[p].features, ql_name(names, p), &out->features, err));
    }
    QL_GO(join_counts(&j, out->cells.n, &out->counts, err));
    note_join(&j, names, out->cells.n, notes);
out:
    for (int64_t p = 0; j.rows && p < j.n; p++) ql_free(j.rows[p]);
    ql_free(j.rows);
    return st;
}
