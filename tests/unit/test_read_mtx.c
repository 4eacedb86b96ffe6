/* MatrixMarket folders: layouts, traps of the text, and what malformed files say. */
#include "fixture_read.h"

#define BANNER   "%%MatrixMarket matrix coordinate integer general\n"
#define TEN      "0000000001"
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

/* A comment is longer than a piece, so that order ends between two of them. */
static void test_order_ends_between_pieces(void **state)
{
    enum { COMMENT = 600000 };
    static const char head[] = BANNER "3 4 5\n1 4 7\n3 4 1\n", tail[] = "\n1 1 2\n3 1 1\n2 2 5\n";
    char *text = malloc(sizeof head + COMMENT + sizeof tail);
    (void)state;
    memcpy(text, head, sizeof head - 1);
    memset(text + sizeof head - 1, '%', COMMENT);
    memcpy(text + sizeof head - 1 + COMMENT, tail, sizeof tail);
    assert_known(folder(text, FEATURES, BARCODES));
    free(text);
}

static void test_streams_without_memory(void **state)
{
    (void)state;
    fx_assert_streams_without_memory(folder(BANNER ENTRIES, FEATURES, BARCODES), "10x-mtx");
    fx_assert_streams_without_memory(
        folder(BANNER "3 4 5\n1 1 2\n1 4 7\n2 2 5\n3 1 1\n3 4 1\n", FEATURES, BARCODES), "10x-mtx");
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
        {BANNER "3 4 1\n4294967297 1 2\n", "the row is 4294967297, but there are 3"},
        {BANNER "3 4 1\n18446744073709551617 1 2\n", "the row is 1000000000000000000"},
        {BANNER "99999999999 4 1\n1 1 2\n", "announces 99999999999 x 4, more than"},
        {BANNER "3 99999999999 1\n1 1 2\n", "announces 3 x 99999999999, more than"},
        {"%%MatrixMarket matrix coordinate integer symmetric\n3 4 1\n1 1 2\n",
         "line 2: is symmetric but 3 x 4"},
        {BANNER "3 4 1\n1 4 20000000000000000000\n", "is 2e+19"},
        {BANNER "3 4 1\n1 1 " TEN TEN TEN TEN TEN TEN TEN "\n", "line 3: has no value"},
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

static void test_a_line_without_end(void **state)
{
    enum { COMMENT = 9 << 20 }; /* more than a block */
    static const char head[] = BANNER "3 4 1\n%";
    (void)state;
    char *text = malloc(sizeof head + COMMENT);
    assert_non_null(text);
    memcpy(text, head, sizeof head - 1);
    memset(text + sizeof head - 1, 'x', COMMENT);
    text[sizeof head - 1 + COMMENT] = 0;
    const char *path = folder(text, FEATURES, BARCODES);
    free(text);
    fx_assert_error(fx_read(path), QL_EDATA, path, "a line is longer than 4194304 bytes");
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

static void test_allow_short(void **state)
{
    (void)state;
    const char *text = BANNER "3 4 7\n1 1 2\n3 1 1\n2 2 5\n1 4 7\n3 4 1\n";
    const char *path = folder(text, FEATURES, BARCODES);
    fx_assert_error(fx_read(path), QL_EDATA, path, "announces 7 entries, has 5");
    fx_assert_text(fx_err.hint, "--allow-short");
    fx_assert_ok(fx_read_with(path, (ql_read_options){.allow_short = true}));
    fx_assert_dense(&fx_ds.counts, fx_dense, FX_CELLS, FX_GENES);
    assert_true(fx_has_note("announces 7 entries, has 5"));
}

static void test_without_names(void **state)
{
    (void)state;
    const char *path = folder(BANNER ENTRIES, NULL, NULL);
    fx_assert_ok(fx_read(path));
    fx_assert_dense(&fx_ds.counts, fx_dense, FX_CELLS, FX_GENES);
    assert_string_equal(ql_name(&fx_ds.cells.index, 3), "cell_4");
    assert_string_equal(ql_name(&fx_ds.genes.index, 0), "gene_1");
    assert_true(fx_has_note("no file names the genes"));
    fx_assert_ok(fx_read_with(path, (ql_read_options){.orient = QL_ORIENT_CELLS_X_GENES}));
    assert_int_equal(fx_ds.counts.n_rows, 3);
    assert_string_equal(ql_name(&fx_ds.genes.index, 3), "gene_4");
}

static void test_names_from_options(void **state)
{
    (void)state;
    char genes[512], cells[512];
    fx_text("my_genes.csv", "id,symbol\ng1,\"CD3E, e\"\ng2,MS\"4\ng3,\"L\"\n");
    fx_text("my_cells", BARCODES);
    (void)snprintf(genes, sizeof genes, "%s", fx_path("my_genes.csv"));
    (void)snprintf(cells, sizeof cells, "%s", fx_path("my_cells"));
    const char *path = folder(BANNER ENTRIES, "stale\n", NULL);
    fx_assert_ok(
        fx_read_with(path, (ql_read_options){.genes_file = genes, .barcodes_file = cells}));
    fx_assert_dense(&fx_ds.counts, fx_dense, FX_CELLS, FX_GENES);
    assert_string_equal(ql_name(&fx_ds.genes.index, 0), "CD3E, e");
    assert_string_equal(ql_name(&fx_ds.genes.index, 1), "MS\"4");
    assert_string_equal(ql_name(&fx_ds.genes.index, 2), "L");
    assert_true(fx_has_note("header"));
}

/* Lines that the fast way must hand over, between lines that it takes. */
static void test_unusual_lines(void **state)
{
    (void)state;
    assert_known(folder("%%MatrixMarket matrix coordinate real general\n3 4 5\n1 1 2\n"
                        "3\t1\t1\n% between\n\n  2  2  5  \n1 4 7.000\n0003 00000000004 1",
                        FEATURES, BARCODES));
    assert_known(folder(BANNER "3 4 6\n1 1 2\n3 1 1\n2 2 5\n1 4 7\n3 4 1\n2 1 000000000000\n",
                        FEATURES, BARCODES));
    const char *path = folder(BANNER "3 4 2\n1 1 2\n3 4294967298 1\n", FEATURES, BARCODES);
    fx_assert_error(fx_read(path), QL_EDATA, path, "line 4: the column is 4294967298");
    path = folder(BANNER "3 4 2\n1 1 2\n3 2 1 1\n", FEATURES, BARCODES);
    fx_assert_error(fx_read(path), QL_EDATA, path, "line 4: has more fields");
    fx_assert_ok(fx_read(folder(BANNER "3 4 1\n1 1 16777216\n", FEATURES, BARCODES)));
    assert_true(fx_ds.counts.data[0] == 16777216.0f);
    path = folder(BANNER "3 4 1\n1 1 12345678901\n", FEATURES, BARCODES);
    fx_assert_error(fx_read(path), QL_EDATA, path, "no count");
}

/* A dense file of several pieces, most of it zeros. */
static void test_long_array(void **state)
{
    enum { GENES = 1500, CELLS = 900 };
    (void)state;
    fx_mkdir("array");
    FILE *f = fopen(fx_path("array/matrix.mtx"), "wb");
    assert_non_null(f);
    (void)fprintf(f, "%%%%MatrixMarket matrix array real general\n%d %d\n", GENES, CELLS);
    for (int c = 0; c < CELLS; c++)
        for (int g = 0; g < GENES; g++)
            (void)fprintf(f, "%d\n", (g * 31 + c * 17) % 97 == 0 ? g % 5 + 1 : 0);
    (void)fclose(f);
    fx_assert_ok(fx_read_with(fx_path("array"), (ql_read_options){.threads = 4}));
    fx_assert_sound(&fx_ds.counts);
    int64_t n = 0;
    for (int c = 0; c < CELLS; c++) {
        for (int g = 0; g < GENES; g++) {
            if ((g * 31 + c * 17) % 97) continue;
            assert_int_equal(fx_ds.counts.indices[n], g);
            assert_true(fx_ds.counts.data[n++] == (float)(g % 5 + 1));
        }
        assert_int_equal(fx_ds.counts.indptr[c + 1], n);
    }
}

static void test_usa(void **state)
{
    (void)state;
    fx_mkdir("usa");
    fx_text("usa/quants_mat.mtx", "%%MatrixMarket\tmatrix\tcoordinate\treal\tgeneral\n2\t6\t5\n"
                                  "1\t1\t1.0\n1\t3\t10.0\n1\t5\t100.0\n2\t2\t2.0\n2\t6\t3.0\n");
    fx_text("usa/quants_mat_cols.txt", "a\nb\na-U\nb-U\na-A\nb-A\n");
    fx_text("usa/quants_mat_rows.txt", "c1\nc2\n");
    static const struct {
        const char *layer;
        float want[4];
    } cases[] = {{NULL, {101, 0, 0, 5}},
                 {"spliced", {1, 0, 0, 2}},
                 {"unspliced", {10, 0, 0, 0}},
                 {"ambiguous", {100, 0, 0, 3}},
                 {"all", {111, 0, 0, 5}}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fx_assert_ok(fx_read_with(fx_path("usa"), (ql_read_options){.layer = cases[i].layer}));
        fx_assert_dense(&fx_ds.counts, cases[i].want, 2, 2);
        assert_string_equal(fx_ds.format, "alevin");
    }
    const char *path = fx_path("usa");
    fx_assert_error(fx_read_with(path, (ql_read_options){.layer = "x"}), QL_EUSAGE, path,
                    "has no layer");
}

/* Two genes in the first byte's highest bits, nine genes in all. */
static const unsigned char two_cells[] = {0xC0, 0x00, 0,    0, 0x80, 0x3F, 0,    0, 0,
                                          0x40, 0x00, 0x80, 0, 0,    0x40, 0x40, 0};
enum { TWO_CELLS = sizeof two_cells - 1 }; /* and a byte that is too many */

static const char *eds_folder(const void *bytes, size_t n)
{
    static int number;
    static char name[32], file[64];
    (void)snprintf(name, sizeof name, "eds%d", number++);
    fx_mkdir(name);
    (void)snprintf(file, sizeof file, "%s/quants_mat_cols.txt", name);
    fx_text(file, "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    (void)snprintf(file, sizeof file, "%s/quants_mat_rows.txt", name);
    fx_text(file, "c1\nc2\n");
    (void)snprintf(file, sizeof file, "%s/quants_mat.gz", name);
    gzFile f = gzopen(fx_path(file), "wb");
    assert_int_equal(gzwrite(f, bytes, (unsigned)n), (int)n);
    assert_int_equal(gzclose(f), Z_OK);
    return fx_path(name);
}

static void test_eds(void **state)
{
    static const float want[18] = {1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3};
    (void)state;
    fx_assert_ok(fx_read(eds_folder(two_cells, TWO_CELLS)));
    fx_assert_dense(&fx_ds.counts, want, 2, 9);
    assert_string_equal(fx_ds.format, "alevin-eds");
}

/* Before version 0.14 all values were there, as doubles; only the size tells. */
static void test_eds_of_doubles(void **state)
{
    static const double doubles[18] = {[17] = 3};
    static const float want[18] = {[17] = 3};
    (void)state;
    fx_assert_ok(fx_read(eds_folder(doubles, sizeof doubles)));
    fx_assert_dense(&fx_ds.counts, want, 2, 9);
    const char *path = eds_folder(doubles, 17 * sizeof(double));
    fx_assert_error(fx_read(path), QL_EDATA, path, "has more data than 2 cells of 9 genes");
}

static void test_cut_eds(void **state)
{
    static const unsigned char empty_cell[2] = {0};
    static const struct {
        const unsigned char *bytes;
        size_t n;
        const char *part;
    } cases[] = {{empty_cell, 2, "ends in cell 2 of 2 (9 genes)"},
                 {two_cells, TWO_CELLS - 1, "ends in cell 2 of 2 (9 genes)"},
                 {two_cells, TWO_CELLS - 4, "ends in cell 2 of 2 (9 genes)"},
                 {two_cells, 5, "ends in cell 1 of 2 (9 genes)"},
                 {two_cells, TWO_CELLS + 1, "has more data than 2 cells of 9 genes"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = eds_folder(cases[i].bytes, cases[i].n);
        fx_assert_error(fx_read(path), QL_EDATA, path, cases[i].part);
    }
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
        cmocka_unit_test(test_order_ends_between_pieces),
        cmocka_unit_test(test_streams_without_memory),
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
        cmocka_unit_test(test_a_line_without_end),
        cmocka_unit_test(test_cut_line),
        cmocka_unit_test(test_fractions_allowed),
        cmocka_unit_test(test_missing_companions),
        cmocka_unit_test(test_allow_short),
        cmocka_unit_test(test_without_names),
        cmocka_unit_test(test_names_from_options),
        cmocka_unit_test(test_unusual_lines),
        cmocka_unit_test(test_long_array),
        cmocka_unit_test(test_usa),
        cmocka_unit_test(test_eds),
        cmocka_unit_test(test_eds_of_doubles),
        cmocka_unit_test(test_cut_eds),
        cmocka_unit_test(test_broken_gzip),
        cmocka_unit_test(test_many_blocks),
    };
    return cmocka_run_group_tests(tests, fx_setup, teardown);
}
