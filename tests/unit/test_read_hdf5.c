/* The other layouts of HDF5: old h5ad, h5mu, loom, several genomes, a dataset by name; and that no
 * failure of an allocation on the way leaks or is taken for something else. */
#include "fixture_h5.h"
#include "quell/alloc.h"

/* --- old h5ad --- */

typedef struct {
    const char *index;
    float depth;
    int8_t label;
} old_row;

static hid_t old_type(hid_t text)
{
    hid_t type = H5Tcreate(H5T_COMPOUND, sizeof(old_row));
    H5Tinsert(type, "index", HOFFSET(old_row, index), text);
    H5Tinsert(type, "depth", HOFFSET(old_row, depth), H5T_NATIVE_FLOAT);
    H5Tinsert(type, "label", HOFFSET(old_row, label), H5T_NATIVE_INT8);
    return type;
}

static void put_old_frame(hid_t file, const char *name, hsize_t n, const char *const *names)
{
    old_row rows[FX_CELLS];
    hid_t text = fx_h5_text_type(), type = old_type(text);
    for (hsize_t i = 0; i < n; i++)
        rows[i] = (old_row){names[i], (float)i / 2, (int8_t)((int)i % 3 - 1)};
    fx_h5_data(file, name, type, 1, &n, NULL, 0, type, rows);
    H5Tclose(type);
    H5Tclose(text);
}

static hid_t make_old(const char *name)
{
    static const char *const words[] = {"B", "T"};
    static const int64_t shape[2] = {FX_CELLS, FX_GENES};
    hid_t file = fx_h5_create(name);
    put_old_frame(file, "obs", FX_CELLS, fx_cells);
    put_old_frame(file, "var", FX_GENES, fx_genes);
    fx_h5_csr(file, "X");
    H5Adelete_by_name(file, "X", "encoding-type", H5P_DEFAULT);
    H5Adelete_by_name(file, "X", "shape", H5P_DEFAULT);
    fx_h5_attr(file, "X", "h5sparse_format", "csr");
    fx_h5_attr_ints(file, "X", "h5sparse_shape", shape, 2);
    fx_h5_group(file, "uns");
    fx_h5_strings(file, "uns/label_categories", 2, words);
    return file;
}

static void test_old_h5ad(void **state)
{
    (void)state;
    H5Fclose(make_old("old.h5ad"));
    fx_assert_ok(fx_read(fx_path("old.h5ad")));
    fx_assert_dense(&fx_ds.counts, fx_dense, FX_CELLS, FX_GENES);
    assert_string_equal(fx_ds.format, "h5ad-old");
    assert_string_equal(ql_name(&fx_ds.cells.index, 3), "AACA-1");
    assert_string_equal(ql_name(&fx_ds.genes.index, 1), "MS4A1");
    const ql_column *label = ql_frame_column(&fx_ds.cells, "label");
    assert_non_null(label);
    assert_string_equal(ql_name(&label->strings, 0), "");
    assert_string_equal(ql_name(&label->strings, 1), "B");
    assert_string_equal(ql_name(&label->strings, 2), "T");
    const ql_column *depth = ql_frame_column(&fx_ds.genes, "depth");
    assert_non_null(depth);
    assert_int_equal(depth->type, QL_COL_F32);
    assert_true(((const float *)depth->values)[1] == 0.5f);
}

/* --- h5mu --- */

static hid_t make_h5mu(const char *name, const char *const *modalities, int n)
{
    char group[32], inner[48];
    hid_t fcpl = H5Pcreate(H5P_FILE_CREATE);
    H5Pset_userblock(fcpl, 512);
    hid_t file = H5Fcreate(fx_path(name), H5F_ACC_TRUNC, fcpl, H5P_DEFAULT);
    assert_true(file >= 0);
    H5Pclose(fcpl);
    fx_h5_group(file, "obs");
    for (int i = 0; i < n; i++) {
        (void)snprintf(group, sizeof group, "mod/%.16s", modalities[i]);
        fx_h5_group(file, group);
        (void)snprintf(inner, sizeof inner, "%s/X", group);
        fx_h5_csr(file, inner);
        (void)snprintf(inner, sizeof inner, "%s/obs", group);
        fx_h5_frame(file, inner, FX_CELLS, fx_cells);
        (void)snprintf(inner, sizeof inner, "%s/var", group);
        fx_h5_frame(file, inner, FX_GENES, fx_genes);
    }
    return file;
}

static void test_h5mu(void **state)
{
    static const char *const with_rna[] = {"prot", "rna"}, *const without[] = {"atac", "prot"};
    (void)state;
    H5Fclose(make_h5mu("a.h5mu", with_rna, 2));
    fx_assert_ok(fx_read(fx_path("a.h5mu")));
    fx_assert_dense(&fx_ds.counts, fx_dense, FX_CELLS, FX_GENES);
    assert_string_equal(fx_ds.matrix, "mod/rna/X");
    H5Fclose(make_h5mu("b.h5mu", without, 2));
    const char *path = fx_path("b.h5mu");
    fx_assert_error(fx_read(path), QL_EDATA, path, "none of them called rna: atac, prot");
    fx_assert_text(fx_err.hint, "--modality");
    fx_assert_ok(fx_read_with(path, (ql_read_options){.modality = "prot"}));
    assert_string_equal(fx_ds.matrix, "mod/prot/X");
    hid_t file = fx_h5_edit("b.h5mu");
    fx_h5_delete(file, "mod/prot/X/data");
    H5Fclose(file);
    fx_assert_error(fx_read_with(path, (ql_read_options){.modality = "prot"}), QL_EDATA, path,
                    "mod/prot: /X/data: is missing");
}

/* A modality that is a link to another file is none. */
static void test_h5mu_links(void **state)
{
    static const char *const one[] = {"prot"};
    (void)state;
    H5Fclose(fx_h5ad("other.h5ad"));
    hid_t file = make_h5mu("l.h5mu", one, 1);
    H5Lcreate_external(fx_path("other.h5ad"), "/", file, "mod/rna", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/nowhere", file, "mod/dangling", H5P_DEFAULT, H5P_DEFAULT);
    H5Fclose(file);
    fx_assert_ok(fx_read(fx_path("l.h5mu")));
    assert_string_equal(fx_ds.matrix, "mod/prot/X");
}

/* --- loom --- */

static hid_t make_loom(const char *name, const hsize_t *chunk, unsigned filters)
{
    const hsize_t dim[2] = {FX_GENES, FX_CELLS};
    float turned[FX_CELLS * FX_GENES];
    for (int i = 0; i < FX_CELLS; i++)
        for (int j = 0; j < FX_GENES; j++) turned[j * FX_CELLS + i] = fx_dense[i * FX_GENES + j];
    hid_t file = fx_h5_create(name);
    fx_h5_data(file, "matrix", H5T_IEEE_F32LE, 2, dim, chunk, filters, H5T_NATIVE_FLOAT, turned);
    fx_h5_group(file, "row_attrs");
    fx_h5_group(file, "col_attrs");
    fx_h5_strings(file, "row_attrs/Gene", FX_GENES, fx_genes);
    fx_h5_strings(file, "col_attrs/CellID", FX_CELLS, fx_cells);
    return file;
}

static void test_loom(void **state)
{
    static const hsize_t chunks[][2] = {{1, 1}, {2, 3}, {3, 4}};
    (void)state;
    for (int i = 0; i < 3; i++) {
        H5Fclose(make_loom("a.loom", chunks[i], FX_DEFLATE | FX_SHUFFLE));
        fx_assert_ok(fx_read_with(fx_path("a.loom"), (ql_read_options){.threads = 1 + i}));
        fx_assert_dense(&fx_ds.counts, fx_dense, FX_CELLS, FX_GENES);
        assert_string_equal(ql_name(&fx_ds.cells.index, 1), "AAAG-1");
        assert_string_equal(ql_name(&fx_ds.genes.index, 2), "LYZ");
    }
}

/* A damaged chunk is named, also where it is decoded here. */
static void test_loom_damage(void **state)
{
    static const hsize_t chunk[2] = {2, 3};
    unsigned char byte[8];
    hsize_t offset[2] = {2, 3}, bytes;
    haddr_t at;
    unsigned mask;
    (void)state;
    hid_t file = make_loom("d.loom", chunk, FX_DEFLATE);
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    hid_t data = H5Dopen2(file, "matrix", H5P_DEFAULT);
    assert_true(H5Dget_chunk_info_by_coord(data, offset, &mask, &at, &bytes) >= 0);
    H5Dclose(data);
    H5Fclose(file);
    FILE *f = fopen(fx_path("d.loom"), "r+b");
    assert_non_null(f);
    memset(byte, 0x5A, sizeof byte);
    assert_int_equal(fseek(f, (long)at, SEEK_SET), 0);
    assert_int_equal(fwrite(byte, 1, sizeof byte, f), sizeof byte);
    assert_int_equal(fclose(f), 0);
    const char *path = fx_path("d.loom");
    fx_assert_error(fx_read(path), QL_EDATA, path, "/matrix: chunk 3 (rows from 2) is damaged");
}

static void test_loom_errors(void **state)
{
    const hsize_t short_names[1] = {FX_CELLS - 1};
    (void)state;
    hid_t file = make_loom("e.loom", NULL, 0), type = fx_h5_text_type();
    fx_h5_data(file, "col_attrs/CellID", type, 1, short_names, NULL, 0, type, fx_cells);
    H5Tclose(type);
    H5Fclose(file);
    const char *path = fx_path("e.loom");
    fx_assert_error(fx_read(path), QL_EDATA, path,
                    "/col_attrs/CellID: has 3 values, but /matrix has 4 cells");
    const hsize_t long_names[1] = {FX_CELLS + 1};
    const char *const names[FX_CELLS + 1] = {"a", "b", "c", "d", "e"};
    file = make_loom("e.loom", NULL, 0), type = fx_h5_text_type();
    fx_h5_data(file, "col_attrs/CellID", type, 1, long_names, NULL, 0, type, names);
    H5Tclose(type);
    H5Fclose(file);
    fx_assert_error(fx_read(path), QL_EDATA, path,
                    "/col_attrs/CellID: has 5 values, but /matrix has 4 cells");
    fx_assert_error(fx_read_with(path, (ql_read_options){.layer = "x"}), QL_EDATA, path,
                    "has no layer \"x\" (it has: (none))");
    fx_assert_error(fx_read_with(path, (ql_read_options){.use_raw = true}), QL_EDATA, path,
                    "no raw/X");
}

/* --- several genomes, a dataset by name --- */

static void put_genome(hid_t file, const char *group, const char *const *cells)
{
    static const int64_t shape[2] = {FX_GENES, FX_CELLS};
    fx_h5_group(file, group);
    fx_h5_ints(file, fx_in(group, "shape"), H5T_STD_I32LE, 2, shape);
    fx_h5_counts(file, group, H5T_STD_I64LE, H5T_STD_I32LE);
    fx_h5_strings(file, fx_in(group, "barcodes"), FX_CELLS, cells);
    fx_h5_strings(file, fx_in(group, "genes"), FX_GENES, fx_genes);
}

static void make_genomes(const char *name)
{
    static const char *const others[] = {"AACA-1", "TTTT-1", "AAAC-1", "GGGG-1"};
    hid_t file = fx_h5_create(name);
    put_genome(file, "hg19", fx_cells);
    put_genome(file, "mm10", others);
    H5Fclose(file);
}

static void test_genomes(void **state)
{
    /* AAAC, AAAG, AAAT, AACA, then TTTT and GGGG */
    static const float joined[6 * 6] = {2, 0, 1, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                        7, 0, 1, 2, 0, 1, 0, 0, 0, 0, 5, 0, 0, 0, 0, 7, 0, 1};
    (void)state;
    make_genomes("g.h5");
    fx_assert_ok(fx_read(fx_path("g.h5")));
    fx_assert_dense(&fx_ds.counts, joined, 6, 6);
    assert_string_equal(fx_ds.matrix, "hg19+mm10");
    assert_string_equal(ql_name(&fx_ds.cells.index, 4), "TTTT-1");
    assert_string_equal(ql_name(&fx_ds.genes.index, 3), "CD3E-1");
    assert_string_equal(ql_name(&ql_frame_column(&fx_ds.genes, "genome")->strings, 3), "mm10");
    assert_true(fx_has_note("joined the genomes hg19 (3 genes, 4 barcodes), mm10"));
}

static void make_plain(const char *name)
{
    const hsize_t dim[2] = {FX_CELLS, FX_GENES};
    hid_t file = fx_h5_create(name);
    fx_h5_data(file, "X", H5T_IEEE_F64BE, 2, dim, NULL, 0, H5T_NATIVE_FLOAT, fx_dense);
    H5Fclose(file);
}

static void test_dataset(void **state)
{
    (void)state;
    make_plain("p.h5");
    const char *path = fx_path("p.h5");
    fx_assert_error(fx_read(path), QL_EDATA, path, "dataset X but without obs and var");
    fx_assert_ok(fx_read_with(path, (ql_read_options){.dataset = "/X"}));
    fx_assert_dense(&fx_ds.counts, fx_dense, FX_CELLS, FX_GENES);
    assert_string_equal(ql_name(&fx_ds.cells.index, 3), "cell_4");
    assert_string_equal(ql_name(&fx_ds.genes.index, 0), "gene_1");
    fx_text("genes", "a\nb\n");
    fx_assert_error(
        fx_read_with(path, (ql_read_options){.dataset = "X", .genes_file = fx_path("genes")}),
        QL_EDATA, path, "has 2 lines, but there are 3 genes");
    assert_int_equal(fx_read_with(path, (ql_read_options){.format = "hdf5"}), QL_EUSAGE);
}

/* --- lack of memory --- */

typedef struct {
    const char *path;
    ql_read_options opt;
    bool known; /* what it holds, as it was read and described before */
    int64_t wanted[8];
} looking;

static ql_status look(void *ctx, ql_err *err)
{
    looking *l = ctx;
    const ql_format *format = NULL;
    ql_read_sizes z;
    ql_dataset ds = {0};
    ql_notes notes = {0};
    ql_str text = {0};
    ql_status st;
    QL_GO(ql_format_detect(l->path, &l->opt, &format, err));
    QL_GO(ql_describe_input(format, l->path, &text, err));
    QL_GO(ql_read_measure(l->path, &l->opt, &z, err));
    QL_GO(ql_read_counts(l->path, &l->opt, &ds, &notes, err));
    const int64_t got[] = {z.n_rows,           z.nnz,
                           (int64_t)text.len,  ds.counts.n_rows,
                           ds.counts.n_cols,   ql_csr_nnz(&ds.counts),
                           ds.cells.n_columns, ds.genes.n_columns};
    for (int i = 0; l->known && i < 8; i++) assert_int_equal(got[i], l->wanted[i]);
    memcpy(l->wanted, got, sizeof got);
out:
    ql_str_free(&text);
    ql_dataset_free(&ds);
    ql_notes_free(&notes);
    return st;
}

/* Whichever allocation fails: it says so, or nothing is missed. */
static void assert_not_missed(const char *path, ql_read_options opt)
{
    looking l = {.path = path, .opt = opt};
    l.opt.threads = 2;
    l.opt.columns = true;
    fx_release();
    fx_assert_ok(look(&l, &fx_err));
    l.known = true;
    assert_true(fail_each_allocation(NULL, look, &l) > 10);
}

static void put_attr(hid_t file, const char *path, const char *name, hid_t type, const void *value)
{
    const hsize_t one = 1;
    hid_t space = H5Screate_simple(1, &one, NULL);
    hid_t attr =
        H5Acreate_by_name(file, path, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    assert_true(attr >= 0 && H5Awrite(attr, type, value) >= 0);
    H5Aclose(attr);
    H5Sclose(space);
}

/* With a list of columns, the only one of them a category of anndata 0.7. */
static void make_h5ad(const char *name)
{
    static const char *const order = "kind";
    static const char *const kinds[] = {"b", "t"};
    static const int64_t codes[FX_CELLS] = {0, 1, 1, 0};
    hid_t file = fx_h5ad(name);
    hobj_ref_t ref;
    hid_t type = fx_h5_text_type();
    put_attr(file, "obs", "column-order", type, &order);
    H5Tclose(type);
    fx_h5_ints(file, "obs/kind", H5T_STD_I8LE, FX_CELLS, codes);
    fx_h5_group(file, "obs/__categories");
    fx_h5_strings(file, "obs/__categories/kind", 2, kinds);
    assert_true(H5Rcreate(&ref, file, "obs/__categories/kind", H5R_OBJECT, -1) >= 0);
    put_attr(file, "obs/kind", "categories", H5T_STD_REF_OBJ, &ref);
    H5Fclose(file);
}

static void test_lack_of_memory(void **state)
{
    static const char *const modalities[] = {"rna"};
    static const hsize_t chunk[2] = {2, 3};
    (void)state;
    H5Fclose(make_old("m.h5ad"));
    assert_not_missed(fx_path("m.h5ad"), (ql_read_options){0});
    H5Fclose(make_h5mu("m.h5mu", modalities, 1));
    assert_not_missed(fx_path("m.h5mu"), (ql_read_options){0});
    H5Fclose(make_loom("m.loom", chunk, FX_DEFLATE));
    assert_not_missed(fx_path("m.loom"), (ql_read_options){0});
    make_genomes("m.h5");
    assert_not_missed(fx_path("m.h5"), (ql_read_options){0});
    make_plain("mp.h5");
    assert_not_missed(fx_path("mp.h5"), (ql_read_options){.dataset = "X"});
    make_h5ad("m7.h5ad");
    assert_not_missed(fx_path("m7.h5ad"), (ql_read_options){0});
    H5Fclose(fx_h5_10x("mt.h5"));
    assert_not_missed(fx_path("mt.h5"), (ql_read_options){0});
}

static int teardown(void **state)
{
    fx_release();
    return fx_teardown(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_old_h5ad),       cmocka_unit_test(test_h5mu),
        cmocka_unit_test(test_h5mu_links),     cmocka_unit_test(test_loom),
        cmocka_unit_test(test_loom_damage),    cmocka_unit_test(test_loom_errors),
        cmocka_unit_test(test_genomes),        cmocka_unit_test(test_dataset),
        cmocka_unit_test(test_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, fx_setup, teardown);
}
