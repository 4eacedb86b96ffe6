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

FX_UNUSED static ql_status fx_read_with(const char *path, ql_read_options opt)
{
    fx_release();
    if (opt.threads == 0) opt.threads = 2;
    return ql_read_counts(path, &opt, &fx_ds, &fx_notes, &fx_err);
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
