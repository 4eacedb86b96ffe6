/* The layouts: one row an object or attribute, in the order of making. 4 cells, 3 genes. */
#include "h5_layout.h"

#include <stdlib.h>
#include <string.h>

/* kind: g group; i l u f d: dataset of int32, int64, uint32, float32, float64; s S: strings of any
 * length, of eight bytes; c: compound with a member "index" of strings; I: codes of int8.
 * With an attribute's name the value is the attribute's. dim: NULL, or "4 3". */
typedef struct {
    const char *path, *attribute;
    char kind;
    const char *dim, *values;
} row;

#define CELLS "AAAC-1 AAAG-1 AAAT-1 AACA-1"
#define GENES "CD3E MS4A1 LYZ"
#define DENSE "2 0 1 0 5 0 0 0 0 7 0 1"

#define FRAME(path, names)                                                                         \
    {path, NULL, 'g', NULL, NULL}, {path, "encoding-type", 's', NULL, "dataframe"},                \
        {path, "_index", 's', NULL, "_index"},                                                     \
    {                                                                                              \
        path "/_index", NULL, 's', NULL, names                                                     \
    }
#define CSR(path)                                                                                  \
    {path, NULL, 'g', NULL, NULL}, {path, "encoding-type", 's', NULL, "csr_matrix"},               \
        {path, "shape", 'l', "2", "4 3"}, {path "/data", NULL, 'f', NULL, "2 1 5 7 1"},            \
        {path "/indices", NULL, 'i', NULL, "0 2 1 0 2"},                                           \
    {                                                                                              \
        path "/indptr", NULL, 'i', NULL, "0 2 3 3 5"                                               \
    }

static const row h5ad_csr[] = {
    {"/", "encoding-type", 's', NULL, "anndata"},
    {"/", "encoding-version", 's', NULL, "0.1.0"},
    FRAME("obs", CELLS),
    {"obs", "column-order", 's', "3", "batch n_counts kind"},
    {"obs/n_counts", NULL, 'd', NULL, "3 5 0 8"},
    {"obs/kind", NULL, 's', NULL, "a b a b"},
    {"obs/batch", NULL, 'g', NULL, NULL},
    {"obs/batch", "encoding-type", 's', NULL, "categorical"},
    {"obs/batch/codes", NULL, 'I', NULL, "0 1 0 1"},
    {"obs/batch/categories", NULL, 's', NULL, "x y"},
    FRAME("var", GENES),
    CSR("X"),
    {NULL, NULL, 0, NULL, NULL},
};

static const row h5ad_csc[] = {
    {"/", "encoding-type", 's', NULL, "anndata"},
    FRAME("obs", CELLS),
    FRAME("var", GENES),
    CSR("layers/counts"),
    {"X", NULL, 'g', NULL, NULL},
    {"X", "encoding-type", 's', NULL, "csc_matrix"},
    {"X", "shape", 'l', "2", "4 3"},
    {"X/data", NULL, 'i', NULL, "2 7 5 1 1"},
    {"X/indices", NULL, 'l', NULL, "0 3 1 0 3"},
    {"X/indptr", NULL, 'l', NULL, "0 2 3 5"},
    {NULL, NULL, 0, NULL, NULL},
};

static const row h5ad_dense[] = {
    {"/", "encoding-type", 's', NULL, "anndata"},
    FRAME("obs", CELLS),
    FRAME("var", GENES),
    {"X", NULL, 'f', "4 3", DENSE},
    {"X", "encoding-type", 's', NULL, "array"},
    {NULL, NULL, 0, NULL, NULL},
};

static const row h5ad_raw[] = {
    FRAME("obs", CELLS),
    FRAME("var", GENES),
    CSR("raw/X"),
    FRAME("raw/var", GENES),
    {"X", NULL, 'd', "4 3", "0.5 -1 1 0 5 0 0 0 0 7 0 1"},
    {"layers/dense", NULL, 'i', "4 3", DENSE},
    {"obs/__categories/batch", NULL, 's', NULL, "x y"},
    {"obs/batch", NULL, 'I', NULL, "0 1 1 0"},
    {NULL, NULL, 0, NULL, NULL},
};

static const row h5ad_compound[] = {
    {"obs", NULL, 'c', NULL, CELLS},
    {"var", NULL, 'c', NULL, GENES},
    {"X", NULL, 'g', NULL, NULL},
    {"X", "h5sparse_format", 's', NULL, "csr"},
    {"X", "h5sparse_shape", 'l', "2", "4 3"},
    {"X/data", NULL, 'f', NULL, "2 1 5 7 1"},
    {"X/indices", NULL, 'i', NULL, "0 2 1 0 2"},
    {"X/indptr", NULL, 'i', NULL, "0 2 3 3 5"},
    {"raw.var", NULL, 'c', NULL, GENES},
    {"raw.X", NULL, 'f', "4 3", DENSE},
    {"uns/batch_categories", NULL, 's', NULL, "x y"},
    {NULL, NULL, 0, NULL, NULL},
};

static const row tenx_v3[] = {
    {"matrix", NULL, 'g', NULL, NULL},
    {"matrix/barcodes", NULL, 'S', NULL, CELLS},
    {"matrix/data", NULL, 'i', NULL, "2 1 5 7 1"},
    {"matrix/indices", NULL, 'l', NULL, "0 2 1 0 2"},
    {"matrix/indptr", NULL, 'l', NULL, "0 2 3 3 5"},
    {"matrix/shape", NULL, 'i', NULL, "3 4"},
    {"matrix/features/_all_tag_keys", NULL, 'S', NULL, "genome"},
    {"matrix/features/id", NULL, 'S', NULL, "ENSG1 ENSG2 ENSG3"},
    {"matrix/features/name", NULL, 'S', NULL, GENES},
    {"matrix/features/feature_type", NULL, 's', NULL,
     "Gene~Expression Gene~Expression Antibody~Capture"},
    {"matrix/features/genome", NULL, 'S', NULL, "GRCh38 GRCh38 mm10"},
    {NULL, NULL, 0, NULL, NULL},
};

static const row tenx_v2[] = {
    {"GRCh38", NULL, 'g', NULL, NULL},
    {"GRCh38/barcodes", NULL, 'S', NULL, CELLS},
    {"GRCh38/data", NULL, 'i', NULL, "2 1 5 7 1"},
    {"GRCh38/indices", NULL, 'l', NULL, "0 2 1 0 2"},
    {"GRCh38/indptr", NULL, 'l', NULL, "0 2 3 3 5"},
    {"GRCh38/shape", NULL, 'i', NULL, "3 4"},
    {"GRCh38/genes", NULL, 'S', NULL, "ENSG1 ENSG2 ENSG3"},
    {"GRCh38/gene_names", NULL, 'S', NULL, GENES},
    {NULL, NULL, 0, NULL, NULL},
};

static const row tenx_v2_two[] = {
    {"hg19/barcodes", NULL, 'S', NULL, CELLS},
    {"hg19/data", NULL, 'u', NULL, "2 1 5 7 1"},
    {"hg19/indices", NULL, 'l', NULL, "0 2 1 0 2"},
    {"hg19/indptr", NULL, 'l', NULL, "0 2 3 3 5"},
    {"hg19/shape", NULL, 'i', NULL, "3 4"},
    {"hg19/genes", NULL, 'S', NULL, GENES},
    {"hg19/gene_names", NULL, 'S', NULL, GENES},
    {"mm10/barcodes", NULL, 'S', NULL, CELLS},
    {"mm10/data", NULL, 'u', NULL, "2 1"},
    {"mm10/indices", NULL, 'l', NULL, "0 1"},
    {"mm10/indptr", NULL, 'l', NULL, "0 2 2 2 2"},
    {"mm10/shape", NULL, 'i', NULL, "2 4"},
    {"mm10/genes", NULL, 'S', NULL, "Cd3e Lyz2"},
    {"mm10/gene_names", NULL, 'S', NULL, "Cd3e Lyz2"},
    {NULL, NULL, 0, NULL, NULL},
};

static const row loom[] = {
    {"/", "LOOM_SPEC_VERSION", 's', NULL, "3.0.0"},
    {"matrix", NULL, 'i', "3 4", "2 0 0 7 0 5 0 0 1 0 0 1"},
    {"row_attrs/Gene", NULL, 's', NULL, GENES},
    {"row_attrs/Accession", NULL, 'S', NULL, "E1 E2 E3"},
    {"col_attrs/CellID", NULL, 's', NULL, CELLS},
    {"col_attrs/Batch", NULL, 'l', "4 1", "1 1 2 2"},
    {"layers/spliced", NULL, 'f', "3 4", "2 0 0 7 0 5 0 0 1 0 0 1"},
    {NULL, NULL, 0, NULL, NULL},
};

static const row h5mu[] = {
    {"/", "encoding-type", 's', NULL, "MuData"},
    {"mod", NULL, 'g', NULL, NULL},
    {"mod", "mod-order", 's', "2", "rna atac"},
    {"mod/rna", NULL, 'g', NULL, NULL},
    {"mod/rna", "encoding-type", 's', NULL, "anndata"},
    FRAME("mod/rna/obs", CELLS),
    FRAME("mod/rna/var", GENES),
    CSR("mod/rna/X"),
    FRAME("mod/atac/obs", CELLS),
    FRAME("mod/atac/var", "p1 p2 p3"),
    CSR("mod/atac/X"),
    FRAME("obs", CELLS),
    FRAME("var", GENES),
    {NULL, NULL, 0, NULL, NULL},
};

static const row plain[] = {
    {"X", NULL, 'i', "4 3", DENSE},
    {"genes", NULL, 's', NULL, GENES},
    {"cells", NULL, 'S', NULL, CELLS},
    {NULL, NULL, 0, NULL, NULL},
};

#define MODEL(options)                                                                             \
    {"genes/names", NULL, 's', NULL, GENES}, {"genes/ids", NULL, 'S', NULL, "E1 E2 E3"},           \
        {"genes/mean", NULL, 'f', NULL, "1 2 3"}, {"genes/sd", NULL, 'f', NULL, "1 1 2"},          \
        {"genes/total", NULL, 'd', NULL, "5 3 4"}, {"genes/theta", NULL, 'f', NULL, "5 5 5"},      \
        {"genes", "median_total", 'd', NULL, "3"},                                                 \
        {"training/history/loss", NULL, 'd', NULL, "1"},                                           \
        {"training/history/validation", NULL, 'd', NULL, "1"},                                     \
        {"training/history/learning_rate", NULL, 'd', NULL, "1"},                                  \
        {"training", "epochs", 'l', NULL, "1"}, {"training", "best_epoch", 'l', NULL, "1"},        \
        {"training", "batch_size", 'l', NULL, "32"}, {"/", "format", 's', NULL, "quell-model"},    \
        {"/", "format_version", 'l', NULL, "1"}, {"/", "quell_version", 's', NULL, "0"},           \
        {"/", "kind", 's', NULL, "autoencoder"}, {"/", "options", 's', NULL, options},             \
    {                                                                                              \
        "net/input/weight", NULL, 'f', "3 2", "1 2 3 4 5 6"                                        \
    }
#define HEAD(name)                                                                                 \
    {"net/" name "/weight", NULL, 'f', "3 2", "1 0 1 0 1 0"},                                      \
    {                                                                                              \
        "net/" name "/bias", NULL, 'f', NULL, "1 0 1"                                              \
    }

static const row model_nb[] = {
    MODEL("hidden=2"),
    {"net/center/bias", NULL, 'f', NULL, "1 0"},
    HEAD("mean"),
    {"net/log_theta", NULL, 'f', NULL, "1 1 1"},
    {NULL, NULL, 0, NULL, NULL},
};

static const row model_zinb[] = {
    MODEL("type=zinb-conddisp\nhidden=2,1\nlinear-latent=no"),
    {"net/enc0/bias", NULL, 'f', NULL, "1 0"},
    {"net/enc0/beta", NULL, 'f', NULL, "1 0"},
    {"net/enc0/moving_mean", NULL, 'f', NULL, "1 0"},
    {"net/enc0/moving_var", NULL, 'f', NULL, "1 0"},
    {"net/center/weight", NULL, 'f', "1 2", "1 0"},
    {"net/center/bias", NULL, 'f', NULL, "1"},
    {"net/center/beta", NULL, 'f', NULL, "1"},
    {"net/center/moving_mean", NULL, 'f', NULL, "1"},
    {"net/center/moving_var", NULL, 'f', NULL, "1"},
    {"net/mean/weight", NULL, 'f', "3 1", "1 0 1"},
    {"net/mean/bias", NULL, 'f', NULL, "1 0 1"},
    {"net/dispersion/weight", NULL, 'f', "3 1", "1 0 1"},
    {"net/dispersion/bias", NULL, 'f', NULL, "1 0 1"},
    {"net/dropout/weight", NULL, 'f', "3 1", "1 0 1"},
    {"net/dropout/bias", NULL, 'f', NULL, "1 0 1"},
    {NULL, NULL, 0, NULL, NULL},
};

enum { VARIANTS = 4 };

static const struct {
    const char *format;
    const row *rows[VARIANTS];
} layouts[] = {
    {"h5ad", {h5ad_csr, h5ad_csc, h5ad_dense, h5ad_raw}},
    {"h5ad-old", {h5ad_compound, h5ad_compound, h5ad_raw, h5ad_csr}},
    {"10x-h5", {tenx_v3, tenx_v3, tenx_v3, tenx_v2}},
    {"10x-h5-v2", {tenx_v2, tenx_v2_two, tenx_v2, tenx_v3}},
    {"loom", {loom, loom, loom, loom}},
    {"h5mu", {h5mu, h5mu, h5mu, h5ad_csr}},
    {"hdf5", {plain, plain, h5ad_dense, loom}},
    {"model", {model_nb, model_zinb, model_nb, h5ad_csr}},
};

/* ---- making ---- */

hid_t fz_h5_text_type(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, H5T_VARIABLE);
    H5Tset_cset(type, H5T_CSET_UTF8);
    return type;
}

hid_t fz_h5_link_plist(void)
{
    hid_t plist = H5Pcreate(H5P_LINK_CREATE);
    H5Pset_create_intermediate_group(plist, 1);
    return plist;
}

hid_t fz_h5_storage(int rank, const hsize_t *chunk, unsigned storage)
{
    static const hsize_t ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    if (!(storage & 1) || rank < 1 || chunk[0] == 0) return plist;
    H5Pset_chunk(plist, rank, storage & 32 ? ones : chunk);
    if (storage & 2) H5Pset_shuffle(plist);
    if (storage & 4) H5Pset_deflate(plist, 1);
    if (storage & 8) H5Pset_fletcher32(plist);
    if (storage & 16) H5Pset_filter(plist, 32000, H5Z_FLAG_OPTIONAL, 0, NULL);
    return plist;
}

void fz_h5_put_attribute(hid_t object, const char *name, hid_t type, int rank, const hsize_t *dim,
                         const void *values)
{
    if (H5Aexists(object, name) > 0) H5Adelete(object, name);
    hid_t space = rank ? H5Screate_simple(rank, dim, NULL) : H5Screate(H5S_SCALAR);
    hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (values && attribute >= 0) H5Awrite(attribute, type, values);
    if (attribute >= 0) H5Aclose(attribute);
    H5Sclose(space);
}

enum { MAX_VALUES = 32, MAX_TEXT = 16 };

/* The words of a text, as strings and as numbers; '~' is a space within a word. */
typedef struct {
    int n;
    char bytes[512];
    const char *text[MAX_VALUES];
    char fixed[MAX_VALUES][8];
    int64_t whole[MAX_VALUES];
    double real[MAX_VALUES];
} values;

static void split(const char *text, values *v)
{
    char *rest = NULL;
    memset(v, 0, sizeof *v);
    strncpy(v->bytes, text, sizeof v->bytes - 1);
    for (char *w = strtok_r(v->bytes, " ", &rest); w && v->n < MAX_VALUES;
         w = strtok_r(NULL, " ", &rest)) {
        size_t len = strlen(w);
        for (char *c = w; *c; c++)
            if (*c == '~') *c = ' ';
        v->text[v->n] = w;
        memcpy(v->fixed[v->n], w, len < 8 ? len : 8);
        v->whole[v->n] = strtoll(w, NULL, 10);
        v->real[v->n++] = strtod(w, NULL);
    }
}

static hid_t eight_bytes(void)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    H5Tset_size(type, 8);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    return type;
}

static hid_t compound_of_names(void)
{
    hid_t text = eight_bytes(), type = H5Tcreate(H5T_COMPOUND, 8);
    H5Tinsert(type, "index", 0, text);
    H5Tclose(text);
    return type;
}

/* Type in the file; *mem: type of what is at *from. Both are to be closed. */
static hid_t types_of(char kind, const values *v, hid_t *mem, const void **from)
{
    static const struct {
        char kind;
        int which;
    } numbers[] = {{'i', 0}, {'l', 1}, {'u', 2}, {'f', 3}, {'d', 4}, {'I', 5}};
    const hid_t file[] = {H5T_STD_I32LE,  H5T_STD_I64LE,  H5T_STD_U32LE,
                          H5T_IEEE_F32LE, H5T_IEEE_F64LE, H5T_STD_I8LE};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        if (numbers[i].kind != kind) continue;
        bool real = kind == 'f' || kind == 'd';
        *mem = H5Tcopy(real ? H5T_NATIVE_DOUBLE : H5T_NATIVE_INT64);
        *from = real ? (const void *)v->real : (const void *)v->whole;
        return H5Tcopy(file[numbers[i].which]);
    }
    hid_t type = kind == 's'   ? fz_h5_text_type()
                 : kind == 'S' ? eight_bytes()
                               : compound_of_names();
    *mem = H5Tcopy(type);
    *from = kind == 's' ? (const void *)v->text : (const void *)v->fixed;
    return type;
}

static int shape_of(const row *r, int n, hsize_t dim[2])
{
    dim[0] = (hsize_t)n;
    dim[1] = 1;
    if (!r->dim) return 1;
    char *end = NULL;
    dim[0] = strtoull(r->dim, &end, 10);
    if (*end) dim[1] = strtoull(end, NULL, 10);
    return *end ? 2 : 1;
}

static void put_dataset(hid_t file, const row *r, unsigned storage)
{
    values v;
    hsize_t dim[2];
    hid_t mem;
    const void *from;
    split(r->values, &v);
    hid_t type = types_of(r->kind, &v, &mem, &from);
    int rank = shape_of(r, v.n, dim);
    hid_t space = H5Screate_simple(rank, dim, NULL), links = fz_h5_link_plist(),
          plist = fz_h5_storage(rank, dim, storage);
    hid_t id = H5Dcreate2(file, r->path, type, space, links, plist, H5P_DEFAULT);
    if (id >= 0) {
        H5Dwrite(id, mem, H5S_ALL, H5S_ALL, H5P_DEFAULT, from);
        H5Dclose(id);
    }
    H5Pclose(plist);
    H5Pclose(links);
    H5Sclose(space);
    H5Tclose(mem);
    H5Tclose(type);
}

static void put_row_attribute(hid_t file, const row *r)
{
    values v;
    hsize_t dim[2];
    hid_t mem, object = H5Oopen(file, r->path, H5P_DEFAULT);
    const void *from;
    if (object < 0) return;
    split(r->values, &v);
    hid_t type = types_of(r->kind, &v, &mem, &from);
    int rank = r->dim ? 1 : 0;
    if (rank) dim[0] = (hsize_t)v.n;
    fz_h5_put_attribute(object, r->attribute, r->kind == 's' ? type : mem, rank, dim, from);
    H5Tclose(mem);
    H5Tclose(type);
    H5Oclose(object);
}

static void put_group(hid_t file, const row *r)
{
    hid_t links = fz_h5_link_plist();
    hid_t group = H5Gcreate2(file, r->path, links, H5P_DEFAULT, H5P_DEFAULT);
    if (group >= 0) H5Gclose(group);
    H5Pclose(links);
}

static const row *const *rows_of(const char *format)
{
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (strcmp(layouts[i].format, format) == 0) return layouts[i].rows;
    return NULL;
}

bool fz_h5_known(const char *format)
{
    return rows_of(format) != NULL;
}

void fz_h5_build(hid_t file, const char *format, unsigned variant, unsigned storage)
{
    const row *const *rows = rows_of(format);
    for (const row *r = rows[variant % VARIANTS]; r->path; r++) {
        if (r->attribute)
            put_row_attribute(file, r);
        else if (r->kind == 'g')
            put_group(file, r);
        else
            put_dataset(file, r, storage);
    }
}
