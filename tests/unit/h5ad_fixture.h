/* Small data sets and looks into HDF5 files, for the tests of the h5ad writer. */
#ifndef H5AD_FIXTURE_H
#define H5AD_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "quell/h5ad_writer.h"

enum { PATH_BYTES = 512 };

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        if ((call) != QL_OK) fail_msg("%s: %s", #call, err.msg);                                   \
    } while (0)

static inline void in_folder(char path[PATH_BYTES], const char *folder, const char *name)
{
    snprintf(path, PATH_BYTES, "%.300s/%.200s", folder, name);
}

static inline int new_folder(void **state)
{
    const char *base = getenv("TMPDIR");
    char *path = malloc(PATH_BYTES);
    if (!path) return -1;
    snprintf(path, PATH_BYTES, "%s/quell-test-XXXXXX", base ? base : "/tmp");
    *state = path;
    return mkdtemp(path) ? 0 : -1;
}

/* Names in a folder, "." and ".." aside. */
static inline int count_files(const char *folder)
{
    DIR *d = opendir(folder);
    int n = 0;
    if (!d) return -1;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    }
    closedir(d);
    return n;
}

static inline int remove_folder(void **state)
{
    char *folder = *state, path[PATH_BYTES];
    DIR *d = opendir(folder);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        if (e->d_type == DT_DIR) continue;
        snprintf(path, sizeof path, "%s/%.200s", folder, e->d_name);
        unlink(path);
    }
    if (d) closedir(d);
    rmdir(folder);
    free(folder);
    return 0;
}

static inline void add_names(ql_names *names, const char *prefix, int64_t n)
{
    ql_err err = {0};
    char text[64];
    for (int64_t i = 0; i < n; i++) {
        int len = snprintf(text, sizeof text, "%s%d", prefix, (int)i);
        assert_ok(ql_names_add(names, text, (size_t)len, &err));
    }
}

/* cells x genes, about every third entry a count; genes with one column of texts. */
static inline void make_dataset(ql_dataset *ds, int64_t cells, int64_t genes, const char *format)
{
    ql_err err = {0};
    ql_names ids = {0};
    *ds = (ql_dataset){.is_counts = true};
    assert_ok(ql_csr_alloc(&ds->counts, cells, genes, (cells * genes + 2) / 3, &err));
    int64_t k = 0;
    for (int64_t i = 0; i < cells; i++) {
        for (int64_t j = 0; j < genes; j++) {
            if ((i * genes + j) % 3 != 0) continue;
            ds->counts.indices[k] = (int32_t)j;
            ds->counts.data[k++] = (float)(1 + (i + j) % 7);
        }
        ds->counts.indptr[i + 1] = k;
    }
    add_names(&ds->cells.index, "cell", cells);
    add_names(&ds->genes.index, "gene", genes);
    add_names(&ids, "ENSG", genes);
    assert_ok(ql_frame_add(&ds->genes, "gene_ids", QL_COL_STRING, &ids, &err));
    ql_names_free(&ids);
    ds->format = strdup(format);
    ds->path = strdup("counts");
    ds->matrix = strdup("X");
}

/* ql_dataset_free would ql_free the strings, which come from strdup here. */
static inline void drop_dataset(ql_dataset *ds)
{
    ql_csr_free(&ds->counts);
    ql_frame_free(&ds->cells);
    ql_frame_free(&ds->genes);
    free(ds->format);
    free(ds->path);
    free(ds->matrix);
}

static inline void set_text(char **field, const char *text)
{
    free(*field);
    *field = strdup(text);
}

static inline char *slurp(const char *path, long *size)
{
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    *size = ftell(f);
    rewind(f);
    char *bytes = malloc((size_t)*size + 1);
    if (bytes && fread(bytes, 1, (size_t)*size, f) != (size_t)*size) *size = -1;
    fclose(f);
    return bytes;
}

static inline void assert_same_bytes(const char *a, const char *b)
{
    long na = 0, nb = 0;
    char *x = slurp(a, &na), *y = slurp(b, &nb);
    assert_non_null(x);
    assert_non_null(y);
    assert_int_equal(na, nb);
    assert_memory_equal(x, y, (size_t)na);
    free(x);
    free(y);
}

static inline hid_t open_for_test(const char *path)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

static inline int64_t read_dataset(hid_t file, const char *name, hid_t type, void *out, int64_t cap)
{
    hid_t set = H5Dopen2(file, name, H5P_DEFAULT);
    assert_true(set >= 0);
    hid_t space = H5Dget_space(set);
    int64_t n = (int64_t)H5Sget_simple_extent_npoints(space);
    assert_true(n <= cap);
    if (n > 0) assert_true(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0);
    H5Sclose(space);
    H5Dclose(set);
    return n;
}

/* A scalar or 1-D string attribute as one text, items parted by '|'. */
static inline void attr_text(hid_t file, const char *object, const char *name, char *out,
                             size_t cap)
{
    char *text[64] = {0};
    hid_t attr = H5Aopen_by_name(file, object, name, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(attr >= 0);
    hid_t type = H5Aget_type(attr), space = H5Aget_space(attr);
    int n = (int)H5Sget_simple_extent_npoints(space);
    assert_true(n <= 64);
    if (n > 0) assert_true(H5Aread(attr, type, text) >= 0);
    out[0] = '\0';
    for (int i = 0, at = 0; i < n; i++) {
        at += snprintf(out + at, cap - (size_t)at, "%s%s", i ? "|" : "", text[i]);
    }
    H5Dvlen_reclaim(type, space, H5P_DEFAULT, text);
    H5Sclose(space);
    H5Tclose(type);
    H5Aclose(attr);
}

static inline void assert_attr(hid_t file, const char *object, const char *name, const char *text)
{
    char found[4096];
    attr_text(file, object, name, found, sizeof found);
    assert_string_equal(found, text);
}

#endif
