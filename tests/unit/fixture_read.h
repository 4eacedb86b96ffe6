/* Shared by the reader tests: a scratch folder, files in it, and checks of what a read gives. */
#ifndef QUELL_TEST_FIXTURE_READ_H
#define QUELL_TEST_FIXTURE_READ_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

#include "fixture_alloc.h"
#include "quell/reader.h"

#define FX_UNUSED __attribute__((unused))

static char fx_dir[256];

/* Group setup and teardown: a fresh folder, removed with all in it. */
FX_UNUSED static int fx_setup(void **state)
{
    const char *base = getenv("TMPDIR");
    (void)state;
    (void)snprintf(fx_dir, sizeof fx_dir, "%s/quell-read-XXXXXX", base ? base : "/tmp");
    return mkdtemp(fx_dir) ? 0 : -1;
}

FX_UNUSED static int fx_teardown(void **state)
{
    char command[300];
    (void)state;
    (void)snprintf(command, sizeof command, "rm -rf '%s'", fx_dir);
    return system(command);
}

/* Path of a file in the folder; up to four live at a time. */
FX_UNUSED static const char *fx_path(const char *name)
{
    static char paths[4][512];
    static int turn;
    turn = (turn + 1) % 4;
    (void)snprintf(paths[turn], sizeof paths[turn], "%s/%s", fx_dir, name);
    return paths[turn];
}

FX_UNUSED static void fx_mkdir(const char *name)
{
    assert_int_equal(mkdir(fx_path(name), 0777), 0);
}

FX_UNUSED static void fx_bytes(const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(fx_path(name), "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

FX_UNUSED static void fx_text(const char *name, const char *text)
{
    fx_bytes(name, text, strlen(text));
}

FX_UNUSED static void fx_gzip(const char *name, const char *text)
{
    gzFile f = gzopen(fx_path(name), "wb");
    assert_non_null(f);
    assert_int_equal(gzwrite(f, text, (unsigned)strlen(text)), (int)strlen(text));
    assert_int_equal(gzclose(f), Z_OK);
}

/* The last read, for checks. */
static ql_dataset fx_ds;
static ql_notes fx_notes;
static ql_err fx_err;

FX_UNUSED static void fx_release(void)
{
    ql_dataset_free(&fx_ds);
    ql_notes_free(&fx_notes);
    memset(&fx_err, 0, sizeof fx_err);
}

/* Of src/io/counts/entry_sink.h, which needs HDF5. */
void ql_stream_in_pieces(int64_t run, int64_t band);

FX_UNUSED static void fx_assert_same_names(const ql_names *a, const ql_names *b)
{
    assert_int_equal(a->n, b->n);
    for (int64_t i = 0; i < a->n; i++) assert_string_equal(ql_name(a, i), ql_name(b, i));
}

FX_UNUSED static void fx_assert_same_rows(const ql_csr *m, const ql_dataset *ds)
{
    ql_rows rows = ql_dataset_rows(ds);
    int32_t *gene = calloc((size_t)rows.max_row + 1, sizeof *gene);
    float *count = calloc((size_t)rows.max_row + 1, sizeof *count);
    assert_int_equal(rows.n_rows, m->n_rows);
    assert_int_equal(rows.n_cols, m->n_cols);
    assert_int_equal(ds->counts.n_rows, m->n_rows);
    assert_int_equal(ds->counts.n_cols, m->n_cols);
    for (int64_t i = 0; i < m->n_rows; i++) {
        int64_t n = ql_rows_get(&rows, i, gene, count), at = m->indptr[i];
        assert_int_equal(n, m->indptr[i + 1] - at);
        assert_memory_equal(gene, m->indices + at, (size_t)n * sizeof *gene);
        assert_memory_equal(count, m->data + at, (size_t)n * sizeof *count);
    }
    assert_int_equal(ql_rows_check(&rows, NULL), QL_OK);
    free(gene);
    free(count);
}

/* Of what is no count a band tells less: how many there are, what the matrix looks like. Damage is
 * found where it is met. */
FX_UNUSED static bool fx_same_text(const char *a, const char *b)
{
    const char *end = strstr(a, ", no count");
    if (end) return strncmp(a, b, (size_t)(end - a) + 10) == 0;
    const char *damaged = strstr(a, "matrix: chunk");
    if (damaged) return strncmp(a, b, (size_t)(damaged - a)) == 0 && strstr(b, "is damaged");
    return strcmp(a, b) == 0;
}

/* Every note of the one is among the other's. */
FX_UNUSED static void fx_assert_same_notes(const ql_notes *a, const ql_notes *b)
{
    for (int i = 0; i < a->n; i++) {
        bool found = false;
        for (int k = 0; k < b->n; k++) found |= fx_same_text(a->items[i].text, b->items[k].text);
        if (!found) print_error("not said both times: %s\n", a->items[i].text);
        assert_true(found);
    }
    assert_int_equal(a->n, b->n);
}

/* Streamed, in pieces of every size, it is what it was from memory: rows, names, errors, notes. */
FX_UNUSED static void fx_assert_streams(const char *path, const ql_read_options *opt, ql_status st)
{
    static const int64_t pieces[][2] = {{3, 2}, {0, 0}, {1, 1}, {2, 1000}};
    struct stat s;
    int64_t large = ql_csr_nnz(&fx_ds.counts) / 5000;
    bool there = stat(path, &s) == 0;
    if (there && S_ISFIFO(s.st_mode) && st != QL_OK) return; /* nobody writes into it again */
    if (there && large == 0) large = s.st_size / 10000;
    for (size_t i = 0; i < (large ? 1 : 4) && i < sizeof pieces / sizeof *pieces; i++) {
        ql_dataset ds = {0};
        ql_notes notes = {0};
        ql_err err = {0};
        ql_stream_in_pieces(pieces[i][0] + large * 400, pieces[i][1] + large * 1000);
        ql_status again = ql_read_streamed(path, opt, fx_dir, 1 << 10, &ds, &notes, &err);
        ql_stream_in_pieces(0, 0);
        if (!fx_same_text(fx_err.msg, err.msg) || strcmp(err.hint, fx_err.hint) != 0)
            print_error("in memory \"%s\" (%s)\nstreamed \"%s\" (%s)\n", fx_err.msg, fx_err.hint,
                        err.msg, err.hint);
        assert_int_equal(again, st);
        assert_true(fx_same_text(fx_err.msg, err.msg));
        assert_string_equal(err.hint, fx_err.hint);
        if (st == QL_OK) {
            fx_assert_same_rows(&fx_ds.counts, &ds);
            fx_assert_same_names(&fx_ds.cells.index, &ds.cells.index);
            fx_assert_same_names(&fx_ds.genes.index, &ds.genes.index);
            assert_string_equal(fx_ds.matrix, ds.matrix);
            fx_assert_same_notes(&fx_notes, &notes);
        }
        ql_dataset_free(&ds);
        ql_notes_free(&notes);
    }
}

/* From memory alone. */
FX_UNUSED static ql_status fx_read_once(const char *path, ql_read_options opt)
{
    fx_release();
    if (opt.threads == 0) opt.threads = 2;
    return ql_read_counts(path, &opt, &fx_ds, &fx_notes, &fx_err);
}

FX_UNUSED static ql_status fx_read_with(const char *path, ql_read_options opt)
{
    ql_status st = fx_read_once(path, opt);
    if (opt.threads == 0) opt.threads = 2;
    fx_assert_streams(path, &opt, st);
    return st;
}

typedef struct {
    const char *path;
    ql_read_options opt;
} fx_reading;

FX_UNUSED static ql_status fx_read_and_free(void *ctx, ql_err *err)
{
    const fx_reading *r = ctx;
    ql_dataset ds = {0};
    ql_notes notes = {0};
    ql_status st = ql_read_counts(r->path, &r->opt, &ds, &notes, err);
    ql_dataset_free(&ds);
    ql_notes_free(&notes);
    return st;
}

FX_UNUSED static ql_status fx_stream_and_free(void *ctx, ql_err *err)
{
    const fx_reading *r = ctx;
    ql_dataset ds = {0};
    ql_notes notes = {0};
    ql_status st = ql_read_streamed(r->path, &r->opt, fx_dir, 1 << 10, &ds, &notes, err);
    ql_dataset_free(&ds);
    ql_notes_free(&notes);
    return st;
}

/* Whichever allocation of a reading fails, it says so and leaves nothing behind. */
FX_UNUSED static void fx_lacks_memory(fx_reading *r)
{
    fx_release();
    assert_true(fail_each_allocation(NULL, fx_read_and_free, r) > 0);
}

/* The same of a streamed one. */
FX_UNUSED static void fx_assert_streams_without_memory(const char *path, const char *format)
{
    fx_reading r = {path, {.format = format, .threads = 1}};
    ql_stream_in_pieces(2, 2);
    fx_release();
    assert_true(fail_each_allocation(NULL, fx_stream_and_free, &r) > 0);
    ql_stream_in_pieces(0, 0);
}

FX_UNUSED static ql_status fx_read(const char *path)
{
    return fx_read_with(path, (ql_read_options){0});
}

FX_UNUSED static void fx_assert_ok(ql_status st)
{
    if (st != QL_OK) print_error("%s\n", fx_err.msg);
    assert_int_equal(st, QL_OK);
}

FX_UNUSED static void fx_assert_text(const char *text, const char *part)
{
    if (!strstr(text, part)) print_error("\"%s\"\nlacks \"%s\"\n", text, part);
    assert_non_null(strstr(text, part));
}

/* Reading failed with code, one line that starts with the path and has `part` in it. */
FX_UNUSED static void fx_assert_error(ql_status st, ql_status code, const char *path,
                                      const char *part)
{
    fx_assert_text(fx_err.msg, part);
    assert_int_equal(st, code);
    assert_int_equal(strncmp(fx_err.msg, path, strlen(path)), 0);
    assert_null(strchr(fx_err.msg, '\n'));
    assert_null(fx_ds.counts.indptr);
}

FX_UNUSED static bool fx_has_note(const char *part)
{
    for (int i = 0; i < fx_notes.n; i++)
        if (strstr(fx_notes.items[i].text, part)) return true;
    return false;
}

FX_UNUSED static void fx_sums(const ql_csr *m, double *sum, double *max)
{
    *sum = *max = 0;
    for (int64_t k = 0; k < ql_csr_nnz(m); k++) {
        *sum += (double)m->data[k];
        if ((double)m->data[k] > *max) *max = (double)m->data[k];
    }
}

/* The invariant of ql_csr. */
FX_UNUSED static void fx_assert_sound(const ql_csr *m)
{
    assert_int_equal(m->indptr[0], 0);
    for (int64_t i = 0; i < m->n_rows; i++) {
        assert_true(m->indptr[i] <= m->indptr[i + 1]);
        for (int64_t k = m->indptr[i]; k < m->indptr[i + 1]; k++) {
            assert_in_range(m->indices[k], 0, m->n_cols - 1);
            assert_true(m->data[k] != 0.0f);
            if (k > m->indptr[i]) assert_true(m->indices[k - 1] < m->indices[k]);
        }
    }
}

FX_UNUSED static void fx_assert_dense(const ql_csr *m, const float *dense, int64_t n_rows,
                                      int64_t n_cols)
{
    assert_int_equal(m->n_rows, n_rows);
    assert_int_equal(m->n_cols, n_cols);
    fx_assert_sound(m);
    for (int64_t i = 0; i < n_rows; i++) {
        int64_t k = m->indptr[i];
        for (int64_t j = 0; j < n_cols; j++) {
            float x = 0;
            if (k < m->indptr[i + 1] && m->indices[k] == j) x = m->data[k++];
            assert_true(x == dense[i * n_cols + j]);
        }
    }
}

/* Four cells x three genes, known everywhere in these tests. Cell 2 has no counts. */
enum { FX_CELLS = 4, FX_GENES = 3, FX_NNZ = 5 };
FX_UNUSED static const float fx_dense[FX_CELLS * FX_GENES] = {2, 0, 1, 0, 5, 0, 0, 0, 0, 7, 0, 1};

/* Folder of real files, or NULL. */
FX_UNUSED static const char *fx_shared(void)
{
    const char *folder = getenv("QUELL_SHARED");
    struct stat s;
    if (!folder) folder = "../shared";
    return stat(folder, &s) == 0 ? folder : NULL;
}

#endif
