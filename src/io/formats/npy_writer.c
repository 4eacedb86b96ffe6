#include "quell/npy_writer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../file/out_file.h"
#include "quell/alloc.h"
#include "quell/interrupt.h"
#include "quell/strbuf.h"

enum {
    CELLS,
    GENES,
    MATRIX,
    N_FILES,
    HEADER_UNIT = 64, /* the format wants the data aligned to it */
    PREFIX = 10,      /* magic, version, length of the header */
    NAMES_BLOCK = 1 << 20,
};

static const char *const suffixes[N_FILES] = {".cells.txt", ".genes.txt", ".npy"};

struct ql_npy {
    ql_npy_spec spec;
    ql_out_file files[N_FILES];
    char *paths[N_FILES]; /* owned */
    int64_t n_rows, n_cols, done;
};

/* "X.npy" -> "X.cells.txt"; a path that does not end in .npy is the matrix's all the same. */
static ql_status path_of(const char *path, int which, char **out, ql_err *err)
{
    const char *npy = suffixes[MATRIX];
    size_t n = strlen(path), cut = strlen(npy);
    bool named = n > cut && strcmp(path + n - cut, npy) == 0;
    size_t stem = named ? n - cut : n;
    if (which == MATRIX) return ql_text_copy(path, out, err);
    QL_TRY(QL_NEW(*out, (int64_t)(n + strlen(suffixes[which]) + 1), "a path", err));
    memcpy(*out, path, stem);
    memcpy(*out + stem, suffixes[which], strlen(suffixes[which]) + 1);
    return QL_OK;
}

ql_status ql_npy_check(const char *path, const char *in_path, bool force, ql_err *err)
{
    ql_status st = QL_OK;
    for (int i = N_FILES - 1; st == QL_OK && i >= 0; i--) {
        ql_out_file probe;
        char *name = NULL;
        st = path_of(path, i, &name, err);
        if (st == QL_OK) st = ql_out_begin(&probe, name, in_path, force, err);
        if (st == QL_OK) ql_out_abort(&probe);
        ql_free(name);
    }
    return st;
}

/* A line end inside a name would move all that follow. */
static void put_line(ql_str *out, const char *name)
{
    size_t from = out->len;
    ql_str_puts(out, name);
    for (size_t i = from; i < out->len; i++)
        if (out->text[i] == '\n' || out->text[i] == '\r') out->text[i] = ' ';
    ql_str_puts(out, "\n");
}

static ql_status write_names(ql_out_file *f, const ql_names *names, ql_err *err)
{
    ql_str block = {0};
    ql_status st = QL_OK;
    for (int64_t i = 0; st == QL_OK && i < names->n; i++) {
        put_line(&block, ql_name(names, i));
        if (block.failed) {
            st = ql_fail(err, QL_EMEMORY, "no memory for names");
        } else if (block.len >= NAMES_BLOCK || i == names->n - 1) {
            st = ql_out_write(f, block.text, block.len, err);
            ql_str_clear(&block);
        }
    }
    ql_str_free(&block);
    return st;
}

/* Little-endian float32, as every machine this is built for has it in memory. */
static ql_status write_header(ql_npy *w, ql_err *err)
{
    static const unsigned char magic[] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
    char text[4 * HEADER_UNIT];
    int n = snprintf(text + PREFIX, sizeof text - PREFIX,
                     "{'descr': '<f4', 'fortran_order': False, 'shape': (%lld, %lld), }",
                     (long long)w->n_rows, (long long)w->n_cols);
    size_t size = PREFIX + (size_t)n + 1;
    size = (size + HEADER_UNIT - 1) / HEADER_UNIT * HEADER_UNIT;
    memset(text + PREFIX + n, ' ', size - PREFIX - (size_t)n);
    text[size - 1] = '\n';
    memcpy(text, magic, sizeof magic);
    text[sizeof magic] = (char)((size - PREFIX) & 0xff);
    text[sizeof magic + 1] = (char)((size - PREFIX) >> 8);
    return ql_out_write(&w->files[MATRIX], text, size, err);
}

static ql_status begin_files(ql_npy *w, const char *path, ql_err *err)
{
    for (int i = 0; i < N_FILES; i++) {
        QL_TRY(path_of(path, i, &w->paths[i], err));
        QL_TRY(ql_out_begin(&w->files[i], w->paths[i], w->spec.in_path, w->spec.force, err));
    }
    QL_TRY(write_names(&w->files[CELLS], w->spec.cells, err));
    QL_TRY(write_names(&w->files[GENES], w->spec.genes, err));
    return write_header(w, err);
}

ql_status ql_npy_begin(const char *path, const ql_npy_spec *spec, ql_npy **out, ql_err *err)
{
    ql_npy *w = NULL;
    QL_TRY(QL_NEW(w, 1, "an array's writer", err));
    w->spec = *spec;
    w->n_rows = spec->genes_are_rows ? spec->genes->n : spec->cells->n;
    w->n_cols = spec->genes_are_rows ? spec->cells->n : spec->genes->n;
    ql_status st = begin_files(w, path, err);
    if (st == QL_OK)
        *out = w;
    else
        ql_npy_abort(w);
    return st;
}

ql_status ql_npy_rows(ql_npy *w, const float *rows, int64_t n, ql_err *err)
{
    if (n < 0 || n > w->n_rows - w->done)
        return ql_fail(err, QL_EINTERNAL, "%s: %lld rows after %lld of %lld", w->paths[MATRIX],
                       (long long)n, (long long)w->done, (long long)w->n_rows);
    QL_TRY(ql_interrupt_check(err));
    w->done += n;
    return ql_out_write(&w->files[MATRIX], rows, (size_t)(n * w->n_cols) * sizeof *rows, err);
}

/* The names first: where the matrix is, its names are. */
static ql_status commit_files(ql_npy *w, ql_err *err)
{
    for (int i = 0; i < N_FILES; i++) {
        ql_status st = ql_out_commit(&w->files[i], err);
        if (st == QL_OK) continue;
        while (--i >= 0) unlink(w->paths[i]);
        return st;
    }
    return QL_OK;
}

ql_status ql_npy_commit(ql_npy *w, ql_err *err)
{
    ql_status st = w->done == w->n_rows
                       ? commit_files(w, err)
                       : ql_fail(err, QL_EINTERNAL, "%s: only %lld of %lld rows were written",
                                 w->paths[MATRIX], (long long)w->done, (long long)w->n_rows);
    ql_npy_abort(w);
    return st;
}

void ql_npy_abort(ql_npy *w)
{
    if (!w) return;
    for (int i = 0; i < N_FILES; i++) {
        ql_out_abort(&w->files[i]);
        ql_free(w->paths[i]);
    }
    ql_free(w);
}
