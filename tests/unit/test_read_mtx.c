/* MatrixMarket folders: layouts, traps of the text, and what malformed files say. */
#include "fixture_read.h"

#define BANNER   "%%MatrixMarket matrix coordinate integer general\n"
#define ENTRIES  "3 4 5\n1 1 2\n3 1 1\n2 2 5\n1 4 7\n3 4 1\n"
#define FEATURES "g1\tCD3E\tGene Expression\ng2\tMS4A1\tGene Expression\ng3\tLYZ\tGene Expression\n"
#define BARCODES "c1\nc2\nc3\nc4\n"

static int folders;

/* A new folder with the three files; its path. NULL leaves a file out. */
static const char *folder(const char *matrix, const char *features, const char *barcodes)
{
    char name[32], file[64];
    (void)snprintf(name, sizeof name, "m%d", folders++);
    fx_mkdir(name);
    const struct {
        const char *name, *text;
    } files[] = {{"matrix.mtx", matrix}, {"features.tsv", features}, {"barcodes.tsv", barcodes}};
    for (int i = 0; i < 3; i++) {
        if (!files[i].text) continue;
        (void)snprintf(file, sizeof file, "%s/%s", name, files[i].name);
        fx_text(file, files[i].text);
    }
    return fx_path(name);
}

static void assert_known(const char *path)
{
    fx_assert_ok(fx_read(path));
    fx_assert_dense(&fx_ds.counts, fx_dense, FX_CELLS, FX_GENES);
    assert_string_equal(fx_ds.format, "10x-mtx");
}

static void test_v3(void **state)
{
    (void)state;
    assert_known(folder(BANNER "%meta\n" ENTRIES, FEATURES, BARCODES));
    assert_string_equal(ql_name(&fx_ds.genes.index, 1), "MS4A1");
    assert_string_equal(ql_name(&fx_ds.cells.index, 3), "c4");
    const ql_column *ids = ql_frame_column(&fx_ds.genes, "gene_ids");
    assert_non_null(ids);
    assert_string_equal(ql_name(&ids->strings, 2), "g3");
    assert_non_null(ql_frame_column(&fx_ds.genes, "feature_types"));
    assert_true(fx_ds.is_counts);
}

static void test_gzip_and_prefix(void **state)
{
    (void)state;
    fx_mkdir("gz");
    fx_gzip("gz/GSM1_matrix.mtx.gz", BANNER ENTRIES);
    fx_gzip("gz/GSM1_features.tsv.gz", FEATURES);
    fx_text("gz/GSM1_barcodes.tsv", BARCODES);
    assert_known(fx_path("gz"));
    assert_known(fx_path("gz/GSM1_matrix.mtx.gz"));
}

static void test_v2_below(void **state)
{
    (void)state;
    fx_mkdir("v2");
    fx_mkdir("v2/filtered_gene_bc_matrices");
    fx_mkdir("v2/filtered_gene_bc_matrices/hg19");
    fx_text("v2/filtered_gene_bc_matrices/hg19/matrix.mtx", BANNER ENTRIES);
    fx_text("v2/filtered_gene_bc_matrices/hg19/genes.tsv", "g1\tCD3E\ng2\tMS4A1\ng3\tLYZ\n");
    fx_text("v2/filtered_gene_bc_matrices/hg19/barcodes.tsv", BARCODES);
    assert_known(fx_path("v2"));
    assert_true(fx_has_note("hg19"));
}

static void test_lenient_text(void **state)
{
    (void)state;
    assert_known(
        folder("\xEF\xBB\xBF%%MatrixMarket MATRIX coordinate REAL general\r\n%\r\n  3\t4 5\r\n"
               "\r\n1 1 2.0\r\n%x\r\n 3 1 1 \r\n2 2 5e0\r\n1 4 7\r\n3\t4\t1",
               "\xEF\xBB\xBF"
               "g1\tCD3E\r\n\"g2\"\tMS4A1\t\r\ng3\tLYZ",
               "c1\r\nc2\r\nc3\r\nc4\r\n\r\n"));
}

static void test_orientation_by_lengths(void **state)
{
    (void)state;
    assert_known(folder(BANNER "4 3 5\n1 1 2\n1 3 1\n2 2 5\n4 1 7\n4 3 1\n", FEATURES, BARCODES));
}

static void test_unsorted_duplicates_zeros(void **state)
{
    (void)state;
    assert_known(folder(BANNER "3 4 8\n3 4 1\n1 4 7\n2 2 2\n3 1 1\n2 2 3\n1 1 2\n1 3 0\n2 1 0\n",
                        FEATURES, BARCODES));
    assert_true(fx_has_note("more than once"));
}

static void test_other_kinds(void **state)
{
    static const float pattern[] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0},
                       symmetric[] = {1, 2, 0, 2, 0, 0, 0, 0, 3};
    (void)state;
    fx_assert_ok(
        fx_read(folder("%%MatrixMarket matrix coordinate pattern general\n3 4 2\n1 1\n2 4\n",
                       FEATURES, BARCODES)));
    fx_assert_dense(&fx_ds.counts, pattern, 4, 3);
    fx_assert_ok(fx_read(
        folder("%%MatrixMarket matrix coordinate integer symmetric\n3 3 3\n1 1 1\n2 1 2\n3 3 3\n",
               FEATURES, "c1\nc2\nc3\n")));
    fx_assert_dense(&fx_ds.counts, symmetric, 3, 3);
    assert_true(fx_has_note("symmetric"));
    assert_known(folder(
        "%%MatrixMarket matrix array integer general\n3 4\n2\n0\n1\n0\n5\n0\n0\n0\n0\n7\n0\n1\n",
        FEATURES, BARCODES));
}

static void test_header_lines(void **state)
{
    (void)state;
    assert_known(folder(BANNER ENTRIES, "gene_id\tname\n" FEATURES, "barcode\n" BARCODES));
    assert_true(fx_has_note("header"));
}

static void test_prefers_what_fits(void **state)
{
    (void)state;
    const char *dir = folder(BANNER "1 1 1\n1 1 1\n", "stale\n", "stale\n");
    char name[64];
    const char *base = strrchr(dir, '/') + 1;
    (void)snprintf(name, sizeof name, "%s/matrix.mtx.gz", base);
    fx_gzip(name, BANNER ENTRIES);
    (void)snprintf(name, sizeof name, "%s/features.tsv.gz", base);
    fx_gzip(name, FEATURES);
    (void)snprintf(name, sizeof name, "%s/barcodes.tsv.gz", base);
    fx_gzip(name, BARCODES);
    assert_known(dir);
}

static void test_feature_types(void **state)
{
    (void)state;
    const char *types = "g1\tCD3E\tGene Expression\ng2\tMS4A1\tPeaks\ng3\tLYZ\tGene Expression\n";
    fx_assert_ok(fx_read(folder(BANNER ENTRIES, types, BARCODES)));
    assert_int_equal(fx_ds.counts.n_cols, 2);
    assert_string_equal(ql_name(&fx_ds.genes.index, 1), "LYZ");
    assert_true(fx_has_note("dropped 1 Peaks"));
    fx_assert_ok(fx_read_with(folder(BANNER ENTRIES, types, BARCODES),
                              (ql_read_options){.feature_type = "all"}));
    assert_int_equal(fx_ds.counts.n_cols, 3);
}

static void test_names(void **state)
{
    (void)state;
    fx_assert_ok(fx_read(folder(BANNER ENTRIES, "g1\tA b\ng2\t\ng3\tA b\n", "c1\nc1\n\nc4\n")));
    assert_string_equal(ql_name(&fx_ds.genes.index, 0), "A b");
    assert_string_equal(ql_name(&fx_ds.genes.index, 1), "g2");
    assert_string_equal(ql_name(&fx_ds.genes.index, 2), "A b-1");
    assert_string_equal(ql_name(&fx_ds.cells.index, 1), "c1-1");
    assert_string_equal(ql_name(&fx_ds.cells.index, 2), "unnamed_3");
    assert_true(fx_has_note("e.g. \"A b-1\""));
}

static void test_malformed(void **state)
{
    static const struct {
        const char *matrix, *part;
    } cases[] = {
        {"", "is empty"},
        {ENTRIES, "line 1: does not begin with %%MatrixMarket"},
        {"%%MatrixMarket matrix coordinate complex general\n3 4 1\n1 1 1 0\n", "complex"},
        {"%%MatrixMarket matrix coordinate real skew-symmetric\n3 3 1\n1 2 1\n", "skew-symmetric"},
        {BANNER, "before the line with the sizes"},
        {BANNER "3 4\n", "line 2: rows, columns and number of entries"},
        {BANNER "3 4 1\n0 1 2\n", "line 3: the row is 0, but they count from 1"},
        {BANNER "3 4 1\n4 1 2\n", "line 3: the row is 4, but there are 3"},
        {BANNER "3 4 1\n% c\n1 5 2\n", "line 4: the column is 5, but there are 4"},
        {BANNER "3 4 1\n1 1 2.5\n", "has the value 2.5 in a file of integers"},
        {BANNER "3 4 1\n1 1 2 2\n", "line 3: has more fields"},
        {BANNER "3 4 1\n1 1\n", "line 3: has no value"},
        {BANNER "3 4 1\n1 1 0x1\n", "no number"},
        {BANNER "3 4 1\nx\n", "line 3: is no entry"},
        {BANNER "3 4 2\n1 1 2\n", "announces 2 entries, has 1"},
        {BANNER "3 4 1\n1 1 2\n1 2 1\n", "announces 1 entries, but has more"},
        {BANNER "3 4 1000000000000000000\n1 1 2\n", "announces 1000000000000000000 entries, has 1"},
        {BANNER "99999999999 4 1\n1 1 2\n", "99999999999"},
        {BANNER "2147483647 2147483647 1\n1 1 2\n", "name 3 genes and 4 cells"},
        {BANNER "3 4 0\n", "has no counts"},
        {BANNER "3 4 1\n1 4 -2\n", "cell \"c4\", gene \"CD3E\" is -2"},
        {"%%MatrixMarket matrix coordinate real general\n3 4 1\n1 4 nan\n", "is nan"},
        {"%%MatrixMarket matrix coordinate real general\n3 4 1\n1 4 0.5\n", "is 0.5"},
        {"%%MatrixMarket matrix coordinate real general\n3 4 1\n1 4 1.000000001\n", "no count"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = folder(cases[i].matrix, FEATURES, BARCODES);
        fx_assert_error(fx_read(path), QL_EDATA, path, cases[i].part);
    }
}

static void test_cut_line(void **state)
{
    (void)state;
    const char *path = folder(BANNER "3 4 2\n1 1 2\n2 2 ", FEATURES, BARCODES);
    fx_assert_error(fx_read(path), QL_EDATA, path, "line 4");
    fx_assert_text(fx_err.hint, "middle of this line");
}

static void test_fractions_allowed(void **state)
{
    (void)state;
    const char *real = "%%MatrixMarket matrix coordinate real general\n3 4 1\n1 4 0.5\n";
    fx_assert_ok(
        fx_read_with(folder(real, FEATURES, BARCODES), (ql_read_options){.allow_noncounts = true}));
    assert_false(fx_ds.is_counts);
    assert_true(fx_has_note("0.5"));
    const char *path = folder(BANNER "3 4 1\n1 4 -1\n", FEATURES, BARCODES);
    fx_assert_error(fx_read_with(path, (ql_read_options){.allow_noncounts = true}), QL_EDATA, path,
                    "is -1");
}

static void test_missing_companions(void **state)
{
    (void)state;
    const char *path = folder(BANNER ENTRIES, NULL, BARCODES);
    fx_assert_error(fx_read(path), QL_EDATA, path, "names the genes");
    path = folder(BANNER ENTRIES, FEATURES, NULL);
    fx_assert_error(fx_read(path), QL_EDATA, path, "names the cells");
    path = folder(BANNER ENTRIES, FEATURES, "c1\nc2\n");
    fx_assert_error(fx_read(path), QL_EDATA, path,
                    "is 3 x 4, but the files beside it name 3 genes and 2 cells");
    path = folder(BANNER ENTRIES, FEATURES, "c0\n" BARCODES);
    fx_assert_error(fx_read(path), QL_EDATA, path, "one line more");
}

/* Bytes of a gzip file cut or changed. */
static const char *broken_gzip(const char *name, long keep, long flip)
{
    char file[64], bytes[4096];
    fx_mkdir(name);
    (void)snprintf(file, sizeof file, "%s/matrix.mtx.gz", name);
    fx_gzip(file, BANNER ENTRIES);
    FILE *f = fopen(fx_path(file), "rb");
    assert_non_null(f);
    long n = (long)fread(bytes, 1, sizeof bytes, f);
    (void)fclose(f);
    if (flip < 0) bytes[n + flip] = (char)(bytes[n + flip] ^ 0x10);
    fx_bytes(file, bytes, (size_t)(n - keep));
    (void)snprintf(file, sizeof file, "%s/features.tsv", name);
    fx_text(file, FEATURES);
    (void)snprintf(file, sizeof file, "%s/barcodes.tsv", name);
    fx_text(file, BARCODES);
    return fx_path(name);
}

static void test_broken_gzip(void **state)
{
    (void)state;
    const char *path = broken_gzip("gzcut", 4, 0);
    fx_assert_error(fx_read(path), QL_EDATA, path, "incomplete gzip stream");
    path = broken_gzip("gzcrc", 0, -6);
    fx_assert_error(fx_read(path), QL_EDATA, path, "checksum");
}

/* More text than one block, so that pieces and blocks are cut in many places. */
static void test_many_blocks(void **state)
{
    enum { N_GENES = 2000, N_CELLS = 1100 };
    (void)state;
    fx_mkdir("big");
    FILE *f = fopen(fx_path("big/matrix.mtx"), "wb");
    assert_non_null(f);
    (void)fputs(BANNER, f);
    (void)fprintf(f, "%d %d %d\n", N_GENES, N_CELLS, N_GENES * N_CELLS);
    for (int c = 1; c <= N_CELLS; c++)
        for (int g = 1; g <= N_GENES; g++) (void)fprintf(f, "%d %d %d\n", g, c, (g * 7 + c) % 1000);
    assert_int_equal(fclose(f), 0);
    f = fopen(fx_path("big/features.tsv"), "wb");
    for (int g = 0; g < N_GENES; g++) (void)fprintf(f, "g%d\n", g);
    (void)fclose(f);
    f = fopen(fx_path("big/barcodes.tsv"), "wb");
    for (int c = 0; c < N_CELLS; c++) (void)fprintf(f, "c%d\n", c);
    (void)fclose(f);
    fx_assert_ok(fx_read_with(fx_path("big"), (ql_read_options){.threads = 3}));
    fx_assert_sound(&fx_ds.counts);
    for (int c = 0; c < N_CELLS; c++) {
        for (int64_t k = fx_ds.counts.indptr[c]; k < fx_ds.counts.indptr[c + 1]; k++) {
            int x = ((fx_ds.counts.indices[k] + 1) * 7 + c + 1) % 1000;
            assert_true(fx_ds.counts.data[k] == (float)x);
        }
    }
    assert_int_equal(ql_csr_nnz(&fx_ds.counts), N_GENES * N_CELLS - 2200);
}

static int teardown(void **state)
{
    fx_release();
    return fx_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_v3),
        cmocka_unit_test(test_gzip_and_prefix),
        cmocka_unit_test(test_v2_below),
        cmocka_unit_test(test_lenient_text),
        cmocka_unit_test(test_orientation_by_lengths),
        cmocka_unit_test(test_unsorted_duplicates_zeros),
        cmocka_unit_test(test_other_kinds),
        cmocka_unit_test(test_header_lines),
        cmocka_unit_test(test_prefers_what_fits),
        cmocka_unit_test(test_feature_types),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_cut_line),
        cmocka_unit_test(test_fractions_allowed),
        cmocka_unit_test(test_missing_companions),
        cmocka_unit_test(test_broken_gzip),
        cmocka_unit_test(test_many_blocks),
    };
    return cmocka_run_group_tests(tests, fx_setup, teardown);
}
