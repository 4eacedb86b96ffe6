/* Text tables: every header, delimiter and quoting that programs write, and what malformed ones
 * say. */
#include <math.h>
#include <sys/wait.h>

#include "fixture_read.h"

#include "../../src/io/table/table_orient.h"
#include "../../src/io/table/table_text.h"
#include "../../src/io/text/decimal.h"
#include "../../src/io/text/name_intern.h"
#include "quell/alloc.h"

static int files;

/* A new file of the text; its path. */
static const char *file(const char *text)
{
    static char name[32];
    (void)snprintf(name, sizeof name, "t%d.txt", files++);
    fx_text(name, text);
    return fx_path(name);
}

static void assert_names(const ql_names *names, const char *const *expected, int64_t n)
{
    assert_int_equal(names->n, n);
    for (int64_t i = 0; i < n; i++) assert_string_equal(ql_name(names, i), expected[i]);
}

static void assert_known_dataset(void)
{
    static const char *const genes[] = {"CD3E", "MS4A1", "LYZ"};
    static const char *const cells[] = {"c1", "c2", "c3", "c4"};
    fx_assert_dense(&fx_ds.counts, fx_dense, FX_CELLS, FX_GENES);
    assert_names(&fx_ds.genes.index, genes, FX_GENES);
    assert_names(&fx_ds.cells.index, cells, FX_CELLS);
    assert_true(fx_ds.is_counts);
}

static void assert_known(const char *text, ql_read_options opt)
{
    fx_assert_ok(fx_read_with(file(text), opt));
    assert_known_dataset();
    assert_string_equal(fx_ds.format, "table");
}

/* The known matrix, genes x cells. */
#define KNOWN "CD3E,2,0,0,7\nMS4A1,0,5,0,0\nLYZ,1,0,0,1\n"

static void test_headers(void **state)
{
    (void)state;
    assert_known("gene,c1,c2,c3,c4\n" KNOWN, (ql_read_options){0});
    assert_known(",c1,c2,c3,c4\n" KNOWN, (ql_read_options){0});
    assert_true(fx_has_note("empty corner"));
    assert_known("\"\",\"c1\",\"c2\",\"c3\",\"c4\"\n" KNOWN, (ql_read_options){0});
    assert_known("c1,c2,c3,c4\n" KNOWN, (ql_read_options){0});
    assert_true(fx_has_note("one field short"));
    assert_known("what,c1,c2,c3,c4\n" KNOWN, (ql_read_options){0});
    assert_true(fx_has_note("a corner \"what\""));
}

static void test_delimiters(void **state)
{
    (void)state;
    assert_known("gene\tc1\tc2\tc3\tc4\nCD3E\t2\t0\t0\t7\nMS4A1\t0\t5\t0\t0\nLYZ\t1\t0\t0\t1\n",
                 (ql_read_options){0});
    assert_true(fx_has_note("separated by tab"));
    assert_known("gene;c1;c2;c3;c4\nCD3E;2;0;0;7\nMS4A1;0;5;0;0\nLYZ;1;0;0;1\n",
                 (ql_read_options){0});
    assert_true(fx_has_note("semicolon"));
    assert_known("c1 c2  c3 c4\nCD3E 2 0 0 7\nMS4A1  0 5 0 0\n LYZ 1 0 0 1 \n",
                 (ql_read_options){0});
    assert_true(fx_has_note("blanks"));
    assert_known(
        "\"c1\" \"c2\" \"c3\" \"c4\"\n\"CD3E\" 2 0 0 7\n\"MS4A1\" 0 5 0 0\n\"LYZ\" 1 0 0 1\n",
        (ql_read_options){0});
    /* the delimiter of both lines counts, not the first that is met */
    fx_assert_ok(fx_read(file("x;a,1;b,2\nG;1;2\n")));
    assert_string_equal(ql_name(&fx_ds.cells.index, 1), "b,2");
}

static void test_line_ends(void **state)
{
    (void)state;
    assert_known("\xEF\xBB\xBFgene,c1,c2,c3,c4\r\nCD3E,2,0,0,7\r\n\r\nMS4A1,0,5,0,0\r\nLYZ,1,0,0,1",
                 (ql_read_options){0});
    assert_known("# made by x\n#y\n\ngene,c1,c2,c3,c4\n" KNOWN "\n\n", (ql_read_options){0});
    assert_true(fx_has_note("2 comment lines"));
    assert_known("gene,c1,c2,c3,c4,\nCD3E,2,0,0,7,\nMS4A1,0,5,0,0,\nLYZ,1,0,0,1,\n",
                 (ql_read_options){0});
    assert_known("gene,c1,c2,c3,c4\nCD3E,2,0,0,7,\nMS4A1,0,5,0,0,\nLYZ,1,0,0,1,\n",
                 (ql_read_options){0});
}

static void test_values(void **state)
{
    (void)state;
    assert_known("gene,c1,c2,c3,c4\nCD3E,2.0,0.0,-0,7e0\nMS4A1,0,0.5e+01,0,0\n"
                 "LYZ,\"1\",+0, 0 ,10E-1\n",
                 (ql_read_options){0});
    fx_assert_ok(fx_read(file("gene,c1\nA,1e+05\nB,1234567890\n")));
    assert_true(fx_ds.counts.data[0] == 100000.0f);
    assert_true(fx_ds.counts.data[1] == 1234567890.0f);
}

static void test_quotes(void **state)
{
    static const char *const cells[] = {"a,b", "say \"hi\"", "5'-end", "x y"};
    (void)state;
    fx_assert_ok(fx_read(file("\"gene\",\"a,b\",\"say \"\"hi\"\"\",5'-end,'x y'\n"
                              "'3UTR,1,2,3,4\n\"it's\",0,0,0,1\n")));
    assert_names(&fx_ds.cells.index, cells, 4);
    assert_string_equal(ql_name(&fx_ds.genes.index, 0), "'3UTR");
    assert_string_equal(ql_name(&fx_ds.genes.index, 1), "it's");
}

static void test_orientation(void **state)
{
    static const char cells_rows[] = "%s,CD3E,MS4A1,LYZ\nc1,2,0,1\nc2,0,5,0\nc3,0,0,0\nc4,7,0,1\n";
    char text[200];
    (void)state;
    (void)snprintf(text, sizeof text, cells_rows, "");
    assert_known(text, (ql_read_options){.orient = QL_ORIENT_CELLS_X_GENES});
    (void)snprintf(text, sizeof text, cells_rows, "Cell_Index");
    assert_known(text, (ql_read_options){0});
    assert_true(fx_has_note("cells x genes (by the word in the corner)"));
    (void)snprintf(text, sizeof text, cells_rows, "gene");
    assert_known(text, (ql_read_options){.orient = QL_ORIENT_CELLS_X_GENES});
    fx_assert_ok(fx_read(file(text)));
    assert_int_equal(fx_ds.counts.n_rows, 3);
}

static void test_orientation_warnings(void **state)
{
    const char *barcodes = ",A,B\nAAACATACAACCAC-1,1,2\nAAACATTGAGCTAC-1,0,3\n";
    const char *ensembl = ",ENSG00000141510,ENSG00000141511.3\nc1,1,2\nc2,0,3\n";
    (void)state;
    fx_assert_ok(fx_read(file(barcodes)));
    assert_true(fx_has_note("look like cell barcodes (\"AAACATACAACCAC-1\")"));
    fx_assert_ok(
        fx_read_with(file(barcodes), (ql_read_options){.orient = QL_ORIENT_GENES_X_CELLS}));
    assert_false(fx_has_note("look like"));
    fx_assert_ok(fx_read(file(ensembl)));
    assert_true(fx_has_note("columns look like genes (\"ENSG00000141510\")"));
    fx_assert_ok(fx_read(file("Cell_Index,AAACATACAACCAC,AAACATTGAGCTAC\nRPL3,1,2\nRPS4X,0,3\n")));
    assert_true(fx_has_note("is it --orient genes-x-cells?"));
    fx_assert_ok(fx_read(file(",AAACATACAACCAC,AAACATTGAGCTAC\nRPL3,1,2\nRPS4X,0,3\n")));
    assert_false(fx_has_note("look like"));
    assert_true(ql_looks_like_barcode("s1_ACGTACGT-1"));
    assert_false(ql_looks_like_barcode("GATTACA"));
    assert_true(ql_looks_like_gene("mt-Nd1"));
    assert_false(ql_looks_like_gene("A10"));
    assert_false(ql_looks_like_gene("RPLAY"));
}

static void test_dates(void **state)
{
    (void)state;
    fx_assert_ok(fx_read(file("gene,c1,c2\nA,1,2\n1-Mar,3,4\n2-Sep,1,1\n")));
    assert_true(fx_has_note("that are dates: 2 (\"1-Mar\")"));
    fx_assert_ok(fx_read(file("gene,1-Mar,2-Sep\nHLA-A,1,2\nMT-1,3,4\nA-Mar,1,1\n")));
    assert_false(fx_has_note("dates"));
    assert_true(ql_looks_like_date("Sept-09"));
    assert_true(ql_looks_like_date("2021-03-01"));
    assert_false(ql_looks_like_date("123-Mar"));
    assert_false(ql_looks_like_date("2021-3"));
}

static void test_numbers_as_names(void **state)
{
    (void)state;
    fx_assert_ok(fx_read(file(",0,1\n5,1,2\n6,0,3\n")));
    assert_string_equal(ql_name(&fx_ds.cells.index, 1), "1");
    assert_string_equal(ql_name(&fx_ds.genes.index, 0), "5");
    fx_assert_ok(fx_read(file("gene,0,1\nA,1,2\n")));
    const char *path = file("1,2,3\n4,5,6\n");
    fx_assert_error(fx_read(path), QL_EDATA, path, "line 1: holds numbers only");
    fx_assert_text(fx_err.hint, "--no-header");
    path = file("TP53,2,3\nMYC,5,6\n");
    fx_assert_error(fx_read(path), QL_EDATA, path, "looks like a row of values (\"TP53\"");
}

static void test_without_names(void **state)
{
    static const char *const cells[] = {"cell_1", "cell_2", "cell_3"};
    static const char *const genes[] = {"gene_1", "gene_2"};
    static const float plain[] = {1, 4, 2, 5, 3, 6};
    (void)state;
    fx_assert_ok(fx_read_with(file("1,2,3\n4,5,6\n"),
                              (ql_read_options){.no_header = true, .no_row_names = true}));
    fx_assert_dense(&fx_ds.counts, plain, 3, 2);
    assert_names(&fx_ds.cells.index, cells, 3);
    assert_names(&fx_ds.genes.index, genes, 2);
    fx_assert_ok(fx_read_with(file("A,1,2,3\nB,4,5,6\n"), (ql_read_options){.no_header = true}));
    fx_assert_dense(&fx_ds.counts, plain, 3, 2);
    assert_string_equal(ql_name(&fx_ds.genes.index, 1), "B");
    fx_assert_ok(
        fx_read_with(file("x,y,z\n1,2,3\n4,5,6\n"), (ql_read_options){.no_row_names = true}));
    fx_assert_dense(&fx_ds.counts, plain, 3, 2);
    assert_string_equal(ql_name(&fx_ds.cells.index, 2), "z");
    fx_assert_ok(
        fx_read_with(file("0,1,2\n1,2,3\n4,5,6\n"), (ql_read_options){.no_row_names = true}));
    assert_string_equal(ql_name(&fx_ds.cells.index, 2), "2");
    fx_assert_ok(fx_read_with(
        file("7\n8\n"),
        (ql_read_options){.format = "table", .no_header = true, .no_row_names = true}));
    assert_int_equal(fx_ds.counts.n_rows, 1);
    assert_int_equal(fx_ds.counts.n_cols, 2);
}

static void test_more_columns(void **state)
{
    (void)state;
    assert_known(
        "# Program:featureCounts v2.0\nGeneid\tChr\tStart\tEnd\tStrand\tLength\tc1\tc2\tc3\tc4\n"
        "CD3E\tchr1;chr1\t1;5\t3;9\t+;+\t8\t2\t0\t0\t7\nMS4A1\tchr2\t1\t3\t-\t3\t0\t5\t0\t0\n"
        "LYZ\tchr3\t1\t3\t-\t3\t1\t0\t0\t1\n",
        (ql_read_options){0});
    assert_true(fx_has_note("5 columns of featureCounts dropped"));
    assert_known(
        "transcript_id,gene_id,c1,c2,c3,c4\nCD3E,g1,2,0,0,7\nMS4A1,g2,0,5,0,0\nLYZ,g2,1,0,0,1\n",
        (ql_read_options){0});
    const ql_column *second = ql_frame_column(&fx_ds.genes, "gene_id");
    assert_non_null(second);
    assert_string_equal(ql_name(&second->strings, 2), "g2");
    const char *path = file("gene,kind,c1\nA,protein_coding,1\n");
    fx_assert_error(fx_read(path), QL_EDATA, path,
                    "line 2: column 2 (\"kind\") holds \"protein_coding\", no number");
}

static void test_one_of_each(void **state)
{
    static const float one[] = {5};
    (void)state;
    fx_assert_ok(fx_read(file("c1\nG1\t5\n")));
    fx_assert_dense(&fx_ds.counts, one, 1, 1);
    assert_string_equal(ql_name(&fx_ds.cells.index, 0), "c1");
    fx_assert_ok(fx_read(file("\"c1\"\n\"G1\" 5\n")));
    fx_assert_dense(&fx_ds.counts, one, 1, 1);
}

static void test_malformed(void **state)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"gene,c1,c2\nA,1,2\nB,NA,2\n",
         "line 3, column 2 (gene \"B\", cell \"c1\"): \"NA\" is a missing value"},
        {"gene,c1,c2\nA,1,\nB,1,2\n", "line 2, column 3 (gene \"A\", cell \"c2\"): \"\" is empty"},
        {"cell\tc1\tc2\nA\t1\tinf\n",
         "line 2, column 3 (cell \"A\", gene \"c2\"): \"inf\" is infinite"},
        {"gene\tc1\tc2\nA\t0\t1,5\n",
         "column 3 (gene \"A\", cell \"c2\"): \"1,5\" has a decimal comma"},
        {"gene,c1,c2\nA,1,0x10\n", "\"0x10\" is no number"},
        {"gene,c1,c2\nA,1,1-Mar\n", "\"1-Mar\" is no number"},
        {"gene,c1,c2\nA,1,1e999\n", "\"1e999\" is too large"},
        {"gene,c1,c2\nA,1,4294967301\n", "cell \"c2\", gene \"A\" is 4.2949673e+09"},
        {"gene,c1,c2\nA,1,2\nB,1\n", "line 3: has 2 fields, 3 expected"},
        {"gene,c1,c2\nA,1,2\n\nB,1,2,3\n", "line 4: has 4 fields, 3 expected"},
        {"gene,c1,c2\nA,1,2\nB\n", "line 3: has 1 fields, 3 expected"},
        {"gene,c1,c2\nA,1,2,3,4\n", "line 2: has 5 fields, but the header, line 1, has 3"},
        {"gene,c1,c2\nA,1,2\n\"B,1,2\n", "opens a quote and does not close it"},
        {"gene,c1,c2\nA,1,2\nB,1,\"2\n", "opens a quote and does not close it"},
        {"gene,c1,c2\n", "no rows"},
        {"gene,c1\rA,1\rB,2\r", "CR only"},
        {"gene,c1,c2\nA,1,-2\n", "cell \"c2\", gene \"A\" is -2"},
        {"gene,c1,c2\nA,1,2.5\n", "cell \"c2\", gene \"A\" is 2.5"},
        {"gene,c1,c2\nA,0,0\n", "has no counts"},
        {"a b\n\n", "no rows"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = file(cases[i].text);
        fx_assert_error(fx_read(path), QL_EDATA, path, cases[i].part);
    }
}

/* Text that is taken for a table only where the user says so. */
static void test_names_alone(void **state)
{
    (void)state;
    const char *path = file("gene\nA\nB\n");
    fx_assert_error(fx_read_with(path, (ql_read_options){.format = "table"}), QL_EDATA, path,
                    "line 2: has no columns of values");
}

static void test_cut(void **state)
{
    (void)state;
    const char *path = file("gene,c1,c2\nA,1,2\nB,1");
    fx_assert_error(fx_read(path), QL_EDATA, path, "line 3: has 2 fields, 3 expected");
    fx_assert_text(fx_err.hint, "middle of this line");
    path = file("gene,c1,c2\nA,1\nB,1,2");
    fx_assert_error(fx_read(path), QL_EDATA, path, "line 2");
    assert_string_equal(fx_err.hint, "");
}

/* --- long tables --- */

static void test_long(void **state)
{
    static const char *const genes[] = {"CD3E", "LYZ", "MS4A1"};
    static const char *const cells[] = {"c1", "c4", "c2"};
    static const float dense[] = {2, 1, 0, 7, 1, 0, 0, 0, 5};
    (void)state;
    fx_assert_ok(
        fx_read(file("gene\tcell\tcount\nCD3E\tc1\t2\nCD3E\tc4\t7\nLYZ\tc1\t1\nLYZ\tc4\t1\n"
                     "MS4A1\tc2\t5\n")));
    assert_string_equal(fx_ds.format, "long-table");
    fx_assert_dense(&fx_ds.counts, dense, 3, 3);
    assert_names(&fx_ds.genes.index, genes, 3);
    assert_names(&fx_ds.cells.index, cells, 3);
    fx_assert_ok(fx_read(file("#x\nCELL GENE UMI_COUNT\nc1 CD3E 1\nc4 CD3E 7\nc1 LYZ 1\nc1 CD3E 1\n"
                              "c4 LYZ 1\nc2 MS4A1 5")));
    assert_string_equal(fx_ds.format, "long-table");
    fx_assert_dense(&fx_ds.counts, dense, 3, 3);
    assert_true(fx_has_note("more than once: 1"));
    fx_assert_ok(fx_read_with(file("barcode,sample,symbol,counts\nc1,s,CD3E,2\n"),
                              (ql_read_options){.format = "long-table"}));
    assert_string_equal(ql_name(&fx_ds.genes.index, 0), "CD3E");
    fx_assert_ok(fx_read_with(file("CD3E,\"c,1\",2\n"),
                              (ql_read_options){.format = "long-table", .no_header = true}));
    assert_string_equal(ql_name(&fx_ds.cells.index, 0), "c,1");
}

static void test_long_malformed(void **state)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"gene\tcell\tcount\nA\tc1\t1\nA\tc2\tNA\n",
         "line 3: the count of gene \"A\", cell \"c2\": \"NA\" is a missing value"},
        {"gene\tcell\tcount\nA\tc1\t1\nA\tc2\n", "line 3: has 2 fields, 3 expected"},
        {"gene\tcell\tcount\nA\tc1\t1\t2\n", "line 2: has 4 fields, 3 expected"},
        {"gene\tcell\tcount\nA\tc1\t1.5\n", "is 1.5, no count"},
        {"a\tb\tc\nA\tc1\t1\n", "does not name the columns gene, cell and count"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = file(cases[i].text);
        fx_assert_error(fx_read_with(path, (ql_read_options){.format = "long-table"}), QL_EDATA,
                        path, cases[i].part);
    }
    const char *path = file("gene\tcell\tcount\nA\tc1\t1\nA\tc2");
    fx_assert_error(fx_read(path), QL_EDATA, path, "line 3: has 2 fields");
    fx_assert_text(fx_err.hint, "middle of this line");
}

/* --- large ones --- */

static int value_at(int g, int c)
{
    int x = (g * 7 + c * 13) % 1000;
    return x < 300 ? x : 0;
}

/* The expected matrix, cell by cell. */
static void assert_values(int n_genes, int n_cells)
{
    assert_int_equal(fx_ds.counts.n_rows, n_cells);
    assert_int_equal(fx_ds.counts.n_cols, n_genes);
    fx_assert_sound(&fx_ds.counts);
    for (int c = 0; c < n_cells; c++) {
        int64_t k = fx_ds.counts.indptr[c];
        for (int g = 0; g < n_genes; g++) {
            int x = value_at(g, c);
            if (x == 0) continue;
            assert_int_equal(fx_ds.counts.indices[k], g);
            assert_true(fx_ds.counts.data[k++] == (float)x);
        }
        assert_int_equal(k, fx_ds.counts.indptr[c + 1]);
    }
}

/* 1-based number of a file's last line. */
static int last_line(const char *path)
{
    FILE *f = fopen(path, "rb");
    int n = 1, c;
    assert_non_null(f);
    while ((c = fgetc(f)) != EOF) n += c == '\n';
    (void)fclose(f);
    return n;
}

/* More text than one block, so that pieces and blocks are cut in many places; the same matrix from
 * any number of threads. */
static void test_many_blocks(void **state)
{
    enum { N_GENES = 12000, N_CELLS = 600 };
    (void)state;
    FILE *f = fopen(fx_path("big.csv"), "wb");
    assert_non_null(f);
    for (int c = 0; c < N_CELLS; c++) (void)fprintf(f, ",c%d", c);
    (void)fputc('\n', f);
    for (int g = 0; g < N_GENES; g++) {
        (void)fprintf(f, "g%d", g);
        for (int c = 0; c < N_CELLS; c++) (void)fprintf(f, ",%d", value_at(g, c));
        (void)fputs(g % 1000 ? "\n" : "\n\n", f);
    }
    assert_int_equal(fclose(f), 0);
    for (int threads = 1; threads <= 3; threads += 2) {
        fx_assert_ok(fx_read_with(fx_path("big.csv"), (ql_read_options){.threads = threads}));
        assert_values(N_GENES, N_CELLS);
        assert_string_equal(ql_name(&fx_ds.genes.index, 11999), "g11999");
    }
    assert_int_equal(truncate(fx_path("big.csv"), 12000000), 0);
    const char *path = fx_path("big.csv");
    char part[64];
    (void)snprintf(part, sizeof part, "line %d: has ", last_line(path));
    fx_assert_error(fx_read(path), QL_EDATA, path, part);
}

/* Lines longer than a block: header and rows. */
static void test_long_lines(void **state)
{
    enum { N_GENES = 3, N_CELLS = 1200000 };
    (void)state;
    FILE *f = fopen(fx_path("wide.tsv"), "wb");
    assert_non_null(f);
    (void)fputs("gene", f);
    for (int c = 0; c < N_CELLS; c++) (void)fprintf(f, "\tcell%d", c);
    (void)fputc('\n', f);
    for (int g = 0; g < N_GENES; g++) {
        (void)fprintf(f, "g%d", g);
        for (int c = 0; c < N_CELLS; c++) (void)fprintf(f, "\t%d.0000", value_at(g, c));
        (void)fputc('\n', f);
    }
    assert_int_equal(fclose(f), 0);
    fx_assert_ok(fx_read(fx_path("wide.tsv")));
    assert_values(N_GENES, N_CELLS);
    assert_string_equal(ql_name(&fx_ds.cells.index, 1199999), "cell1199999");
}

static void test_long_many_blocks(void **state)
{
    enum { N_GENES = 3000, N_CELLS = 1000 };
    (void)state;
    FILE *f = fopen(fx_path("long.tsv"), "wb");
    assert_non_null(f);
    (void)fputs("gene\tcell\tcount\n", f);
    for (int g = 0; g < N_GENES; g++)
        for (int c = 0; c < N_CELLS; c++)
            if (value_at(g, c) || g == 0 || c == 0)
                (void)fprintf(f, "gene%d\tcell_number_%d\t%d\n", g, c, value_at(g, c));
    assert_int_equal(fclose(f), 0);
    fx_assert_ok(fx_read_with(fx_path("long.tsv"), (ql_read_options){.threads = 3}));
    assert_values(N_GENES, N_CELLS);
    assert_string_equal(ql_name(&fx_ds.cells.index, 999), "cell_number_999");
    assert_string_equal(ql_name(&fx_ds.genes.index, 2999), "gene2999");
}

/* --- gzip and pipes --- */

static void test_gzip(void **state)
{
    char bytes[4096];
    (void)state;
    fx_gzip("t.csv.gz", "gene,c1,c2,c3,c4\n" KNOWN);
    fx_assert_ok(fx_read(fx_path("t.csv.gz")));
    assert_known_dataset();
    FILE *f = fopen(fx_path("t.csv.gz"), "rb");
    assert_non_null(f);
    size_t n = fread(bytes, 1, sizeof bytes, f);
    (void)fclose(f);
    fx_bytes("cut.csv.gz", bytes, n - 8);
    const char *path = fx_path("cut.csv.gz");
    fx_assert_error(fx_read(path), QL_EDATA, path, "incomplete gzip stream");
    bytes[n - 6] ^= 0x10;
    fx_bytes("crc.csv.gz", bytes, n);
    path = fx_path("crc.csv.gz");
    fx_assert_error(fx_read(path), QL_EDATA, path, "checksum");
}

/* A FIFO that another process writes the bytes to. */
static const char *fifo(const char *name, const char *bytes, size_t n, pid_t *child)
{
    assert_int_equal(mkfifo(fx_path(name), 0666), 0);
    *child = fork();
    if (*child == 0) {
        FILE *f = fopen(fx_path(name), "wb");
        (void)fwrite(bytes, 1, n, f);
        (void)fclose(f);
        _exit(0);
    }
    return fx_path(name);
}

static void test_pipes(void **state)
{
    static const char hdf5[] = "\x89HDF\r\n\x1a\n........";
    const char *text = "gene,c1,c2,c3,c4\n" KNOWN;
    pid_t child;
    (void)state;
    const char *path = fifo("pipe", text, strlen(text), &child);
    fx_assert_ok(fx_read(path));
    (void)waitpid(child, NULL, 0);
    assert_known_dataset();
    assert_string_equal(fx_ds.path, path);
    fx_assert_ok(fx_read(path)); /* the writer is gone, the copy is not */
    assert_known_dataset();
    path = fifo("pipe_h5", hdf5, sizeof hdf5 - 1, &child);
    fx_assert_error(fx_read(path), QL_ENOINPUT, path, "HDF5 through a pipe");
    (void)waitpid(child, NULL, 0);
    path = fifo("pipe_empty", "", 0, &child);
    fx_assert_error(fx_read(path), QL_EDATA, path, "is empty");
    (void)waitpid(child, NULL, 0);
    path = fifo("pipe_bad", "gene,c1\nA,NA\n", 13, &child);
    fx_assert_error(fx_read(path), QL_EDATA, path, "line 2");
    assert_null(strstr(fx_err.msg, "/proc/"));
    (void)waitpid(child, NULL, 0);
    fx_assert_error(fx_read("/dev/zero"), QL_EDATA, "/dev/zero", "no known format");
}

/* Every allocation in turn fails: an error, no crash, nothing lost. */
static void test_no_memory(void **state)
{
    static const struct {
        const char *format, *text;
    } cases[] = {
        {"table", "transcript_id,gene_id,\"c\"\"1\"\n\"A\"\"\",g,1\nB,g,2\n"},
        {"table", "cell,g1\nc1,5\n"},
        {"long-table", "gene\tcell\tcount\n\"A\"\"\"\tc1\t1\nB\tc2\t2\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *path = file(cases[i].text);
        fx_lacks_memory(&(fx_reading){path, {.format = cases[i].format, .threads = 1}});
        fx_assert_streams_without_memory(path, cases[i].format);
    }
}

/* --- parts --- */

static void test_decimal(void **state)
{
    static const char *const good[] = {"0",
                                       "1",
                                       "-1",
                                       "+2",
                                       "5.0",
                                       ".5",
                                       "5.",
                                       "1e5",
                                       "1E+05",
                                       "1e-3",
                                       "0.1",
                                       "123456789012",
                                       "3.14159",
                                       "1e22",
                                       "0e999",
                                       "1e-400",
                                       "9007199254740992"};
    static const char *const bad[] = {"",    "-",   "+",   ".",   "e5",  "1e",  "1e+", "1.2.3",
                                      "0x1", "1 2", "nan", "inf", "1,5", "--1", "1f"};
    double x;
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_true(ql_decimal(good[i], strlen(good[i]), &x));
        assert_true(x == strtod(good[i], NULL));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(ql_decimal(bad[i], strlen(bad[i]), &x));
    for (const char *s = "0.99129640840456712345678901234567890"; *s; s = "") {
        assert_true(ql_decimal(s, strlen(s), &x));
        assert_true(x > 0.991296408404566 && x < 0.991296408404568);
    }
    assert_true(ql_decimal("123456789012345678901234567890", 30, &x));
    assert_true(x > 1.234567890123456e29 && x < 1.234567890123457e29);
    assert_true(ql_decimal("00000000000000000000000000000012", 32, &x));
    assert_true(x == 12);
    assert_true(ql_decimal("1e18446744073709551617", 22, &x)); /* 2^64 + 1 */
    assert_true(isinf(x) && x > 0);
    assert_true(ql_decimal("1e-18446744073709551617", 23, &x));
    assert_true(x == 0);
    assert_true(ql_decimal("0.000000000000000000000000000005", 32, &x));
    assert_true(x > 4.99e-30 && x < 5.01e-30);
    assert_string_equal(ql_decimal_fault("NaN", 3), "is a missing value");
    assert_string_equal(ql_decimal_fault("-Inf", 4), "is infinite");
}

static void test_intern(void **state)
{
    ql_intern in = {0};
    ql_names list = {0};
    char name[32];
    int32_t number = -1;
    (void)state;
    for (int turn = 0; turn < 2; turn++)
        for (int i = 0; i < 5000; i++) {
            int len = snprintf(name, sizeof name, "name %d", i);
            assert_int_equal(ql_intern_add(&in, name, (size_t)len, &number, NULL), QL_OK);
            assert_int_equal(number, i);
        }
    assert_int_equal(ql_intern_add(&in, "", 0, &number, NULL), QL_OK);
    assert_int_equal(number, 5000);
    assert_int_equal(ql_intern_list(&in, &list, NULL), QL_OK);
    assert_string_equal(ql_name(&list, 4321), "name 4321");
    ql_names_free(&list);
    ql_intern_clear(&in);
    assert_int_equal(ql_intern_add(&in, "x", 1, &number, NULL), QL_OK);
    assert_int_equal(number, 0);
    ql_intern_free(&in);
}

static void test_fields(void **state)
{
    static const struct {
        const char *line;
        char delim;
        int n;
        const char *field[4];
    } cases[] = {
        {"a,b,c", ',', 3, {"a", "b", "c"}},
        {",,", ',', 3, {"", "", ""}},
        {"", ',', 1, {""}},
        {" a b\t c ", ' ', 3, {"a", "b", "c"}},
        {"\"a,b\",\"\"", ',', 2, {"a,b", ""}},
        {"\"a\"b,c", ',', 2, {"\"a\"b", "c"}},
        {"'a b' \"c\"\"d\"", ' ', 2, {"a b", "c\"\"d"}},
        {"'a,b", ',', 2, {"'a", "b"}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ql_fields r = ql_fields_of(cases[i].line, strlen(cases[i].line), cases[i].delim);
        ql_field f;
        for (int k = 0; k < cases[i].n; k++) {
            assert_true(ql_next_field(&r, &f));
            assert_int_equal(f.n, strlen(cases[i].field[k]));
            assert_memory_equal(f.s, cases[i].field[k], f.n);
        }
        assert_false(ql_next_field(&r, &f));
        assert_false(r.unclosed);
    }
    ql_fields r = ql_fields_of("\"a,b", 4, ',');
    ql_field f;
    assert_true(ql_next_field(&r, &f));
    assert_true(r.unclosed);
}

/* --- real files --- */

static void test_real(void **state)
{
    static const struct {
        const char *file;
        int64_t cells, genes;
        double sum; /* 0: no counts */
    } real[] = {{"sc_celseq2.count.csv.gz", 274, 28204, 10321416},
                {"pbmc_raw.txt", 80, 230, 19633},
                {"oligodendroglioma_expression_downsampled.counts.matrix.gz", 184, 10338, 0}};
    const char *shared = fx_shared();
    char path[512];
    (void)state;
    if (!shared) skip();
    for (size_t i = 0; i < sizeof real / sizeof *real; i++) {
        (void)snprintf(path, sizeof path, "%s/data/formats/text/%s", shared, real[i].file);
        bool counts = real[i].sum > 0;
        double sum, max;
        fx_assert_ok(fx_read_with(path, (ql_read_options){.allow_noncounts = !counts}));
        assert_int_equal(fx_ds.counts.n_rows, real[i].cells);
        assert_int_equal(fx_ds.counts.n_cols, real[i].genes);
        assert_int_equal(fx_ds.is_counts, counts);
        fx_assert_sound(&fx_ds.counts);
        fx_sums(&fx_ds.counts, &sum, &max);
        if (counts) assert_true(sum == real[i].sum);
        if (!counts) fx_assert_error(fx_read(path), QL_EDATA, path, "no count");
    }
}

static int teardown(void **state)
{
    fx_release();
    return fx_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_delimiters),
        cmocka_unit_test(test_line_ends),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_orientation),
        cmocka_unit_test(test_orientation_warnings),
        cmocka_unit_test(test_dates),
        cmocka_unit_test(test_numbers_as_names),
        cmocka_unit_test(test_without_names),
        cmocka_unit_test(test_more_columns),
        cmocka_unit_test(test_one_of_each),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_names_alone),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_long),
        cmocka_unit_test(test_long_malformed),
        cmocka_unit_test(test_many_blocks),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_long_many_blocks),
        cmocka_unit_test(test_gzip),
        cmocka_unit_test(test_pipes),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_decimal),
        cmocka_unit_test(test_intern),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_real),
    };
    return cmocka_run_group_tests(tests, fx_setup, teardown);
}
