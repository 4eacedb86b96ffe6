/* HDF5 files for the reader tests, written with the library's own calls. */
#ifndef QUELL_TEST_FIXTURE_H5_H
#define QUELL_TEST_FIXTURE_H5_H

#include <hdf5.h>

#include "fixture_read.h"

enum { FX_SHUFFLE = 1, FX_DEFLATE = 2, FX_FLETCHER = 4 };

FX_UNUSED static hid_t fx_h5_create(const char *name)
{
    hid_t file = H5Fcreate(fx_path(name), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

FX_UNUSED static hid_t fx_h5_edit(const char *name)
{
    hid_t file = H5Fopen(fx_path(name), H5F_ACC_RDWR, H5P_DEFAULT);
    assert_true(file >= 0);
    return file;
}

static hid_t fx_h5_text_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

FX_UNUSED static void fx_h5_group(hid_t file, const char *path)
{
    hid_t lcpl = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(lcpl, 1);
    hid_t group = H5Gcreate2(file, path, lcpl, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(group >= 0);
    H5Gclose(group);
    H5Pclose(lcpl);
}

FX_UNUSED static void fx_h5_attr(hid_t file, const char *path, const char *name, const char *value)
{
    hid_t type = fx_h5_text_type(), space = H5Screate(H5S_SCALAR);
    if (H5Aexists_by_name(file, path, name, H5P_DEFAULT) > 0)
        H5Adelete_by_name(file, path, name, H5P_DEFAULT);
    hid_t attr =
        H5Acreate_by_name(file, path, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(attr >= 0);
    assert_true(H5Awrite(attr, type, &value) >= 0);
    H5Aclose(attr);
    H5Sclose(space);
    H5Tclose(type);
}

FX_UNUSED static void fx_h5_attr_ints(hid_t file, const char *path, const char *name,
                                      const int64_t *values, int n)
{
    hsize_t dim = (hsize_t)n;
    hid_t space = H5Screate_simple(1, &dim, NULL);
    if (H5Aexists_by_name(file, path, name, H5P_DEFAULT) > 0)
        H5Adelete_by_name(file, path, name, H5P_DEFAULT);
    hid_t attr = H5Acreate_by_name(file, path, name, H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT,
                                   H5P_DEFAULT);
    assert_true(attr >= 0);
    assert_true(H5Awrite(attr, H5T_NATIVE_INT64, values) >= 0);
    H5Aclose(attr);
    H5Sclose(space);
}

FX_UNUSED static void fx_h5_delete(hid_t file, const char *path)
{
    assert_true(H5Ldelete(file, path, H5P_DEFAULT) >= 0);
}

static hid_t fx_h5_plist(int rank, const hsize_t *chunk, unsigned filters)
{
    hid_t dcpl = H5Pcreate(H5P_DATASET_CREATE);
    if (chunk) H5Pset_chunk(dcpl, rank, chunk);
    if (filters & FX_SHUFFLE) H5Pset_shuffle(dcpl);
    if (filters & FX_DEFLATE) H5Pset_deflate(dcpl, 4);
    if (filters & FX_FLETCHER) H5Pset_fletcher32(dcpl);
    return dcpl;
}

/* A dataset of rank 1 or 2 stored as `type`, written from memory of type `mem` (values NULL: never
 * written). An existing one is replaced. chunk NULL: contiguous. */
FX_UNUSED static void fx_h5_data(hid_t file, const char *path, hid_t type, int rank,
                                 const hsize_t *dim, const hsize_t *chunk, unsigned filters,
                                 hid_t mem, const void *values)
{
    if (H5Lexists(file, path, H5P_DEFAULT) > 0) fx_h5_delete(file, path);
    hid_t space = H5Screate_simple(rank, dim, NULL), dcpl = fx_h5_plist(rank, chunk, filters);
    hid_t id = H5Dcreate2(file, path, type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    assert_true(id >= 0);
    if (values) assert_true(H5Dwrite(id, mem, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0);
    H5Dclose(id);
    H5Pclose(dcpl);
    H5Sclose(space);
}

FX_UNUSED static void fx_h5_ints(hid_t file, const char *path, hid_t type, int64_t n,
                                 const int64_t *values)
{
    hsize_t dim = (hsize_t)n;
    fx_h5_data(file, path, type, 1, &dim, NULL, 0, H5T_NATIVE_INT64, values);
}

FX_UNUSED static void fx_h5_strings(hid_t file, const char *path, int64_t n,
                                    const char *const *values)
{
    hsize_t dim = (hsize_t)n;
    hid_t type = fx_h5_text_type();
    fx_h5_data(file, path, type, 1, &dim, NULL, 0, type, values);
    H5Tclose(type);
}

/* NUL-padded, without a terminator where a name fills its size. */
FX_UNUSED static void fx_h5_fixed(hid_t file, const char *path, int64_t n, size_t size,
                                  const char *bytes)
{
    hsize_t dim = (hsize_t)n;
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, size);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    fx_h5_data(file, path, type, 1, &dim, NULL, 0, type, bytes);
    H5Tclose(type);
}

FX_UNUSED static const char *const fx_cells[FX_CELLS] = {"AAAC-1", "AAAG-1", "AAAT-1", "AACA-1"};
FX_UNUSED static const char *const fx_genes[FX_GENES] = {"CD3E", "MS4A1", "LYZ"};
FX_UNUSED static const int64_t fx_indptr[FX_CELLS + 1] = {0, 2, 3, 3, 5};
FX_UNUSED static const int64_t fx_indices[FX_NNZ] = {0, 2, 1, 0, 2};
FX_UNUSED static const int64_t fx_data[FX_NNZ] = {2, 1, 5, 7, 1};

/* "group/member", until the next call. */
FX_UNUSED static const char *fx_in(const char *group, const char *member)
{
    static char path[96];
    (void)snprintf(path, sizeof path, "%s/%s", group, member);
    return path;
}

FX_UNUSED static void fx_h5_frame(hid_t file, const char *path, int64_t n, const char *const *names)
{
    fx_h5_group(file, path);
    fx_h5_attr(file, path, "encoding-type", "dataframe");
    fx_h5_attr(file, path, "_index", "_index");
    fx_h5_strings(file, fx_in(path, "_index"), n, names);
}

/* The known counts by cell: members of a group, places and values of these types. */
FX_UNUSED static void fx_h5_counts(hid_t file, const char *group, hid_t places, hid_t values)
{
    fx_h5_ints(file, fx_in(group, "indptr"), places, FX_CELLS + 1, fx_indptr);
    fx_h5_ints(file, fx_in(group, "indices"), places, FX_NNZ, fx_indices);
    fx_h5_ints(file, fx_in(group, "data"), values, FX_NNZ, fx_data);
}

/* As csr at path, data stored as float32. */
FX_UNUSED static void fx_h5_csr(hid_t file, const char *path)
{
    static const int64_t shape[2] = {FX_CELLS, FX_GENES};
    fx_h5_group(file, path);
    fx_h5_attr(file, path, "encoding-type", "csr_matrix");
    fx_h5_attr_ints(file, path, "shape", shape, 2);
    fx_h5_counts(file, path, H5T_STD_I32LE, H5T_IEEE_F32LE);
}

/* A complete small h5ad; returned open for changes. */
FX_UNUSED static hid_t fx_h5ad(const char *name)
{
    hid_t file = fx_h5_create(name);
    fx_h5_attr(file, "/", "encoding-type", "anndata");
    fx_h5_frame(file, "obs", FX_CELLS, fx_cells);
    fx_h5_frame(file, "var", FX_GENES, fx_genes);
    fx_h5_csr(file, "X");
    return file;
}

/* A complete small 10x file of version 3; returned open. */
FX_UNUSED static hid_t fx_h5_10x(const char *name)
{
    static const int64_t shape[2] = {FX_GENES, FX_CELLS};
    static const char *const ids[] = {"ENSG1", "ENSG2", "ENSG3"};
    static const char *const types[] = {"Gene Expression", "Gene Expression", "Antibody Capture"};
    static const char *const genomes[] = {"GRCh38", "GRCh38", ""};
    hid_t file = fx_h5_create(name);
    fx_h5_group(file, "matrix/features");
    fx_h5_strings(file, "matrix/barcodes", FX_CELLS, fx_cells);
    fx_h5_ints(file, "matrix/shape", H5T_STD_I32LE, 2, shape);
    fx_h5_ints(file, "matrix/indptr", H5T_STD_I64LE, FX_CELLS + 1, fx_indptr);
    fx_h5_ints(file, "matrix/indices", H5T_STD_I64LE, FX_NNZ, fx_indices);
    fx_h5_ints(file, "matrix/data", H5T_STD_I32LE, FX_NNZ, fx_data);
    fx_h5_strings(file, "matrix/features/id", FX_GENES, ids);
    fx_h5_strings(file, "matrix/features/name", FX_GENES, fx_genes);
    fx_h5_strings(file, "matrix/features/feature_type", FX_GENES, types);
    fx_h5_strings(file, "matrix/features/genome", FX_GENES, genomes);
    return file;
}

#endif
