/* alevin's own binary, quants_mat.gz: cell by cell, either a bit for each gene (the first gene in
 * the highest bit of the first byte) and a float32 for each set bit (EDS, version 0.14 and later),
 * or a float64 for each gene. Genes are named in quants_mat_cols.txt, cells in quants_mat_rows.txt.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../counts/band_sink.h"
#include "../counts/numbers.h"
#include "../file/folder.h"
#include "../mtx/mtx_dataset.h"
#include "../mtx/mtx_folder.h"
#include "../text/text_input.h"
#include "../text/wording.h"
#include "quell/alloc.h"
#include "quell/reader.h"

static const char NAME[] = "alevin-eds";
static const char MATRIX[] = "quants_mat.gz", GENES[] = "quants_mat_cols.txt",
                  CELLS[] = "quants_mat_rows.txt";

enum { BUFFER = 1 << 20 };

typedef struct {
    ql_path matrix, genes, cells;
} eds_files;

static bool complete(eds_files *f)
{
    ql_path folder;
    (void)ql_split_path(f->matrix.path, &folder);
    return ql_is_file(f->matrix.path) &&
           ql_mtx_find_file(folder.path, "", 0, false, GENES, &f->genes) &&
           ql_mtx_find_file(folder.path, "", 0, false, CELLS, &f->cells);
}

/* path: the file, its folder, or the one above. */
static bool find_files(const char *path, eds_files *f)
{
    ql_path inner;
    if (!ql_is_folder(path))
        return ql_ends_with(path, MATRIX) &&
               snprintf(f->matrix.path, sizeof f->matrix.path, "%s", path) < PATH_MAX &&
               complete(f);
    if (ql_join(path, MATRIX, f->matrix.path, sizeof f->matrix.path) && complete(f)) return true;
    return ql_join(path, "alevin", inner.path, sizeof inner.path) &&
           ql_join(inner.path, MATRIX, f->matrix.path, sizeof f->matrix.path) && complete(f);
}

static ql_status sniff(const char *path, bool *is, ql_err *err)
{
    eds_files f;
    (void)err;
    *is = find_files(path, &f);
    return QL_OK;
}

/* --- bytes --- */

typedef struct {
    ql_text *text;
    unsigned char *bytes; /* [BUFFER]; owned */
    size_t n, at;
} byte_reader;

static ql_status open_bytes(const char *path, byte_reader *r, ql_err *err)
{
    QL_TRY(ql_text_open(path, QL_TEXT_ALL, &r->text, err));
    return QL_NEW(r->bytes, BUFFER, "a block of text", err);
}

static void close_bytes(byte_reader *r)
{
    ql_text_close(r->text);
    ql_free(r->bytes);
    *r = (byte_reader){0};
}

/* n bytes into out, or fewer at the end: *got. */
static ql_status take_bytes(byte_reader *r, void *out, size_t n, size_t *got, ql_err *err)
{
    for (*got = 0; *got < n;) {
        size_t have = r->n - r->at < n - *got ? r->n - r->at : n - *got;
        memcpy((char *)out + *got, r->bytes + r->at, have);
        r->at += have;
        *got += have;
        if (*got == n || (r->at == r->n && ql_text_ended(r->text))) return QL_OK;
        r->at = r->n = 0;
        QL_TRY(ql_text_read(r->text, (char *)r->bytes, BUFFER, &r->n, err));
    }
    return QL_OK;
}

/* --- the two layouts --- */

typedef struct {
    byte_reader in;
    int64_t n_cells, n_genes;
    ql_csr m;
    int64_t nnz, cap;
    unsigned char *flags;  /* of one cell, (n_genes + 7) / 8 bytes; owned */
    unsigned char *values; /* of one cell, up to 8 bytes a gene; owned */
} eds_job;

static ql_status grow(eds_job *job, int64_t more, ql_err *err)
{
    int64_t cap = job->nnz + more + (job->nnz + more) / 2;
    if (job->nnz + more <= job->cap) return QL_OK;
    QL_TRY(ql_need_memory((double)(cap - job->cap) * 8.0, "the matrix", err));
    int32_t *indices = ql_realloc(job->m.indices, cap, sizeof *indices);
    if (indices) job->m.indices = indices;
    float *data = indices ? ql_realloc(job->m.data, cap, sizeof *data) : NULL;
    if (!data) return ql_fail(err, QL_EMEMORY, "no memory for %" PRId64 " entries", cap);
    job->m.data = data;
    job->cap = cap;
    return QL_OK;
}

static void put(eds_job *job, int64_t gene, float x)
{
    job->m.indices[job->nnz] = (int32_t)gene;
    job->m.data[job->nnz] = x;
    job->nnz += x != 0.0f;
}

static bool has_gene(const eds_job *job, int64_t gene)
{
    return job->flags[gene / 8] >> (7 - gene % 8) & 1;
}

static float get_f32(const unsigned char *b)
{
    uint32_t u = (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static double get_f64(const unsigned char *b)
{
    uint64_t u = 0;
    double x;
    for (int i = 7; i >= 0; i--) u = u << 8 | b[i];
    memcpy(&x, &u, sizeof x);
    return x;
}

static ql_status fail_short(const eds_job *job, int64_t cell, ql_err *err)
{
    return ql_fail(err, QL_EDATA,
                   "ends in cell %" PRId64 " of %" PRId64 " (%" PRId64 " genes): truncated, or "
                   "the files of names belong to another matrix",
                   cell + 1, job->n_cells, job->n_genes);
}

static ql_status read_sparse_cell(eds_job *job, int64_t cell, ql_err *err)
{
    size_t n_flags = (size_t)(job->n_genes + 7) / 8, got = 0;
    int64_t n = 0;
    QL_TRY(take_bytes(&job->in, job->flags, n_flags, &got, err));
    if (got < n_flags) return fail_short(job, cell, err);
    for (int64_t g = 0; g < job->n_genes; g++) n += has_gene(job, g);
    QL_TRY(take_bytes(&job->in, job->values, (size_t)n * 4, &got, err));
    if (got < (size_t)n * 4) return fail_short(job, cell, err);
    QL_TRY(grow(job, n, err));
    const unsigned char *at = job->values;
    for (int64_t g = 0; g < job->n_genes; g++) {
        if (!has_gene(job, g)) continue;
        put(job, g, get_f32(at));
        at += 4;
    }
    return QL_OK;
}

static ql_status read_dense_cell(eds_job *job, int64_t cell, ql_err *err)
{
    size_t n = (size_t)job->n_genes * 8, got = 0;
    QL_TRY(take_bytes(&job->in, job->values, n, &got, err));
    if (got < n) return fail_short(job, cell, err);
    QL_TRY(grow(job, job->n_genes, err));
    for (int64_t g = 0; g < job->n_genes; g++)
        put(job, g, ql_f32_of_f64(get_f64(job->values + g * 8)));
    return QL_OK;
}

static ql_status read_cells(eds_job *job, const char *path,
                            ql_status (*read_cell)(eds_job *, int64_t, ql_err *), ql_err *err)
{
    size_t got = 0;
    close_bytes(&job->in);
    job->nnz = 0;
    QL_TRY(open_bytes(path, &job->in, err));
    for (int64_t i = 0; i < job->n_cells; i++) {
        QL_TRY(read_cell(job, i, err));
        job->m.indptr[i + 1] = job->nnz;
    }
    QL_TRY(take_bytes(&job->in, job->values, 1, &got, err));
    if (got == 0) return QL_OK;
    return ql_fail(err, QL_EDATA,
                   "has more data than %" PRId64 " cells of %" PRId64
                   " genes: the files of names belong to another matrix",
                   job->n_cells, job->n_genes);
}

static ql_status inflated_size(const char *path, int64_t *size, ql_err *err)
{
    byte_reader r = {0};
    ql_status st;
    *size = 0;
    QL_GO(open_bytes(path, &r, err));
    while (!ql_text_ended(r.text)) {
        QL_GO(ql_text_read(r.text, (char *)r.bytes, BUFFER, &r.n, err));
        *size += (int64_t)r.n;
    }
out:
    close_bytes(&r);
    return st;
}

/* Nearly all files are EDS, and only their end tells; the other kind has a size of its own. */
static ql_status read_either(eds_job *job, const char *path, ql_notes *notes, ql_err *err)
{
    int64_t size = 0;
    ql_status st = read_cells(job, path, read_sparse_cell, err);
    if (st != QL_EDATA) return st;
    if (inflated_size(path, &size, NULL) != QL_OK || size % 8 != 0 ||
        size / 8 != job->n_cells * job->n_genes)
        return st;
    ql_note_add(notes, QL_NOTE_INFO, "is alevin's dense binary of before version 0.14");
    return read_cells(job, path, read_dense_cell, err);
}

static void end_job(eds_job *job)
{
    close_bytes(&job->in);
    ql_free(job->flags);
    ql_free(job->values);
    ql_csr_free(&job->m);
}

static ql_status read_matrix(eds_job *job, const char *path, ql_notes *notes, ql_err *err)
{
    job->m.n_rows = job->n_cells;
    job->m.n_cols = job->n_genes;
    QL_TRY(QL_NEW(job->m.indptr, job->n_cells + 1, "row pointers", err));
    QL_TRY(QL_NEW(job->flags, job->n_genes / 8 + 1, "flags of a cell", err));
    QL_TRY(QL_NEW(job->values, job->n_genes * 8 + 8, "values of a cell", err));
    QL_TRY(grow(job, 1, err));
    QL_TRY(read_either(job, path, notes, err));
    return ql_csr_normalise(&job->m, NULL, err);
}

static ql_status read_names(const ql_path *file, ql_names *out, ql_err *err)
{
    ql_name_lines lines = {.n_fields = 0};
    ql_status st = ql_name_lines_read(file->path, &lines, err);
    if (st != QL_OK) ql_context(err, st, "%s", file->path);
    *out = lines.field[0];
    lines.field[0] = (ql_names){0};
    ql_name_lines_free(&lines);
    return st;
}

static ql_status find_or_fail(const char *path, eds_files *f, ql_err *err)
{
    if (find_files(path, f)) return QL_OK;
    return ql_fail(err, QL_EDATA, "is no output of alevin (looked for %s, %s and %s)", MATRIX,
                   GENES, CELLS);
}

static ql_status read_eds(const char *path, const ql_reading *r, ql_dataset *ds, ql_notes *notes,
                          ql_err *err)
{
    eds_files f;
    eds_job job = {.nnz = 0};
    ql_features features = {.id = {0}};
    ql_mtx_fold fold = {NULL, 0, 0};
    ql_status st;
    QL_GO(find_or_fail(path, &f, err));
    QL_GO(read_names(&f.genes, &features.id, err));
    QL_GO(read_names(&f.cells, &ds->cells.index, err));
    job.n_genes = features.id.n;
    job.n_cells = ds->cells.index.n;
    st = read_matrix(&job, f.matrix.path, notes, err);
    if (st != QL_OK) {
        ql_context(err, st, "%s", f.matrix.path);
        goto out;
    }
    QL_GO(ql_fold_usa(&features, r->opt, &fold, notes, err));
    QL_GO(ql_check_layer_used(r->opt, fold.apply != NULL, err));
    QL_GO(ql_mtx_apply_fold(&fold, &job.m, err));
    QL_GO(ql_features_apply(&features, r->opt, &job.m, ds, notes, err));
    QL_GO(ql_set_text(&ds->matrix, MATRIX, err));
out:
    end_job(&job);
    ql_features_free(&features);
    return st;
}

static ql_status describe(const char *path, ql_str *out, ql_err *err)
{
    eds_files f;
    QL_TRY(find_or_fail(path, &f, err));
    ql_str_printf(out, "%s  binary of alevin\ngenes  %s\ncells  %s\n", f.matrix.path, f.genes.path,
                  f.cells.path);
    return QL_OK;
}

const ql_format ql_format_alevin_eds = {
    .name = NAME,
    .summary = "folder of alevin: quants_mat.gz, quants_mat_cols.txt, quants_mat_rows.txt",
    .sniff = sniff,
    .read = read_eds,
    .describe = describe,
};
