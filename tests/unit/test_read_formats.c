/* 10x HDF5 of both generations, refusals of what is not read, and the real files of the shared data
 * where they are there. */
#include "../../src/io/hdf5/lzf.h"
#include "../../src/io/text/xml_text.h"
#include "fixture_h5.h"

static void test_10x_v3(void **state)
{
    static const float genes_only[] = {2, 0, 0, 5, 0, 0, 7, 0};
    (void)state;
    H5Fclose(fx_h5_10x("a.h5"));
    fx_assert_ok(fx_read(fx_path("a.h5")));
    fx_assert_dense(&fx_ds.counts, genes_only, FX_CELLS, 2);
    assert_string_equal(fx_ds.format, "10x-h5");
    assert_true(fx_has_note("dropped 1 Antibody Capture"));
    assert_string_equal(ql_name(&ql_frame_column(&fx_ds.genes, "gene_ids")->strings, 1), "ENSG2");
    assert_string_equal(ql_name(&ql_frame_column(&fx_ds.genes, "genome")->strings, 0), "GRCh38");
    fx_assert_ok(fx_read_with(fx_path("a.h5"), (ql_read_options){.feature_type = "all"}));
    fx_assert_dense(&fx_ds.counts, fx_dense, FX_CELLS, FX_GENES);
    fx_assert_ok(
        fx_read_with(fx_path("a.h5"), (ql_read_options){.feature_type = "Antibody Capture"}));
    assert_int_equal(fx_ds.counts.n_cols, 1);
}

static void test_10x_errors(void **state)
{
    static const char *const antibodies[] = {"Antibody Capture", "Antibody Capture", "Peaks"};
    (void)state;
    hid_t file = fx_h5_10x("b.h5");
    fx_h5_strings(file, "matrix/features/feature_type", FX_GENES, antibodies);
    H5Fclose(file);
    const char *path = fx_path("b.h5");
    fx_assert_error(fx_read(path), QL_EDATA, path,
                    "Gene Expression (it has: 2 Antibody Capture, 1 Peaks)");
    file = fx_h5_10x("b.h5");
    fx_h5_strings(file, "matrix/barcodes", 3, fx_cells);
    H5Fclose(file);
    fx_assert_error(fx_read(path), QL_EDATA, path, "3 features and 3 barcodes");
    static const struct {
        int64_t shape[3];
        int n;
        const char *part;
    } shapes[] = {{{FX_GENES, FX_CELLS, 1}, 3, "/matrix/shape: has 3 numbers, 2 expected"},
                  {{FX_GENES}, 1, "/matrix/shape: has 1 numbers, 2 expected"},
                  {{-FX_GENES, FX_CELLS}, 2, "is -3 x 4, which is no shape"},
                  {{FX_GENES, -FX_CELLS}, 2, "is 3 x -4, which is no shape"},
                  {{INT64_C(1) << 31, FX_CELLS}, 2, "is 2147483648 x 4, which is no shape"},
                  {{FX_GENES, INT64_C(1) << 31}, 2, "is 3 x 2147483648, which is no shape"}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        file = fx_h5_10x("b.h5");
        fx_h5_ints(file, "matrix/shape", H5T_STD_I64LE, shapes[i].n, shapes[i].shape);
        H5Fclose(file);
        fx_assert_error(fx_read(path), QL_EDATA, path, shapes[i].part);
    }
    H5Fclose(fx_h5_10x("b.h5"));
    fx_assert_error(fx_read_with(path, (ql_read_options){.genome = "mm10"}), QL_EDATA, path,
                    "it has: 2 GRCh38");
}

static void test_10x_xml_names(void **state)
{
    static const char *const names[] = {"a&#945;", "b&#x3B2;&#;", "&amp;"};
    (void)state;
    hid_t file = fx_h5_10x("x.h5");
    fx_h5_strings(file, "matrix/features/name", FX_GENES, names);
    fx_h5_delete(file, "matrix/features/feature_type");
    H5Fclose(file);
    fx_assert_ok(fx_read(fx_path("x.h5")));
    assert_string_equal(ql_name(&fx_ds.genes.index, 0), "a\xCE\xB1");
    assert_string_equal(ql_name(&fx_ds.genes.index, 1), "b\xCE\xB2&#;");
    assert_string_equal(ql_name(&fx_ds.genes.index, 2), "&amp;");
}

/* What is no character stays as it is: too long, behind the last one, a half of a pair, a control.
 */
static void test_character_references(void **state)
{
    static const struct {
        const char *written, *decoded; /* NULL: the same */
    } cases[] = {{"&#0000065;", "A"},
                 {"&#00000065;", NULL},
                 {"&#32;", " "},
                 {"&#31;", NULL},
                 {"&#x7f;", "\x7f"},
                 {"&#x80;", "\xC2\x80"},
                 {"&#x7FF;", "\xDF\xBF"},
                 {"&#x800;", "\xE0\xA0\x80"},
                 {"&#xD7FF;", "\xED\x9F\xBF"},
                 {"&#xD800;", NULL},
                 {"&#xDFFF;", NULL},
                 {"&#xE000;", "\xEE\x80\x80"},
                 {"&#x10000;", "\xF0\x90\x80\x80"},
                 {"&#1114111;", "\xF4\x8F\xBF\xBF"},
                 {"&#1114112;", NULL}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ql_names names = {0};
        fx_assert_ok(ql_names_add(&names, cases[i].written, strlen(cases[i].written), &fx_err));
        fx_assert_ok(ql_xml_decode_names(&names, &fx_err));
        assert_string_equal(ql_name(&names, 0),
                            cases[i].decoded ? cases[i].decoded : cases[i].written);
        ql_names_free(&names);
    }
}

static void add_v2_genome(hid_t file, const char *group)
{
    static const int64_t shape[2] = {FX_GENES, FX_CELLS};
    static const char *const ids[] = {"ENSG1", "ENSG2", "ENSG3"};
    fx_h5_group(file, group);
    fx_h5_ints(file, fx_in(group, "shape"), H5T_STD_I64LE, 2, shape);
    fx_h5_counts(file, group, H5T_STD_I64LE, H5T_STD_I64LE);
    fx_h5_strings(file, fx_in(group, "barcodes"), FX_CELLS, fx_cells);
    fx_h5_strings(file, fx_in(group, "genes"), FX_GENES, ids);
    fx_h5_strings(file, fx_in(group, "gene_names"), FX_GENES, fx_genes);
}

static void test_10x_v2(void **state)
{
    (void)state;
    hid_t file = fx_h5_create("v2.h5");
    fx_h5_group(file, "droplet_latents");
    add_v2_genome(file, "hg19");
    H5Fclose(file);
    fx_assert_ok(fx_read(fx_path("v2.h5")));
    fx_assert_dense(&fx_ds.counts, fx_dense, FX_CELLS, FX_GENES);
    assert_string_equal(fx_ds.matrix, "hg19");
    file = fx_h5_edit("v2.h5");
    add_v2_genome(file, "mm10");
    H5Fclose(file);
    fx_assert_ok(fx_read_with(fx_path("v2.h5"), (ql_read_options){.genome = "mm10"}));
    assert_string_equal(fx_ds.matrix, "mm10");
    fx_assert_dense(&fx_ds.counts, fx_dense, FX_CELLS, FX_GENES);
    const char *path = fx_path("v2.h5");
    fx_assert_error(fx_read_with(path, (ql_read_options){.genome = "rn6"}), QL_EDATA, path,
                    "has no genome \"rn6\" (it has: hg19, mm10)");
}

static void test_most_genomes(void **state)
{
    enum { MOST = 64 };
    char name[16];
    (void)state;
    hid_t file = fx_h5_create("many.h5");
    for (int i = 0; i <= MOST; i++) {
        (void)snprintf(name, sizeof name, "g%d", i);
        add_v2_genome(file, name);
    }
    H5Fclose(file);
    const char *path = fx_path("many.h5");
    fx_assert_error(fx_read(path), QL_EDATA, path, "has 65 genomes, more than 64");
    file = fx_h5_edit("many.h5");
    fx_h5_delete(file, name);
    H5Fclose(file);
    fx_assert_ok(fx_read(fx_path("many.h5")));
    assert_int_equal(fx_ds.counts.n_cols, MOST * FX_GENES);
}

/* --- refusals --- */

static void test_refusals(void **state)
{
    static const struct {
        const char *name;
        const char *bytes;
        size_t n;
        const char *part;
    } cases[] = {
        {"e", "", 0, "is empty"},
        {"zip", "PK\3\4....", 8, "zip"},
        {"bz2", "BZh9....", 8, "bzip2"},
        {"xz",
         "\xFD"
         "7zXZ\0..",
         8, "xz"},
        {"zst", "\x28\xB5\x2F\xFD....", 8, "zstd"},
        {"rdata", "RDX3\nX\n..", 9, "R data file"},
        {"rds", "X\n\0\0\0\3..", 8, "R object"},
        {"txt", "dna\nrna\n", 8, "is text, but no table"},
        {"html", "<html>\n<a b>\n", 13, "web page"},
        {"json", "{\"a\": 1,\n2}", 11, "JSON"},
        {"sam", "@HD\tVN:1\n@SQ\t1\n", 15, "reads"},
        {"frag", "# x\nchr1\t5\t9\tACGT-1\t2\n", 22, "ATAC fragments"},
        {"utf16", "\xFF\xFEg\0,\0", 6, "UTF-16"},
        {"xlsx", "PK\3\4..........................[Content_Types].xml", 49, "Excel"},
        {"nul", "\0\0\0\0", 4, "no known format"},
        {"bin", "\0\1\2\3\4\5\6\7", 8, "no known format"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fx_bytes(cases[i].name, cases[i].bytes, cases[i].n);
        const char *path = fx_path(cases[i].name);
        fx_assert_error(fx_read(path), QL_EDATA, path, cases[i].part);
    }
    fx_gzip("rds.gz", "X\n123");
    fx_assert_error(fx_read(fx_path("rds.gz")), QL_EDATA, fx_path("rds.gz"), "R object");
}

static void test_refused_hdf5(void **state)
{
    static const struct {
        const char *group[2];
        const char *part;
    } cases[] = {{{"mod", "obs"}, "is an h5mu file without modalities"},
                 {{"posterior_noise_log_prob", "metadata"}, "posterior of CellBender"},
                 {{"barcode_idx", "count"}, "molecule_info"},
                 {{"assays", "meta.data"}, "h5Seurat"},
                 {{"something", "other"}, "its root holds other, something"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hid_t file = fx_h5_create("r.h5");
        fx_h5_group(file, cases[i].group[0]);
        fx_h5_group(file, cases[i].group[1]);
        H5Fclose(file);
        const char *path = fx_path("r.h5");
        fx_assert_error(fx_read(path), QL_EDATA, path, cases[i].part);
    }
}

static void test_not_there(void **state)
{
    (void)state;
    const char *path = fx_path("nothing");
    fx_assert_error(fx_read(path), QL_ENOINPUT, path, "No such file");
    assert_int_equal(symlink("/nonexistent/x", fx_path("dangling")), 0);
    path = fx_path("dangling");
    fx_assert_error(fx_read(path), QL_ENOINPUT, path, "is a link to /nonexistent/x");
    fx_mkdir("folder.h5ad");
    path = fx_path("folder.h5ad");
    fx_assert_error(fx_read(path), QL_EDATA, path, "is a folder without a count matrix");
    fx_mkdir("store.zarr");
    fx_text("store.zarr/.zgroup", "{}");
    path = fx_path("store.zarr");
    fx_assert_error(fx_read(path), QL_EDATA, path, "zarr");
}

static void test_registry(void **state)
{
    (void)state;
    for (const ql_format *const *f = ql_formats; *f; f++) {
        assert_true((*f)->name && (*f)->summary && (*f)->sniff && (*f)->read);
        for (const ql_format *const *g = ql_formats; g < f; g++)
            assert_string_not_equal((*f)->name, (*g)->name);
    }
    H5Fclose(fx_h5_10x("f.h5"));
    const ql_format *format = NULL;
    ql_read_options opt = {.format = "nonsense"};
    assert_int_equal(ql_format_detect(fx_path("f.h5"), &opt, &format, &fx_err), QL_EUSAGE);
    opt.format = "h5ad";
    assert_int_equal(fx_read_with(fx_path("f.h5"), opt), QL_EDATA);
}

static void test_lzf(void **state)
{
    static const unsigned char in[] = {2, 'a', 'b', 'c', 0xE0, 1, 2, 0, 'z'};
    unsigned char out[32];
    (void)state;
    /* "abc", then 7 + 1 + 2 = 10 bytes from 3 back, then "z" */
    assert_int_equal(ql_lzf_decode(in, sizeof in, out, sizeof out), 14);
    assert_memory_equal(out, "abcabcabcabcaz", 14);
    assert_int_equal(ql_lzf_decode(in, sizeof in, out, 13), 0);
    for (size_t n = 1; n < sizeof in; n++) assert_true(ql_lzf_decode(in, n, out, sizeof out) < 14);
    assert_int_equal(ql_lzf_decode((const unsigned char[]){0x20, 5}, 2, out, sizeof out), 0);
}

/* --- real files --- */

static void check_row(const char *folder, char *line)
{
    char *field[7], path[1024];
    double sum, max;
    for (int i = 0; i < 7; i++) {
        field[i] = line;
        line = strchr(line, '\t');
        assert_non_null(line);
        *line++ = '\0';
    }
    (void)snprintf(path, sizeof path, "%s/%s", folder, field[0]);
    if (strcmp(field[2], "0") == 0) {
        assert_int_equal(fx_read(path), QL_EDATA);
        return;
    }
    ql_read_options opt = {.use_x = strcmp(field[1], "X") == 0,
                           .use_raw = strcmp(field[1], "raw/X") == 0};
    if (strncmp(field[1], "layers/", 7) == 0) opt.layer = field[1] + 7;
    fx_assert_ok(fx_read_with(path, opt));
    fx_assert_sound(&fx_ds.counts);
    fx_sums(&fx_ds.counts, &sum, &max);
    assert_int_equal(fx_ds.counts.n_rows, strtoll(field[2], NULL, 10));
    assert_int_equal(fx_ds.counts.n_cols, strtoll(field[3], NULL, 10));
    assert_int_equal(ql_csr_nnz(&fx_ds.counts), strtoll(field[4], NULL, 10));
    assert_true(sum == strtod(field[5], NULL));
    assert_true(max == strtod(field[6], NULL));
}

static int check_table(const char *folder)
{
    char line[1024], path[1024];
    int n = 0;
    (void)snprintf(path, sizeof path, "%s/expected.tsv", folder);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_non_null(fgets(line, sizeof line, f));
    while (fgets(line, sizeof line, f)) {
        check_row(folder, line);
        n++;
    }
    (void)fclose(f);
    return n;
}

static void test_shared_expected(void **state)
{
    char folder[512];
    const char *shared = fx_shared();
    (void)state;
    if (!shared) skip();
    (void)snprintf(folder, sizeof folder, "%s/data/formats/anndata08", shared);
    assert_true(check_table(folder) >= 20);
    (void)snprintf(folder, sizeof folder, "%s/data/formats/anndata013", shared);
    assert_true(check_table(folder) >= 4);
}

static void test_shared_figures(void **state)
{
    static const struct {
        const char *path, *format, *matrix;
        int64_t cells, genes, nnz;
        double sum;
    } files[] = {
        {"pbmc3k.h5ad", "h5ad", "X", 2638, 13714, 2238732, 6254880},
        {"mixology_5cl_celseq2.h5ad", "h5ad", "X", 571, 16074, 3148906, 13986853},
        {"mixology_3cl_celseq2.h5ad", "h5ad", "X", 274, 28073, 1954979, 10321416},
        {"kang_pbmc_ifnb_subset.h5ad", "h5ad", "X", 1556, 1267, 585251, 2338396},
        {"formats/h5ad_csr_layers/example.h5ad", "h5ad", "layers/counts", 50, 100, 4317, 9805},
        {"formats/h5ad_dense/example_anndata.h5ad", "h5ad", "layers/counts", 200, 459, 53667,
         610126},
        {"formats/anndata08/all_elements_gzip.h5ad", "h5ad", "layers/counts", 30, 20, 194, 312},
        {"formats/tenx_v2_h5/filtered_gene_bc_matrices_h5.h5", "10x-h5-v2", "hg19_chr21", 12, 343,
         12, 12},
        {"formats/tenx_v2_mtx", "10x-mtx", "matrix.mtx", 62, 226, 3683, 18209},
        {"formats/tenx_v2_mtx_chr21/hg19_chr21", "10x-mtx", "matrix.mtx", 12, 343, 12, 12},
        {"formats/tenx_v3_h5/filtered_feature_bc_matrix.h5", "10x-h5", "matrix", 1107, 507, 23866,
         41549},
        {"formats/tenx_v3_mtx", "10x-mtx", "matrix.mtx.gz", 1107, 507, 23866, 41549},
        {"formats/loom/L1_DRG_20_example.loom", "loom", "matrix", 20, 20, 258, 1039},
        {"formats/loom/retina.loom", "loom", "matrix", 25, 1316, 1840, 2825},
        {"formats/starsolo_mtx/Gene/filtered", "10x-mtx", "matrix.mtx", 20, 20, 69, 83},
        {"formats/kallisto_bustools_mtx", "kallisto", "genes.mtx", 29, 17, 2, 2},
    };
    char path[1024];
    double sum, max;
    const char *shared = fx_shared();
    (void)state;
    if (!shared) skip();
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        (void)snprintf(path, sizeof path, "%s/data/%s", shared, files[i].path);
        fx_assert_ok(fx_read(path));
        fx_assert_sound(&fx_ds.counts);
        fx_sums(&fx_ds.counts, &sum, &max);
        assert_string_equal(fx_ds.format, files[i].format);
        assert_string_equal(fx_ds.matrix, files[i].matrix);
        assert_int_equal(fx_ds.counts.n_rows, files[i].cells);
        assert_int_equal(fx_ds.counts.n_cols, files[i].genes);
        assert_int_equal(ql_csr_nnz(&fx_ds.counts), files[i].nnz);
        assert_true(sum == files[i].sum);
    }
}

static void assert_same_names(const ql_names *a, const ql_names *b)
{
    assert_int_equal(a->n, b->n);
    for (int64_t i = 0; i < a->n; i++) assert_string_equal(ql_name(a, i), ql_name(b, i));
}

static void assert_equivalent(const char *shared, const char *one, const char *other)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/data/%s", shared, one);
    fx_assert_ok(fx_read(path));
    ql_dataset first = fx_ds;
    memset(&fx_ds, 0, sizeof fx_ds);
    (void)snprintf(path, sizeof path, "%s/data/%s", shared, other);
    fx_assert_ok(fx_read_with(path, (ql_read_options){.threads = 3}));
    const ql_csr *a = &first.counts, *b = &fx_ds.counts;
    assert_int_equal(a->n_cols, b->n_cols);
    assert_memory_equal(a->indptr, b->indptr, (size_t)(a->n_rows + 1) * sizeof *a->indptr);
    assert_memory_equal(a->indices, b->indices, (size_t)ql_csr_nnz(a) * sizeof *a->indices);
    assert_memory_equal(a->data, b->data, (size_t)ql_csr_nnz(a) * sizeof *a->data);
    assert_same_names(&first.cells.index, &fx_ds.cells.index);
    assert_same_names(&first.genes.index, &fx_ds.genes.index);
    ql_dataset_free(&first);
}

static void test_shared_equivalence(void **state)
{
    const char *shared = fx_shared();
    (void)state;
    if (!shared) skip();
    assert_equivalent(shared, "mixology_3cl_celseq2.h5ad",
                      "formats/h5ad_csc/mixology_3cl_celseq2_csc.h5ad");
    assert_equivalent(shared, "formats/tenx_v3_h5/filtered_feature_bc_matrix.h5",
                      "formats/tenx_v3_mtx");
    assert_equivalent(shared, "formats/tenx_v2_h5/filtered_gene_bc_matrices_h5.h5",
                      "formats/tenx_v2_mtx_chr21/hg19_chr21");
}

static int teardown(void **state)
{
    fx_release();
    return fx_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_10x_v3),
        cmocka_unit_test(test_10x_errors),
        cmocka_unit_test(test_10x_xml_names),
        cmocka_unit_test(test_character_references),
        cmocka_unit_test(test_10x_v2),
        cmocka_unit_test(test_most_genomes),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_refused_hdf5),
        cmocka_unit_test(test_not_there),
        cmocka_unit_test(test_registry),
        cmocka_unit_test(test_lzf),
        cmocka_unit_test(test_shared_expected),
        cmocka_unit_test(test_shared_figures),
        cmocka_unit_test(test_shared_equivalence),
    };
    return cmocka_run_group_tests(tests, fx_setup, teardown);
}
