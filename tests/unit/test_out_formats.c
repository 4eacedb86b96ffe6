/* Every output format: what is in the files, that the readers take it back, that threads and
 * folders change no byte, and that nothing is left of a failure. */
#include "fixture_read.h"

#include <dirent.h>
#include <hdf5.h>
#include <math.h>

#include "quell/frame_table.h"
#include "quell/npy_writer.h"
#include "quell/out_format.h"

static const char *const cell_names[] = {"AAA-1", "caf\u00e9 \"2\"", "C,3", "D&#65;4"};
static const char *const gene_names[] = {"TP53", "MT-CO1", "\u03b2-actin"};

static void add_texts(ql_names *names, const char *const *texts, int n)
{
    for (int i = 0; i < n; i++)
        fx_assert_ok(ql_names_add(names, texts[i], strlen(texts[i]), &fx_err));
}

static void add_gene_column(ql_dataset *ds, const char *name, const char *const *texts)
{
    ql_names values = {0};
    add_texts(&values, texts, FX_GENES);
    fx_assert_ok(ql_frame_add(&ds->genes, name, QL_COL_STRING, &values, &fx_err));
    ql_names_free(&values);
}

static void add_cell_columns(ql_dataset *ds)
{
    static const char *const types[] = {"T", "", "B \"x\"", "T"};
    static const double depth[] = {1.0, 0.1, NAN, -1e300};
    static const float score[] = {1.0f, 0.1f, NAN, 3e38f};
    static const int64_t count[] = {0, -1, INT64_MAX, 4};
    static const uint8_t flag[] = {1, 0, 0, 1};
    ql_names values = {0};
    add_texts(&values, types, FX_CELLS);
    fx_assert_ok(ql_frame_add(&ds->cells, "type", QL_COL_STRING, &values, &fx_err));
    fx_assert_ok(ql_frame_add(&ds->cells, "depth", QL_COL_F64, depth, &fx_err));
    fx_assert_ok(ql_frame_add(&ds->cells, "score", QL_COL_F32, score, &fx_err));
    fx_assert_ok(ql_frame_add(&ds->cells, "a/b", QL_COL_I64, count, &fx_err));
    fx_assert_ok(ql_frame_add(&ds->cells, "flag", QL_COL_BOOL, flag, &fx_err));
    ql_names_free(&values);
}

/* The matrix of the reader tests; scale multiplies it. */
static ql_dataset small(float scale)
{
    static const char *const ids[] = {"ENSG1", "ENSG2", "ENSG\u00b5"};
    static const char *const kinds[] = {"Gene Expression", "Gene Expression", "Gene Expression"};
    ql_dataset ds = {.is_counts = scale == floorf(scale)};
    fx_assert_ok(ql_csr_alloc(&ds.counts, FX_CELLS, FX_GENES, FX_NNZ, &fx_err));
    int64_t k = 0;
    for (int i = 0; i < FX_CELLS; i++) {
        for (int j = 0; j < FX_GENES; j++) {
            if (fx_dense[i * FX_GENES + j] == 0) continue;
            ds.counts.indices[k] = j;
            ds.counts.data[k++] = scale * fx_dense[i * FX_GENES + j];
        }
        ds.counts.indptr[i + 1] = k;
    }
    add_texts(&ds.cells.index, cell_names, FX_CELLS);
    add_texts(&ds.genes.index, gene_names, FX_GENES);
    add_gene_column(&ds, "gene_ids", ids);
    add_gene_column(&ds, "feature_types", kinds);
    add_cell_columns(&ds);
    fx_assert_ok(ql_text_copy("elsewhere", &ds.path, &fx_err));
    fx_assert_ok(ql_text_copy("made", &ds.format, &fx_err));
    fx_assert_ok(ql_text_copy("X", &ds.matrix, &fx_err));
    return ds;
}

/* Larger: several chunks, bands, groups of items; every format has work for many threads. */
static ql_dataset large(int64_t n_cells, int64_t n_genes)
{
    ql_dataset ds = {.is_counts = true};
    char name[32];
    uint32_t x = 1;
    fx_assert_ok(ql_csr_alloc(&ds.counts, n_cells, n_genes, n_cells * n_genes, &fx_err));
    int64_t k = 0;
    for (int64_t i = 0; i < n_cells; i++) {
        for (int64_t j = 0; j < n_genes; j++) {
            x = x * 1664525u + 1013904223u;
            if (x >> 30) continue;
            ds.counts.indices[k] = (int32_t)j;
            ds.counts.data[k++] = (float)(1 + (x >> 12) % 17 * ((x >> 20) % 50));
        }
        ds.counts.indptr[i + 1] = k;
    }
    for (int64_t i = 0; i < n_cells + n_genes; i++) {
        int len = snprintf(name, sizeof name, "%s%d", i < n_cells ? "cell" : "gene", (int)i);
        ql_names *to = i < n_cells ? &ds.cells.index : &ds.genes.index;
        fx_assert_ok(ql_names_add(to, name, (size_t)len, &fx_err));
    }
    return ds;
}

static const ql_out_format *format_of(const char *name)
{
    const ql_out_format *f = NULL;
    fx_assert_ok(ql_out_format_find(name, "", &f, &fx_err));
    return f;
}

static ql_status write_as(const char *format, const char *path, const ql_dataset *ds,
                          ql_out_options opt)
{
    if (opt.threads == 0) opt.threads = 2;
    return format_of(format)->write(path, ds, &opt, NULL, &fx_err);
}

static void assert_names(const ql_names *found, const char *const *expected, int n)
{
    assert_int_equal(found->n, n);
    for (int i = 0; i < n; i++) assert_string_equal(ql_name(found, i), expected[i]);
}

static void write_and_read(const char *format, const char *name, float scale)
{
    ql_dataset ds = small(scale);
    float dense[FX_CELLS * FX_GENES];
    for (int i = 0; i < FX_CELLS * FX_GENES; i++) dense[i] = scale * fx_dense[i];
    fx_assert_ok(write_as(format, fx_path(name), &ds, (ql_out_options){.deflate = -1}));
    ql_dataset_free(&ds);
    fx_assert_ok(
        fx_read_with(fx_path(name), (ql_read_options){.columns = true, .allow_noncounts = true}));
    fx_assert_dense(&fx_ds.counts, dense, FX_CELLS, FX_GENES);
    assert_names(&fx_ds.cells.index, cell_names, FX_CELLS);
    assert_names(&fx_ds.genes.index, gene_names, FX_GENES);
}

/* ---- files whole ---- */

static char *slurp(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    assert_non_null(f);
    (void)fseek(f, 0, SEEK_END);
    *size = (size_t)ftell(f);
    rewind(f);
    char *bytes = malloc(*size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, *size, f), *size);
    bytes[*size] = '\0';
    (void)fclose(f);
    return bytes;
}

static void assert_file(const char *name, const char *text)
{
    size_t size = 0;
    char *found = slurp(fx_path(name), &size);
    assert_string_equal(found, text);
    assert_int_equal(size, strlen(text));
    free(found);
}

static void assert_gzip_file(const char *name, const char *text)
{
    static char found[4096];
    gzFile f = gzopen(fx_path(name), "rb");
    assert_non_null(f);
    int n = gzread(f, found, sizeof found - 1);
    assert_in_range(n, 0, sizeof found - 1);
    found[n] = '\0';
    assert_int_equal(gzclose(f), Z_OK);
    assert_string_equal(found, text);
}

static void assert_same_file(const char *a, const char *b)
{
    size_t na = 0, nb = 0;
    char *x = slurp(a, &na), *y = slurp(b, &nb);
    assert_int_equal(na, nb);
    assert_memory_equal(x, y, na);
    free(x);
    free(y);
}

/* Names in the scratch folder's subfolder, "." and ".." aside; -1: none of that name. */
static int count_files(const char *name)
{
    int n = 0;
    DIR *d = opendir(fx_path(name));
    if (!d) return -1;
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(d);
    return n;
}

/* ---- h5ad, 10x ---- */

static void h5ad_keeps_names_and_columns(void **state)
{
    (void)state;
    write_and_read("h5ad", "all.h5ad", 1);
    const ql_frame *cells = &fx_ds.cells;
    assert_int_equal(cells->n_columns, 5);
    assert_string_equal(ql_name(&ql_frame_column(cells, "type")->strings, 2), "B \"x\"");
    const double *depth = ql_frame_column(cells, "depth")->values;
    assert_true(depth[1] == 0.1 && isnan(depth[2]) && depth[3] == -1e300);
    assert_int_equal(ql_frame_column(cells, "score")->type, QL_COL_F32);
    assert_true(((int64_t *)ql_frame_column(cells, "a_b")->values)[2] == INT64_MAX);
    assert_int_equal(ql_frame_column(cells, "flag")->type, QL_COL_BOOL);
    assert_int_equal(((uint8_t *)ql_frame_column(cells, "flag")->values)[3], 1);
    assert_non_null(ql_frame_column(&fx_ds.genes, "gene_ids"));
    assert_int_equal(fx_ds.others.n, 0);
}

static void columns_are_read_only_when_asked_for(void **state)
{
    (void)state;
    write_and_read("h5ad", "lean.h5ad", 1);
    fx_assert_ok(fx_read(fx_path("lean.h5ad")));
    assert_int_equal(fx_ds.cells.n_columns, 0);
    assert_int_equal(fx_ds.others.n, 0);
}

static void hdf5_of_10x(void **state)
{
    static const char *const ids[] = {"ENSG1", "ENSG2", "ENSG\u00b5"};
    static const char *const genome[] = {"unknown", "unknown", "unknown"};
    (void)state;
    write_and_read("10x-h5", "all.h5", 1);
    assert_string_equal(fx_ds.format, "10x-h5");
    assert_names(&ql_frame_column(&fx_ds.genes, "gene_ids")->strings, ids, FX_GENES);
    assert_names(&ql_frame_column(&fx_ds.genes, "genome")->strings, genome, FX_GENES);
    write_and_read("10x-h5", "half.h5", 0.5f);
}

static H5T_class_t class_of(const char *name, const char *path, size_t *size)
{
    hid_t file = H5Fopen(fx_path(name), H5F_ACC_RDONLY, H5P_DEFAULT);
    hid_t set = H5Dopen2(file, path, H5P_DEFAULT), type = H5Dget_type(set);
    H5T_class_t found = H5Tget_class(type);
    *size = H5Tget_size(type);
    H5Tclose(type);
    H5Dclose(set);
    H5Fclose(file);
    return found;
}

static void whole_counts_are_stored_as_integers(void **state)
{
    size_t size = 0;
    (void)state;
    write_and_read("10x-h5", "int.h5", 1);
    assert_int_equal(class_of("int.h5", "matrix/data", &size), H5T_INTEGER);
    assert_int_equal(size, 4);
    write_and_read("10x-h5", "real.h5", 0.5f);
    assert_int_equal(class_of("real.h5", "matrix/data", &size), H5T_FLOAT);
}

static void folder_of_10x(void **state)
{
    (void)state;
    ql_dataset ds = small(1);
    fx_assert_ok(write_as("10x-mtx", fx_path("mtx"), &ds, (ql_out_options){.deflate = -1}));
    ql_dataset_free(&ds);
    assert_int_equal(count_files("mtx"), 3);
    assert_gzip_file("mtx/matrix.mtx.gz", "%%MatrixMarket matrix coordinate integer general\n"
                                          "3 4 5\n1 1 2\n3 1 1\n2 2 5\n1 4 7\n3 4 1\n");
    assert_gzip_file("mtx/barcodes.tsv.gz", "AAA-1\ncaf\u00e9 \"2\"\nC,3\nD&#65;4\n");
    assert_gzip_file("mtx/features.tsv.gz", "ENSG1\tTP53\tGene Expression\n"
                                            "ENSG2\tMT-CO1\tGene Expression\n"
                                            "ENSG\u00b5\t\u03b2-actin\tGene Expression\n");
    write_and_read("10x-mtx", "again", 1);
    write_and_read("10x-mtx", "halves/", 0.5f);
}

static void replacing_a_folder(void **state)
{
    const ql_out_format *f = format_of("10x-mtx");
    ql_dataset ds = small(1);
    (void)state;
    fx_mkdir("empty");
    fx_assert_ok(write_as("10x-mtx", fx_path("empty"), &ds, (ql_out_options){.deflate = -1}));
    assert_int_equal(write_as("10x-mtx", fx_path("empty"), &ds, (ql_out_options){.deflate = -1}),
                     QL_ECREATE);
    fx_assert_text(fx_err.hint, "--force");
    const ql_out_options force = {.force = true, .deflate = 9};
    fx_assert_ok(write_as("10x-mtx", fx_path("empty"), &ds, force));
    assert_int_equal(count_files("empty"), 3);
    fx_text("empty/mine", "x");
    assert_int_equal(write_as("10x-mtx", fx_path("empty"), &ds, force), QL_ECREATE);
    fx_assert_text(fx_err.msg, "other files (mine)");
    assert_int_equal(count_files("empty"), 4);
    fx_text("plain", "x");
    assert_int_equal(write_as("10x-mtx", fx_path("plain"), &ds, force), QL_ECREATE);
    assert_int_equal(f->check(fx_path("empty"), fx_path("empty/matrix.mtx.gz"), true, &fx_err),
                     QL_EUSAGE);
    assert_int_equal(f->check("..", NULL, true, &fx_err), QL_EUSAGE);
    ql_dataset_free(&ds);
}

/* ---- loom ---- */

static void loom_has_all_groups(void **state)
{
    static const char *const parts[] = {"attrs/LOOM_SPEC_VERSION",
                                        "row_attrs/Gene",
                                        "row_attrs/gene_ids",
                                        "col_attrs/CellID",
                                        "col_attrs/type",
                                        "col_attrs/a_b",
                                        "col_attrs/flag",
                                        "layers",
                                        "row_graphs",
                                        "col_graphs"};
    int32_t found[FX_GENES * FX_CELLS];
    ql_dataset ds = small(1);
    (void)state;
    fx_assert_ok(write_as("loom", fx_path("all.loom"), &ds, (ql_out_options){.deflate = -1}));
    ql_dataset_free(&ds);
    hid_t file = H5Fopen(fx_path("all.loom"), H5F_ACC_RDONLY, H5P_DEFAULT);
    assert_true(file >= 0);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        assert_true(H5Oexists_by_name(file, parts[i], H5P_DEFAULT) > 0);
    hid_t set = H5Dopen2(file, "matrix", H5P_DEFAULT);
    assert_true(H5Dread(set, H5T_NATIVE_INT32, H5S_ALL, H5S_ALL, H5P_DEFAULT, found) >= 0);
    for (int i = 0; i < FX_CELLS; i++)
        for (int j = 0; j < FX_GENES; j++)
            assert_int_equal(found[j * FX_CELLS + i], (int)fx_dense[i * FX_GENES + j]);
    H5Dclose(set);
    H5Fclose(file);
}

/* ---- text and arrays ---- */

static void tables(void **state)
{
    ql_dataset ds = small(1), halves = small(0.5f);
    const ql_out_options cells = {.rows = QL_ORIENT_CELLS_X_GENES};
    (void)state;
    fx_assert_ok(write_as("csv", fx_path("t.csv"), &ds, (ql_out_options){0}));
    assert_file("t.csv", ",AAA-1,\"caf\u00e9 \"\"2\"\"\",\"C,3\",D&#65;4\n"
                         "TP53,2,0,0,7\nMT-CO1,0,5,0,0\n\u03b2-actin,1,0,0,1\n");
    fx_assert_ok(write_as("tsv", fx_path("t.tsv"), &halves, cells));
    assert_file("t.tsv",
                "\tTP53\tMT-CO1\t\u03b2-actin\nAAA-1\t1\t0\t0.5\n"
                "\"caf\u00e9 \"\"2\"\"\"\t0\t2.5\t0\nC,3\t0\t0\t0\nD&#65;4\t3.5\t0\t0.5\n");
    fx_assert_ok(write_as("tsv", fx_path("t.tsv.gz"), &ds, (ql_out_options){.deflate = -1}));
    assert_gzip_file("t.tsv.gz",
                     "\tAAA-1\t\"caf\u00e9 \"\"2\"\"\"\tC,3\tD&#65;4\n"
                     "TP53\t2\t0\t0\t7\nMT-CO1\t0\t5\t0\t0\n\u03b2-actin\t1\t0\t0\t1\n");
    ql_dataset_free(&ds);
    ql_dataset_free(&halves);
}

static void annotation_as_a_table(void **state)
{
    ql_dataset ds = small(1);
    const ql_frame_table_options opt = {.threads = 2};
    (void)state;
    fx_assert_ok(ql_frame_table_write(fx_path("obs.csv"), &ds.cells, &opt, &fx_err));
    assert_file("obs.csv", ",type,depth,score,a/b,flag\n"
                           "AAA-1,T,1.0,1.0,0,True\n"
                           "\"caf\u00e9 \"\"2\"\"\",,0.1,0.1,-1,False\n"
                           "\"C,3\",\"B \"\"x\"\"\",,,9223372036854775807,False\n"
                           "D&#65;4,T,-1e+300,3e+38,4,True\n");
    fx_assert_ok(ql_frame_table_write(fx_path("var.tsv.gz"), &ds.genes, &opt, &fx_err));
    assert_gzip_file("var.tsv.gz", "\tgene_ids\tfeature_types\nTP53\tENSG1\tGene Expression\n"
                                   "MT-CO1\tENSG2\tGene Expression\n"
                                   "\u03b2-actin\tENSG\u00b5\tGene Expression\n");
    assert_int_equal(ql_frame_table_write(fx_path("obs.csv"), &ds.cells, &opt, &fx_err),
                     QL_ECREATE);
    ql_dataset_free(&ds);
}

static void assert_npy(const char *name, const char *shape, bool turned)
{
    size_t size = 0;
    char *bytes = slurp(fx_path(name), &size);
    float values[FX_CELLS * FX_GENES];
    assert_int_equal(size, 128 + sizeof values);
    assert_memory_equal(bytes, "\x93NUMPY\x01\x00\x76\x00", 10);
    fx_assert_text(bytes + 10, shape);
    assert_int_equal(bytes[127], '\n');
    memcpy(values, bytes + 128, sizeof values);
    for (int i = 0; i < FX_CELLS; i++)
        for (int j = 0; j < FX_GENES; j++)
            assert_true(values[turned ? j * FX_CELLS + i : i * FX_GENES + j] ==
                        fx_dense[i * FX_GENES + j]);
    free(bytes);
}

static void npy_with_its_names(void **state)
{
    ql_dataset ds = small(1);
    (void)state;
    fx_assert_ok(write_as("npy", fx_path("x.npy"), &ds, (ql_out_options){0}));
    assert_npy("x.npy", "'shape': (4, 3)", false);
    assert_file("x.genes.txt", "TP53\nMT-CO1\n\u03b2-actin\n");
    assert_file("x.cells.txt", "AAA-1\ncaf\u00e9 \"2\"\nC,3\nD&#65;4\n");
    const ql_out_options genes = {.rows = QL_ORIENT_GENES_X_CELLS};
    fx_assert_ok(write_as("npy", fx_path("y.npy"), &ds, genes));
    assert_npy("y.npy", "'shape': (3, 4)", true);
    assert_int_equal(remove(fx_path("x.npy")), 0); /* its names are still in the way */
    assert_int_equal(write_as("npy", fx_path("x.npy"), &ds, genes), QL_ECREATE);
    fx_assert_text(fx_err.msg, "x.cells.txt");
    ql_dataset_free(&ds);
}

static void an_array_needs_all_its_rows(void **state)
{
    ql_dataset ds = small(1);
    const ql_npy_spec spec = {.cells = &ds.cells.index, .genes = &ds.genes.index};
    ql_npy *w = NULL;
    (void)state;
    fx_mkdir("npy");
    fx_assert_ok(ql_npy_begin(fx_path("npy/short.npy"), &spec, &w, &fx_err));
    fx_assert_ok(ql_npy_rows(w, fx_dense, 3, &fx_err));
    assert_int_equal(ql_npy_rows(w, fx_dense, 2, &fx_err), QL_EINTERNAL);
    assert_int_equal(ql_npy_commit(w, &fx_err), QL_EINTERNAL);
    assert_int_equal(count_files("npy"), 0);
    ql_dataset_free(&ds);
}

/* ---- all of them ---- */

static const struct {
    const char *format, *name, *files[3];
} outputs[] = {
    {"h5ad", "a.h5ad", {"a.h5ad"}},
    {"10x-h5", "a.h5", {"a.h5"}},
    {"10x-mtx", "mtx", {"mtx/matrix.mtx.gz", "mtx/features.tsv.gz", "mtx/barcodes.tsv.gz"}},
    {"loom", "a.loom", {"a.loom"}},
    {"csv", "a.csv.gz", {"a.csv.gz"}},
    {"tsv", "a.tsv", {"a.tsv"}},
    {"npy", "a.npy", {"a.npy", "a.cells.txt", "a.genes.txt"}},
};
enum { N_OUTPUTS = sizeof outputs / sizeof *outputs };

static void every_format_is_tested(void **state)
{
    int n = 0;
    (void)state;
    while (ql_out_formats[n]) n++;
    assert_int_equal(n, N_OUTPUTS);
    for (int i = 0; i < n; i++) assert_string_equal(outputs[i].format, ql_out_formats[i]->name);
}

static void threads_and_folders_change_no_byte(void **state)
{
    static const int threads[] = {1, 2, 3, 7};
    ql_dataset ds = large(700, 1500);
    char name[64], first[64];
    (void)state;
    for (int t = 0; t < 4; t++) {
        snprintf(name, sizeof name, "run%d", threads[t]);
        fx_mkdir(name);
        for (int i = 0; i < N_OUTPUTS; i++) {
            snprintf(name, sizeof name, "run%d/%s", threads[t], outputs[i].name);
            fx_assert_ok(write_as(outputs[i].format, fx_path(name), &ds,
                                  (ql_out_options){.deflate = -1, .threads = threads[t]}));
            for (int f = 0; t > 0 && f < 3 && outputs[i].files[f]; f++) {
                snprintf(first, sizeof first, "run1/%s", outputs[i].files[f]);
                snprintf(name, sizeof name, "run%d/%s", threads[t], outputs[i].files[f]);
                assert_same_file(fx_path(first), fx_path(name));
            }
        }
    }
    ql_dataset_free(&ds);
}

/* Compressed text of more than one round of members. */
static void long_text(void **state)
{
    ql_dataset ds = large(3000, 4500);
    (void)state;
    fx_assert_ok(write_as("10x-mtx", fx_path("long"), &ds, (ql_out_options){.deflate = 1}));
    fx_assert_ok(fx_read(fx_path("long")));
    assert_int_equal(ql_csr_nnz(&fx_ds.counts), ql_csr_nnz(&ds.counts));
    int64_t nnz = ql_csr_nnz(&ds.counts);
    assert_memory_equal(fx_ds.counts.data, ds.counts.data, (size_t)nnz * sizeof(float));
    assert_memory_equal(fx_ds.counts.indices, ds.counts.indices, (size_t)nnz * sizeof(int32_t));
    ql_dataset_free(&ds);
}

typedef struct {
    const ql_dataset *ds;
    const char *format;
    char path[64];
} writing;

/* A file, if it was written; nothing otherwise. */
static ql_status write_one(void *ctx, ql_err *err)
{
    const writing *w = ctx;
    char command[600];
    ql_status st = write_as(w->format, fx_path(w->path), w->ds, (ql_out_options){0});
    *err = fx_err;
    if (st != QL_OK) assert_int_equal(count_files("none"), 0);
    snprintf(command, sizeof command, "rm -rf '%s'/*", fx_path("none"));
    if (st == QL_OK) assert_int_equal(system(command), 0);
    return st;
}

static void a_failed_allocation_leaves_nothing(void **state)
{
    ql_dataset ds = small(1);
    (void)state;
    fx_mkdir("none");
    for (int i = 0; i < N_OUTPUTS; i++) {
        writing w = {.ds = &ds, .format = outputs[i].format};
        snprintf(w.path, sizeof w.path, "none/%s", outputs[i].name);
        assert_true(fail_each_allocation(NULL, write_one, &w) > 0);
    }
    ql_dataset_free(&ds);
}

/* ---- choosing, losing ---- */

static void names_say_the_format(void **state)
{
    static const struct {
        const char *path, *format;
    } cases[] = {{"a.h5ad", "h5ad"},  {"x/b.h5", "10x-h5"}, {"c.loom", "loom"}, {"d.csv.gz", "csv"},
                 {"d.v1.csv", "csv"}, {"e.tsv", "tsv"},     {"f.npy", "npy"}};
    const ql_out_format *f = NULL;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fx_assert_ok(ql_out_format_find(NULL, cases[i].path, &f, &fx_err));
        assert_string_equal(f->name, cases[i].format);
    }
    assert_int_equal(ql_out_format_find(NULL, "folder", &f, &fx_err), QL_EUSAGE);
    fx_assert_text(fx_err.hint, "10x-mtx");
    assert_int_equal(ql_out_format_find(NULL, ".h5", &f, &fx_err), QL_EUSAGE);
    assert_int_equal(ql_out_format_find("xlsx", "a.h5ad", &f, &fx_err), QL_EUSAGE);
    fx_assert_text(fx_err.msg, "10x-h5");
}

static void losses_are_listed(void **state)
{
    ql_dataset ds = small(1);
    ql_notes notes = {0};
    (void)state;
    fx_assert_ok(ql_names_add(&ds.others, "obsm/X_pca", 10, &fx_err));
    fx_assert_ok(ql_out_format_losses(format_of("10x-h5"), &ds, &notes, &fx_err));
    assert_int_equal(notes.n, 1);
    assert_string_equal(notes.items[0].text, "the format 10x-h5 has no place for: obs/type, "
                                             "obs/depth, obs/score, obs/a/b, obs/flag, obsm/X_pca");
    fx_assert_ok(ql_out_format_losses(format_of("loom"), &ds, &notes, &fx_err));
    assert_string_equal(notes.items[1].text, "the format loom has no place for: obsm/X_pca");
    ds.others.n = 0;
    fx_assert_ok(ql_out_format_losses(format_of("h5ad"), &ds, &notes, &fx_err));
    assert_int_equal(notes.n, 2);
    ql_notes_free(&notes);
    ql_dataset_free(&ds);
}

static int teardown(void **state)
{
    fx_release();
    return fx_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(h5ad_keeps_names_and_columns),
        cmocka_unit_test(columns_are_read_only_when_asked_for),
        cmocka_unit_test(hdf5_of_10x),
        cmocka_unit_test(whole_counts_are_stored_as_integers),
        cmocka_unit_test(folder_of_10x),
        cmocka_unit_test(replacing_a_folder),
        cmocka_unit_test(loom_has_all_groups),
        cmocka_unit_test(tables),
        cmocka_unit_test(annotation_as_a_table),
        cmocka_unit_test(npy_with_its_names),
        cmocka_unit_test(an_array_needs_all_its_rows),
        cmocka_unit_test(every_format_is_tested),
        cmocka_unit_test(threads_and_folders_change_no_byte),
        cmocka_unit_test(long_text),
        cmocka_unit_test(a_failed_allocation_leaves_nothing),
        cmocka_unit_test(names_say_the_format),
        cmocka_unit_test(losses_are_listed),
    };
    return cmocka_run_group_tests(tests, fx_setup, teardown);
}
