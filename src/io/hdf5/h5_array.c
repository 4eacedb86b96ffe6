/* Opening a dataset for reading: every check that can be made before its first byte is read. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "h5_error.h"
#include "h5_read.h"
#include "lzf.h"

/* Other filters than deflate do better on constant data. An extent beyond that is no data that
 * anybody wrote. */
static const double OTHER_RATIO = 20000.0;
static const double FREE_BYTES = 64.0 * 1024 * 1024;

static const char *filter_name(H5Z_filter_t id, const char *stored)
{
    static const struct {
        H5Z_filter_t id;
        const char *name;
    } known[] = {{307, "bzip2"},   {4, "szip"},     {32000, "lzf"},
                 {32001, "blosc"}, {32004, "lz4"},  {32008, "bitshuffle"},
                 {32013, "zfp"},   {32015, "zstd"}, {32026, "blosc2"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].id == id) return known[i].name;
    return stored[0] ? stored : "an unknown filter";
}

static ql_status fail_filter(const char *path, H5Z_filter_t id, const char *stored, ql_err *err)
{
    ql_fail(err, QL_EDATA,
            "%s: is compressed with %.40s (HDF5 filter %d), which this program cannot read", path,
            filter_name(id, stored), (int)id);
    return ql_hint(err, QL_EDATA,
                   "rewrite it with gzip: python -c \"import hdf5plugin, anndata; "
                   "anndata.read_h5ad('IN.h5ad').write_h5ad('OUT.h5ad', compression='gzip')\"");
}

/* Every filter of the pipeline must be there; *ratio is what they can make of one byte. */
static ql_status check_filters(hid_t dcpl, const char *path, double *ratio, ql_err *err)
{
    int n = H5Pget_nfilters(dcpl);
    *ratio = 1.0;
    for (int i = 0; i < n; i++) {
        char stored[64] = "";
        unsigned flags = 0, values[8], info = 0;
        size_t n_values = 8;
        H5Z_filter_t id = H5Pget_filter2(dcpl, (unsigned)i, &flags, &n_values, values,
                                         sizeof stored, stored, &info);
        if (id < 0) return ql_h5_fail(err, QL_EDATA, "%s: its filters cannot be read", path);
        if (H5Zfilter_avail(id) <= 0) {
            (void)H5Eclear2(H5E_DEFAULT);
            return fail_filter(path, id, stored, err);
        }
        if (id == H5Z_FILTER_DEFLATE || id == QL_LZF_FILTER)
            *ratio *= QL_DEFLATE_RATIO;
        else if (id != H5Z_FILTER_SHUFFLE && id != H5Z_FILTER_FLETCHER32)
            *ratio *= OTHER_RATIO;
    }
    return QL_OK;
}

/* Data in other files would let an input name any file of the machine. */
static ql_status check_layout(hid_t dcpl, const char *path, ql_err *err)
{
    if (H5Pget_layout(dcpl) == H5D_VIRTUAL || H5Pget_external_count(dcpl) > 0)
        return ql_fail(err, QL_EDATA, "%s: its data are in other files, which are not read", path);
    return QL_OK;
}

static ql_status get_extent(ql_h5r_array *a, int rank, ql_err *err)
{
    ql_status st = QL_OK;
    hsize_t dim[H5S_MAX_RANK];
    hid_t space = H5Dget_space(a->id);
    H5S_class_t kind = space < 0 ? H5S_NO_CLASS : H5Sget_simple_extent_type(space);
    if (kind != H5S_SIMPLE && kind != H5S_SCALAR) {
        st = ql_fail(err, QL_EDATA, "%s: is empty (null)", a->path);
        goto out;
    }
    a->rank = H5Sget_simple_extent_dims(space, dim, NULL);
    if (a->rank < 0 || a->rank > 2 || (rank >= 0 && a->rank != rank)) {
        st = ql_fail(err, QL_EDATA, "%s: has %d dimensions, %d expected", a->path, a->rank,
                     rank < 0 ? 1 : rank);
        goto out;
    }
    a->n = 1;
    for (int d = 0; d < a->rank; d++) {
        if (dim[d] > (hsize_t)INT64_MAX / 16 ||
            (dim[d] && a->n > INT64_MAX / 16 / (int64_t)dim[d])) {
            st = ql_fail(err, QL_EDATA, "%s: its extent is absurd (%" PRIu64 ")", a->path,
                         (uint64_t)dim[d]);
            goto out;
        }
        a->dim[d] = (int64_t)dim[d];
        a->n *= a->dim[d];
    }
out:
    ql_h5r_close(space);
    return st;
}

/* How to read elements of an integer or float type; false when they are no numbers we know. */
static bool describe_number(ql_h5r_array *a, hid_t type, H5T_class_t class_)
{
    size_t size = H5Tget_size(type);
    if (class_ == H5T_FLOAT) {
        a->is_half = size == 2;
        a->num = size <= 4 ? QL_NUM_F32 : QL_NUM_F64;
        a->mem_type = H5Tcopy(size <= 4 ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE);
        return a->mem_type >= 0;
    }
    if (!ql_num_integer(size, H5Tget_sign(type) == H5T_SGN_2, &a->num)) return false;
    a->mem_type = H5Tget_native_type(type, H5T_DIR_ASCEND);
    return a->mem_type >= 0 && H5Tget_size(a->mem_type) == ql_num_size(a->num);
}

static void get_type(ql_h5r_array *a)
{
    hid_t type = H5Dget_type(a->id), base = -1;
    a->class_ = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);
    if (a->class_ == H5T_INTEGER || a->class_ == H5T_FLOAT) {
        a->numeric = describe_number(a, type, a->class_);
        a->as_stored = a->numeric && H5Tequal(type, a->mem_type) > 0;
    } else if (a->class_ == H5T_ENUM) {
        /* h5py's bool; an enum is read in its own type, so only bytes are free of byte order */
        base = H5Tget_super(type);
        if (base >= 0 && H5Tget_size(base) == 1 && ql_num_integer(1, true, &a->num)) {
            a->mem_type = H5Tcopy(type);
            a->numeric = a->is_bool = a->as_stored = a->mem_type >= 0;
        }
    }
    ql_h5r_close(base);
    ql_h5r_close(type);
}

static ql_status check_storage(const ql_h5r_array *a, double ratio, ql_err *err)
{
    hid_t type = H5Dget_type(a->id);
    double size = type < 0 ? 1.0 : (double)H5Tget_size(type);
    ql_h5r_close(type);
    double stored = (double)H5Dget_storage_size(a->id), wanted = (double)a->n * size;
    if (stored > (double)a->file_bytes) stored = (double)a->file_bytes;
    if (wanted <= stored * ratio + FREE_BYTES) return QL_OK;
    return ql_fail(err, QL_EDATA, "%s: announces %" PRId64 " values but only %.0f bytes are stored",
                   a->path, a->n, stored);
}

static ql_status check_dataset(ql_h5r_array *a, int rank, ql_err *err)
{
    double ratio = 1.0;
    QL_TRY(get_extent(a, rank, err));
    hid_t dcpl = H5Dget_create_plist(a->id);
    if (dcpl < 0) return ql_h5_fail(err, QL_EDATA, "%s: cannot be read", a->path);
    ql_status st = check_layout(dcpl, a->path, err);
    if (st == QL_OK) st = check_filters(dcpl, a->path, &ratio, err);
    ql_h5r_close(dcpl);
    if (st != QL_OK) return st;
    get_type(a);
    return check_storage(a, ratio, err);
}

ql_status ql_h5r_array_open(hid_t file, const char *path, int rank, ql_h5r_array *a, ql_err *err)
{
    hsize_t bytes = 0;
    *a = (ql_h5r_array){.id = -1, .mem_type = -1};
    (void)snprintf(a->path, sizeof a->path, "%s%s", path[0] == '/' ? "" : "/", path);
    ql_h5r_kind kind = ql_h5r_kind_of(file, path);
    if (kind == QL_H5R_NONE) return ql_fail(err, QL_EDATA, "%s: is missing", a->path);
    if (kind != QL_H5R_DATASET) return ql_fail(err, QL_EDATA, "%s: is no dataset", a->path);
    hid_t owner = H5Iget_file_id(file);
    (void)H5Fget_filesize(owner, &bytes);
    ql_h5r_close(owner);
    a->file_bytes = (int64_t)bytes;
    a->id = H5Dopen2(file, path, H5P_DEFAULT);
    if (a->id < 0) return ql_h5_fail(err, QL_EDATA, "%s: cannot be opened", a->path);
    ql_status st = check_dataset(a, rank, err);
    if (st != QL_OK) ql_h5r_array_close(a);
    return st;
}

/* The dataset is closed first: HDF5 gives one that is open already the cache that it has. */
ql_status ql_h5r_array_keep(ql_h5r_array *a, int64_t bytes, ql_err *err)
{
    enum { DEFAULT = 1 << 20, SLOTS = 12421, NAME = 1200 };
    char name[NAME];
    if (bytes <= DEFAULT) return QL_OK;
    hid_t owner = H5Iget_file_id(a->id), dapl = H5Pcreate(H5P_DATASET_ACCESS);
    const ssize_t n = H5Iget_name(a->id, name, sizeof name);
    if (n > 0 && n < NAME && owner >= 0 && dapl >= 0 &&
        H5Pset_chunk_cache(dapl, SLOTS, (size_t)bytes + 1, 1.0) >= 0) {
        ql_h5r_close(a->id);
        a->id = H5Dopen2(owner, name, dapl);
    }
    ql_status st = a->id >= 0 ? QL_OK : ql_h5_fail(err, QL_EDATA, "%s: cannot be opened", a->path);
    (void)H5Eclear2(H5E_DEFAULT);
    ql_h5r_close(dapl);
    ql_h5r_close(owner);
    return st;
}

void ql_h5r_array_close(ql_h5r_array *a)
{
    if (!a->path[0]) return;
    ql_h5r_close(a->mem_type);
    ql_h5r_close(a->id);
    *a = (ql_h5r_array){.id = -1, .mem_type = -1};
}

static ql_status fail_block(const ql_h5r_array *a, const hsize_t *start, const hsize_t *count,
                            int told, ql_err *err)
{
    const int64_t first = (int64_t)start[told], last = first + (int64_t)count[told] - 1;
    if (a->rank == 1)
        return ql_h5_fail(err, QL_EDATA, "%s: is damaged near value %" PRId64, a->path, first);
    return ql_h5_fail(err, QL_EDATA, "%s: is damaged in %s %" PRId64 " to %" PRId64, a->path,
                      told ? "columns" : "rows", first, last);
}

ql_status ql_h5r_read_block(const ql_h5r_array *a, const hsize_t *start, const hsize_t *count,
                            int told, void *out, ql_err *err)
{
    hid_t space = H5Dget_space(a->id), mem = H5Screate_simple(a->rank, count, NULL);
    bool ok = space >= 0 && mem >= 0 &&
              H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 &&
              H5Dread(a->id, a->mem_type, mem, space, H5P_DEFAULT, out) >= 0;
    ql_status st = ok ? QL_OK : fail_block(a, start, count, told, err);
    ql_h5r_close(mem);
    ql_h5r_close(space);
    return st;
}

ql_status ql_h5r_read_list(const ql_h5r_array *a, int64_t first, int64_t n, void *out, ql_err *err)
{
    const hsize_t start = (hsize_t)first, count = (hsize_t)n;
    return ql_h5r_read_block(a, &start, &count, 0, out, err);
}

const char *ql_h5r_type_text(const ql_h5r_array *a)
{
    if (a->is_bool) return "bool";
    if (a->is_half) return "float16";
    if (a->numeric) return ql_num_text(a->num);
    return a->class_ == H5T_STRING     ? "text"
           : a->class_ == H5T_COMPOUND ? "compound"
                                       : "unknown type";
}

ql_status ql_h5r_need_numbers(const ql_h5r_array *a, ql_err *err)
{
    if (a->numeric) return QL_OK;
    return ql_fail(err, QL_EDATA, "%s: is %s, numbers expected", a->path, ql_h5r_type_text(a));
}

ql_status ql_h5r_need_integers(const ql_h5r_array *a, ql_err *err)
{
    if (a->numeric && !ql_num_is_float(a->num)) return QL_OK;
    return ql_fail(err, QL_EDATA, "%s: is %s, integers expected", a->path, ql_h5r_type_text(a));
}
