/* HDF5 by program: a sound file of a layout, then edits that make it lie. Bytes of a file mutated
 * at random would find the library's own faults and little else; here the library writes the file,
 * so what is wrong with it is for our checks to find.
 *
 * Input: settings, layout, storage, then edits of an operation, an object and what each needs. */
#include <hdf5.h>
#include <string.h>

#include "fuzz.h"
#include "h5_layout.h"
#include "quell/reader.h"

enum { MAX_OBJECTS = 48, MAX_PATH = 96, MAX_EDITS = 12, MAX_BYTES = 1 << 16, MAX_RANK = 4 };

typedef struct {
    hid_t file;
    fz_bytes in;
    int n;
    char path[MAX_OBJECTS][MAX_PATH];
} edit;

/* ---- vocabulary ---- */

static const char *const known_paths[] = {
    "X",
    "X/data",
    "X/indices",
    "X/indptr",
    "obs",
    "obs/_index",
    "var",
    "var/_index",
    "layers/counts",
    "raw/X",
    "raw/var",
    "raw.X",
    "raw.var",
    "mod",
    "mod/rna",
    "matrix",
    "matrix/shape",
    "row_attrs/Gene",
    "col_attrs/CellID",
    "obs/__categories/batch",
    "obs/batch",
    "layers/big",
    "uns/x",
    "obs/mask",
};

static const char *const known_attributes[] = {
    "encoding-type",   "encoding-version", "shape",      "_index",    "column-order",
    "h5sparse_format", "h5sparse_shape",   "categories", "mod-order", "ordered",
};

static const char *const known_texts[] = {
    "csr_matrix",
    "csc_matrix",
    "array",
    "dataframe",
    "anndata",
    "MuData",
    "categorical",
    "nullable-integer",
    "nullable-string",
    "csr",
    "csc",
    "_index",
    "index",
    "string-array",
    "",
    "/X",
    "../obs",
    "batch",
    "a\x1b[31m\n",
    "caf\xe9",
    "rec-array",
    "obs/obs",
    "0.2.0",
    "CD3E",
};

static const hsize_t lengths[] = {
    0, 1, 2, 3, 4, 5, 6, 7, 12, 40, 1000, 65537, (hsize_t)1 << 31, (hsize_t)1 << 40,
};

static const int64_t numbers[] = {
    0,       1,         -1,        2,         3,         4,          5,         6,
    7,       100,       INT8_MAX,  UINT8_MAX, INT16_MIN, UINT16_MAX, INT32_MAX, INT32_MIN,
    1 << 24, (1 << 24), INT64_MAX, INT64_MIN, 1LL << 31, 1LL << 32,  1LL << 33, -(1LL << 31) - 1,
};

#define COUNT(list)   (sizeof(list) / sizeof *(list))
#define PICK(e, list) ((list)[fz_u8(&(e)->in) % COUNT(list)])

static const char *pick_object(edit *e)
{
    return e->n ? e->path[fz_u8(&e->in) % e->n] : "/";
}

/* ---- types ---- */

static hid_t sized(hid_t base, size_t size)
{
    hid_t type = H5Tcopy(base);
    H5Tset_size(type, size);
    return type;
}

static hid_t boolean(void)
{
    static const int8_t no = 0, yes = 1;
    hid_t type = H5Tenum_create(H5T_STD_I8LE);
    H5Tenum_insert(type, "FALSE", &no);
    H5Tenum_insert(type, "TRUE", &yes);
    return type;
}

static hid_t compound(bool any_length)
{
    hid_t text = any_length ? fz_h5_text_type() : sized(H5T_C_S1, 8);
    hid_t type = H5Tcreate(H5T_COMPOUND, 16);
    H5Tinsert(type, "index", 0, text);
    H5Tinsert(type, "n", 8, H5T_STD_I32LE);
    H5Tclose(text);
    return type;
}

static hid_t list_of_two(void)
{
    const hsize_t two = 2;
    return H5Tarray_create2(H5T_STD_I32LE, 1, &two);
}

static hid_t pick_type(edit *e)
{
    const hid_t simple[] = {H5T_STD_I8LE,       H5T_STD_U8LE,   H5T_STD_I16LE,  H5T_STD_U16LE,
                            H5T_STD_I32LE,      H5T_STD_U32LE,  H5T_STD_I64LE,  H5T_STD_U64LE,
                            H5T_IEEE_F32LE,     H5T_IEEE_F64LE, H5T_STD_I32BE,  H5T_IEEE_F64BE,
                            H5T_NATIVE_LDOUBLE, H5T_STD_B8LE,   H5T_STD_REF_OBJ};
    unsigned which = fz_u8(&e->in) % (COUNT(simple) + 9);
    if (which < COUNT(simple)) return H5Tcopy(simple[which]);
    switch (which - COUNT(simple)) {
    case 0:
    case 1:
        return fz_h5_text_type();
    case 2:
        return sized(H5T_C_S1, 1 + fz_u8(&e->in) % 40);
    case 3:
        return boolean();
    case 4:
        return compound(false);
    case 5:
        return compound(true);
    case 6:
        return list_of_two();
    case 7:
        return H5Tvlen_create(H5T_STD_I32LE);
    default:
        return H5Tcreate(H5T_OPAQUE, 3);
    }
}

static int pick_shape(edit *e, hsize_t dim[MAX_RANK])
{
    static const int ranks[] = {1, 1, 1, 2, 2, 0, 3, 1};
    int rank = PICK(e, ranks);
    for (int i = 0; i < rank; i++) dim[i] = PICK(e, lengths);
    return rank;
}

/* ---- values ---- */

/* Bytes of n elements, 0 when too many to be written. */
static size_t bytes_of(hid_t type, int rank, const hsize_t *dim)
{
    size_t bytes = H5Tget_size(type);
    for (int i = 0; i < rank; i++) {
        if (dim[i] > MAX_BYTES) return 0;
        bytes *= (size_t)dim[i];
        if (bytes > MAX_BYTES) return 0;
    }
    return bytes;
}

static bool is_flat(hid_t type)
{
    H5T_class_t class = H5Tget_class(type);
    if (H5Tis_variable_str(type) > 0 || class == H5T_VLEN || class == H5T_REFERENCE) return false;
    if (class != H5T_COMPOUND) return true;
    hid_t first = H5Tget_member_type(type, 0);
    bool flat = H5Tis_variable_str(first) <= 0;
    H5Tclose(first);
    return flat;
}

static unsigned char *fill(edit *e, hid_t type, size_t bytes)
{
    static union {
        unsigned char raw[MAX_BYTES];
        const char *text[MAX_BYTES / sizeof(char *)];
    } buffer;
    memset(&buffer, 0, sizeof buffer);
    if (H5Tis_variable_str(type) > 0) {
        for (size_t i = 0; i < bytes / sizeof(char *); i++)
            buffer.text[i] = fz_left(&e->in) ? PICK(e, known_texts) : known_texts[i % 24];
    } else {
        size_t period = fz_u8(&e->in) % 32 + 1;
        for (size_t i = 0; i < bytes; i++)
            buffer.raw[i] = i < period ? fz_u8(&e->in) : buffer.raw[i - period];
    }
    return buffer.raw;
}

static const void *values_for(edit *e, hid_t type, int rank, const hsize_t *dim)
{
    size_t bytes = bytes_of(type, rank, dim);
    bool text = H5Tis_variable_str(type) > 0;
    return bytes && (text || is_flat(type)) ? fill(e, type, bytes) : NULL;
}

/* ---- edits ---- */

static void unlink_object(edit *e, const char *path)
{
    if (strcmp(path, "/") != 0 && H5Lexists(e->file, path, H5P_DEFAULT) > 0)
        H5Ldelete(e->file, path, H5P_DEFAULT);
}

static void create_dataset(edit *e, const char *path)
{
    static const hsize_t chunks[] = {1, 2, 3, 4, 7, 64, 1000};
    hsize_t dim[MAX_RANK], chunk[MAX_RANK];
    unsigned storage = fz_u8(&e->in);
    hid_t type = pick_type(e);
    int rank = pick_shape(e, dim);
    for (int i = 0; i < rank; i++) {
        chunk[i] = PICK(e, chunks);
        if (chunk[i] > dim[i]) chunk[i] = dim[i] ? dim[i] : 1;
        if (dim[i] > MAX_BYTES) storage |= 1;
    }
    hid_t space =
        rank ? H5Screate_simple(rank, dim, NULL) : H5Screate(storage & 64 ? H5S_NULL : H5S_SCALAR);
    hid_t links = fz_h5_link_plist(), plist = fz_h5_storage(rank, chunk, storage);
    hid_t id = H5Dcreate2(e->file, path, type, space, links, plist, H5P_DEFAULT);
    if (id >= 0) {
        const void *values = values_for(e, type, rank, dim);
        if (values) H5Dwrite(id, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values);
        H5Dclose(id);
    }
    H5Pclose(plist);
    H5Pclose(links);
    H5Sclose(space);
    H5Tclose(type);
}

static void op_delete(edit *e)
{
    unlink_object(e, pick_object(e));
}

static void op_replace(edit *e)
{
    const char *path = pick_object(e);
    unlink_object(e, path);
    create_dataset(e, path);
}

static void op_create(edit *e)
{
    const char *path = PICK(e, known_paths);
    unlink_object(e, path);
    create_dataset(e, path);
}

/* One value of a dataset, or all of them. */
static void op_value(edit *e)
{
    hid_t id = H5Dopen2(e->file, pick_object(e), H5P_DEFAULT);
    if (id < 0) return;
    hsize_t at = fz_u8(&e->in), dim[8] = {0}, here[8] = {0};
    int64_t value = PICK(e, numbers);
    double real = fz_u8(&e->in) & 1 ? (double)value + 0.5 : (double)value;
    hid_t space = H5Dget_space(id), one = H5Screate(H5S_SCALAR);
    int rank = H5Sget_simple_extent_ndims(space);
    if (rank > 0 && rank <= MAX_RANK) {
        H5Sget_simple_extent_dims(space, dim, NULL);
        for (int i = rank; i-- > 0; at /= dim[i] ? dim[i] : 1) here[i] = dim[i] ? at % dim[i] : 0;
        H5Sselect_elements(space, H5S_SELECT_SET, 1, here);
        if (H5Dwrite(id, H5T_NATIVE_INT64, one, space, H5P_DEFAULT, &value) >= 0 && real != 0)
            H5Dwrite(id, H5T_NATIVE_DOUBLE, one, space, H5P_DEFAULT, &real);
    }
    H5Sclose(one);
    H5Sclose(space);
    H5Dclose(id);
}

static void op_text_attribute(edit *e)
{
    hid_t object = H5Oopen(e->file, pick_object(e), H5P_DEFAULT), type = fz_h5_text_type();
    const char *name = PICK(e, known_attributes), *text = PICK(e, known_texts);
    if (object >= 0) {
        fz_h5_put_attribute(object, name, type, 0, NULL, &text);
        H5Oclose(object);
    }
    H5Tclose(type);
}

static void op_attribute(edit *e)
{
    hsize_t dim[MAX_RANK];
    hid_t object = H5Oopen(e->file, pick_object(e), H5P_DEFAULT);
    if (object < 0) return;
    const char *name = PICK(e, known_attributes);
    hid_t type = pick_type(e);
    int rank = pick_shape(e, dim);
    size_t bytes = bytes_of(type, rank, dim);
    if (bytes && bytes < 60000)
        fz_h5_put_attribute(object, name, type, rank, dim, values_for(e, type, rank, dim));
    H5Tclose(type);
    H5Oclose(object);
}

static void op_shape_attribute(edit *e)
{
    const hsize_t two = 2;
    hid_t object = H5Oopen(e->file, pick_object(e), H5P_DEFAULT);
    int64_t shape[2];
    for (int i = 0; i < 2; i++) shape[i] = PICK(e, numbers);
    const char *name = fz_u8(&e->in) & 1 ? "h5sparse_shape" : "shape";
    if (object < 0) return;
    fz_h5_put_attribute(object, name, H5T_NATIVE_INT64, 1, &two, shape);
    H5Oclose(object);
}

static void op_lose_attribute(edit *e)
{
    hid_t object = H5Oopen(e->file, pick_object(e), H5P_DEFAULT);
    const char *name = PICK(e, known_attributes);
    if (object < 0) return;
    if (H5Aexists(object, name) > 0) H5Adelete(object, name);
    H5Oclose(object);
}

/* A link of any kind in the place of an object: to another, to itself, out of the file. */
static void op_link(edit *e)
{
    const char *from = pick_object(e), *to = pick_object(e);
    unsigned kind = fz_u8(&e->in) % 4;
    if (strcmp(from, "/") == 0) return;
    if (kind == 0 && strcmp(from, to) == 0) return;
    if (kind == 0) {
        char aside[] = "aside";
        if (H5Lcreate_hard(e->file, to, e->file, aside, H5P_DEFAULT, H5P_DEFAULT) < 0) return;
        unlink_object(e, from);
        H5Lmove(e->file, aside, e->file, from, H5P_DEFAULT, H5P_DEFAULT);
        return;
    }
    unlink_object(e, from);
    if (kind == 1) H5Lcreate_soft(to, e->file, from, H5P_DEFAULT, H5P_DEFAULT);
    if (kind == 2) H5Lcreate_soft("/nowhere", e->file, from, H5P_DEFAULT, H5P_DEFAULT);
    if (kind == 3) H5Lcreate_external("/dev/null", "/X", e->file, from, H5P_DEFAULT, H5P_DEFAULT);
}

static void op_group(edit *e)
{
    const char *path = pick_object(e);
    if (strcmp(path, "/") == 0) return;
    unlink_object(e, path);
    hid_t group = H5Gcreate2(e->file, path, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    if (group >= 0) H5Gclose(group);
}

static void op_copy(edit *e)
{
    const char *from = pick_object(e), *to = PICK(e, known_paths);
    hid_t links = fz_h5_link_plist();
    unlink_object(e, to);
    H5Ocopy(e->file, from, e->file, to, H5P_DEFAULT, links);
    H5Pclose(links);
}

/* The stored bytes of a chunk, as a damaged disk would give them. */
static void op_chunk(edit *e)
{
    hsize_t at[MAX_RANK] = {0};
    unsigned char bytes[64];
    hid_t id = H5Dopen2(e->file, pick_object(e), H5P_DEFAULT);
    if (id < 0) return;
    uint32_t skipped = fz_u8(&e->in) & 15;
    size_t n = fz_u8(&e->in) % sizeof bytes;
    for (size_t i = 0; i < n; i++) bytes[i] = fz_u8(&e->in);
    hid_t plist = H5Dget_create_plist(id);
    if (H5Pget_layout(plist) == H5D_CHUNKED && n)
        H5Dwrite_chunk(id, H5P_DEFAULT, skipped, at, n, bytes);
    H5Pclose(plist);
    H5Dclose(id);
}

static void (*const operations[])(edit *) = {
    op_delete,    op_replace,        op_value,           op_create, op_text_attribute,
    op_attribute, op_lose_attribute, op_shape_attribute, op_link,   op_group,
    op_copy,      op_chunk,          op_value,           op_chunk,
};

/* ---- the file ---- */

static herr_t note_object(hid_t root, const char *name, const H5O_info_t *info, void *ctx)
{
    edit *e = ctx;
    (void)root, (void)info;
    if (e->n == MAX_OBJECTS || strlen(name) >= MAX_PATH) return 0;
    strcpy(e->path[e->n++], strcmp(name, ".") == 0 ? "/" : name);
    return 0;
}

static hid_t new_file(void)
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, 1 << 16, 0);
    hid_t file = H5Fcreate("fuzz.h5", H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    return file;
}

static const char *store(hid_t file)
{
    static unsigned char image[8 << 20];
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    ssize_t n = H5Fget_file_image(file, image, sizeof image);
    return n > 0 ? fz_file_with(image, (size_t)n) : NULL;
}

bool fz_hdf5_has(const char *format)
{
    return fz_h5_known(format);
}

void fz_hdf5(const char *argument, const uint8_t *data, size_t size)
{
    static edit e;
    e = (edit){.in = {data, data + size}};
    fz_settings s = fz_take_settings(&e.in);
    unsigned variant = fz_u8(&e.in), storage = fz_u8(&e.in);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    e.file = new_file();
    fz_require(e.file >= 0);
    fz_h5_build(e.file, argument, variant, storage);
    H5Ovisit(e.file, H5_INDEX_NAME, H5_ITER_INC, note_object, &e);
    for (int i = 0; i < MAX_EDITS && fz_left(&e.in); i++)
        operations[fz_u8(&e.in) % COUNT(operations)](&e);
    const char *path = store(e.file);
    H5Fclose(e.file);
    fz_require(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0);
    if (!path) return;
    if (strcmp(argument, "model") == 0) {
        fz_model(path, &s);
        return;
    }
    fz_read(path, NULL, &s);
    fz_read(path, argument, &s);
}
