#include "h5ad_fixture.h"

#include "quell/notes.h"

enum { CELLS = 300, GENES = 700, LATENT = 3 };

static float value_at(int64_t row, int64_t col)
{
    return col % 11 == 0 ? 0.0f : (float)(row % 97) * 0.125f + (float)(col % 31);
}

/* Bits without any order: deflate cannot shrink them. */
static float noise_at(int64_t row, int64_t col)
{
    uint32_t x = (uint32_t)(row * 7919 + col) * 2654435761u;
    x ^= x >> 15;
    x *= 2246822519u;
    x ^= x >> 13;
    x *= 3266489917u;
    x ^= x >> 16;
    if ((x & 0x7f800000u) == 0x7f800000u) x ^= 0x00800000u; /* a number */
    float value;
    memcpy(&value, &x, sizeof value);
    return value;
}

typedef float (*value_fn)(int64_t row, int64_t col);

static void write_dense(ql_h5ad_writer *w, const char *key, int64_t n_rows, int64_t n_cols,
                        value_fn value)
{
    ql_err err = {0};
    int64_t band = 0;
    assert_ok(ql_h5ad_dense_begin(w, key, n_rows, n_cols, &band, &err));
    assert_true(band >= 1);
    float *rows = malloc((size_t)(band * n_cols) * sizeof *rows);
    assert_non_null(rows);
    for (int64_t at = 0; at < n_rows; at += band) {
        int64_t n = n_rows - at < band ? n_rows - at : band;
        for (int64_t i = 0; i < n * n_cols; i++) rows[i] = value(at + i / n_cols, i % n_cols);
        assert_ok(ql_h5ad_dense_rows(w, rows, n, &err));
    }
    assert_ok(ql_h5ad_dense_end(w, &err));
    free(rows);
}

static void write_chosen(ql_h5ad_writer *w, const char *key, int64_t n_cells, int64_t n_genes,
                         const int32_t *cols, int64_t n_kept)
{
    ql_err err = {0};
    int64_t band = 0;
    assert_ok(ql_h5ad_chosen_begin(w, key, n_cells, n_genes, cols, n_kept, &band, &err));
    float *rows = malloc((size_t)(band * n_kept + 1) * sizeof *rows);
    assert_non_null(rows);
    for (int64_t at = 0; at < n_cells; at += band) {
        int64_t n = n_cells - at < band ? n_cells - at : band;
        for (int64_t i = 0; i < n * n_kept; i++)
            rows[i] = value_at(at + i / n_kept, cols[i % n_kept]);
        assert_ok(ql_h5ad_dense_rows(w, rows, n, &err));
    }
    assert_ok(ql_h5ad_dense_end(w, &err));
    free(rows);
}

static void write_embedding(ql_h5ad_writer *w, int64_t n_cells)
{
    ql_err err = {0};
    float *data = malloc((size_t)(n_cells * LATENT + 1) * sizeof *data);
    assert_non_null(data);
    for (int64_t i = 0; i < n_cells * LATENT; i++) data[i] = value_at(i / LATENT, i % LATENT);
    assert_ok(ql_h5ad_matrix(w, "obsm/X_dca", data, n_cells, LATENT, &err));
    free(data);
}

/* One column of each type. */
static void write_columns(ql_h5ad_writer *w, const char *where, int64_t n)
{
    ql_err err = {0};
    ql_frame frame = {0};
    ql_names texts = {0};
    add_names(&frame.index, "ignored", n);
    add_names(&texts, "text ", n);
    size_t size = (size_t)n + 1;
    float *f = calloc(size, sizeof *f);
    double *d = calloc(size, sizeof *d);
    int64_t *k = calloc(size, sizeof *k);
    uint8_t *b = calloc(size, 1);
    for (int64_t i = 0; i < n; i++) {
        f[i] = (float)i / 2;
        d[i] = (double)i / 4;
        k[i] = i - 5;
        b[i] = (uint8_t)(i % 3); /* any value but 0 is true */
    }
    assert_ok(ql_frame_add(&frame, "quell_f32", QL_COL_F32, f, &err));
    assert_ok(ql_frame_add(&frame, "quell_f64", QL_COL_F64, d, &err));
    assert_ok(ql_frame_add(&frame, "quell_int", QL_COL_I64, k, &err));
    assert_ok(ql_frame_add(&frame, "quell_flag", QL_COL_BOOL, b, &err));
    assert_ok(ql_frame_add(&frame, "quell_text", QL_COL_STRING, &texts, &err));
    assert_ok(ql_h5ad_columns(w, where, &frame, &err));
    ql_frame_free(&frame);
    ql_names_free(&texts);
    free(f);
    free(d);
    free(k);
    free(b);
}

static void write_uns(ql_h5ad_writer *w)
{
    ql_err err = {0};
    ql_names texts = {0};
    const double loss[] = {2.5, 1.25, 1.0};
    add_names(&texts, "step ", 2);
    assert_ok(ql_h5ad_claim(w, "uns/quell/denoise", &err));
    assert_ok(ql_h5ad_string(w, "uns/quell/denoise/version", "1.0", &err));
    assert_ok(ql_h5ad_string(w, "uns/quell/denoise/command", "quell denoise caf\xe9.h5", &err));
    assert_ok(ql_h5ad_string(w, "uns/quell/denoise/empty", "", &err));
    assert_ok(ql_h5ad_int(w, "uns/quell/denoise/seed", 1234567890123, &err));
    assert_ok(ql_h5ad_double(w, "uns/quell/denoise/rate", 1e-3, &err));
    assert_ok(ql_h5ad_strings(w, "uns/quell/denoise/steps", &texts, &err));
    assert_ok(ql_h5ad_doubles(w, "uns/quell/denoise/history/loss", loss, 3, &err));
    assert_ok(ql_h5ad_doubles(w, "uns/quell/denoise/history/none", loss, 0, &err));
    ql_names_free(&texts);
}

/* Every kind of result. */
static void write_all(const char *path, const ql_dataset *ds, const ql_write_options *opt,
                      ql_notes *notes)
{
    ql_err err = {0};
    ql_h5ad_writer *w = NULL;
    int64_t cells = ds->counts.n_rows, genes = ds->counts.n_cols;
    const int32_t cols[] = {0, 2, (int32_t)genes - 1};
    assert_ok(ql_h5ad_begin(path, ds, opt, notes, &w, &err));
    write_dense(w, "layers/denoised", cells, genes, value_at);
    write_chosen(w, "layers/chosen", cells, genes, cols, 3);
    write_embedding(w, cells);
    write_columns(w, "obs", cells);
    write_columns(w, "var", genes);
    write_uns(w);
    assert_ok(ql_h5ad_commit(w, &err));
}

static const char all_columns[] = "quell_f32|quell_f64|quell_int|quell_flag|quell_text";

/* ---- what is in a new file ---- */

static void check_sparse(hid_t file, const char *group, const ql_csr *m)
{
    int64_t nnz = ql_csr_nnz(m);
    float *data = malloc((size_t)(nnz + 1) * sizeof *data);
    int32_t *indices = malloc((size_t)(nnz + 1) * sizeof *indices);
    int64_t *indptr = malloc((size_t)(m->n_rows + 1) * sizeof *indptr), shape[2];
    char path[PATH_BYTES];
    assert_attr(file, group, "encoding-type", "csr_matrix");
    in_folder(path, group, "data");
    assert_int_equal(read_dataset(file, path, H5T_NATIVE_FLOAT, data, nnz), nnz);
    in_folder(path, group, "indices");
    assert_int_equal(read_dataset(file, path, H5T_NATIVE_INT32, indices, nnz), nnz);
    in_folder(path, group, "indptr");
    read_dataset(file, path, H5T_NATIVE_INT64, indptr, m->n_rows + 1);
    assert_memory_equal(data, m->data, (size_t)nnz * sizeof *data);
    assert_memory_equal(indices, m->indices, (size_t)nnz * sizeof *indices);
    assert_memory_equal(indptr, m->indptr, (size_t)(m->n_rows + 1) * sizeof *indptr);
    hid_t attr = H5Aopen_by_name(file, group, "shape", H5P_DEFAULT, H5P_DEFAULT);
    assert_true(H5Aread(attr, H5T_NATIVE_INT64, shape) >= 0);
    H5Aclose(attr);
    assert_int_equal(shape[0], m->n_rows);
    assert_int_equal(shape[1], m->n_cols);
    free(data);
    free(indices);
    free(indptr);
}

static void a_new_file_has_every_part(void **state)
{
    static const char *const dicts[] = {"layers", "obsm", "varm",     "obsp",
                                        "varp",   "uns",  "uns/quell"};
    char path[PATH_BYTES], order[256];
    ql_dataset ds;
    in_folder(path, *state, "new.h5ad");
    make_dataset(&ds, CELLS, GENES, "10x-mtx");
    write_all(path, &ds, &(ql_write_options){.deflate = 1, .threads = 2}, NULL);
    hid_t file = open_for_test(path);
    assert_attr(file, "/", "encoding-type", "anndata");
    assert_attr(file, "/", "encoding-version", "0.1.0");
    for (size_t i = 0; i < sizeof dicts / sizeof *dicts; i++) {
        assert_attr(file, dicts[i], "encoding-type", "dict");
    }
    check_sparse(file, "X", &ds.counts);
    assert_attr(file, "obs", "_index", "_index");
    assert_attr(file, "obs", "column-order", all_columns);
    snprintf(order, sizeof order, "gene_ids|%s", all_columns);
    assert_attr(file, "var", "column-order", order);
    assert_attr(file, "obs/quell_text", "encoding-type", "string-array");
    assert_attr(file, "obs/quell_flag", "encoding-type", "array");
    assert_attr(file, "uns/quell/denoise/seed", "encoding-type", "numeric-scalar");
    signed char flags[CELLS];
    assert_int_equal(read_dataset(file, "obs/quell_flag", H5T_NATIVE_SCHAR, flags, CELLS), CELLS);
    for (int i = 0; i < CELLS; i++) assert_int_equal(flags[i], i % 3 != 0);
    int64_t seed = 0;
    read_dataset(file, "uns/quell/denoise/seed", H5T_NATIVE_INT64, &seed, 1);
    assert_int_equal(seed, 1234567890123);
    H5Fclose(file);
    drop_dataset(&ds);
}

static void chosen_columns_are_sparse_rows(void **state)
{
    char path[PATH_BYTES];
    ql_err err = {0};
    ql_dataset ds;
    in_folder(path, *state, "new.h5ad");
    make_dataset(&ds, CELLS, GENES, "10x-mtx");
    write_all(path, &ds, &(ql_write_options){.threads = 2}, NULL);
    ql_csr want = {0};
    const int32_t cols[] = {0, 2, GENES - 1};
    assert_ok(ql_csr_alloc(&want, CELLS, GENES, 3 * CELLS, &err));
    for (int i = 0; i < 3 * CELLS; i++) {
        want.indices[i] = cols[i % 3];
        want.data[i] = value_at(i / 3, cols[i % 3]);
        want.indptr[i / 3 + 1] = i + 1;
    }
    hid_t file = open_for_test(path);
    check_sparse(file, "layers/chosen", &want);
    H5Fclose(file);
    ql_csr_free(&want);
    drop_dataset(&ds);
}

/* ---- dense matrices of all shapes ---- */

static void check_dense(const char *path, int64_t cells, int64_t genes, int level, value_fn value)
{
    ql_err err = {0};
    ql_dataset ds;
    ql_h5ad_writer *w = NULL;
    ql_write_options opt = {.deflate = level, .threads = 3, .force = true};
    make_dataset(&ds, cells, genes, "10x-mtx");
    assert_ok(ql_h5ad_begin(path, &ds, &opt, NULL, &w, &err));
    write_dense(w, "layers/denoised", cells, genes, value);
    assert_ok(ql_h5ad_commit(w, &err));
    drop_dataset(&ds);
    hid_t file = open_for_test(path);
    float *found = malloc((size_t)(cells * genes + 1) * sizeof *found);
    int64_t n = read_dataset(file, "layers/denoised", H5T_NATIVE_FLOAT, found, cells * genes);
    assert_int_equal(n, cells * genes);
    for (int64_t i = 0; i < n; i++) {
        float want = value(i / genes, i % genes);
        if (memcmp(&want, &found[i], sizeof want) == 0) continue;
        fail_msg("%lld x %lld, level %d: entry %lld differs", (long long)cells, (long long)genes,
                 level, (long long)i);
    }
    free(found);
    H5Fclose(file);
}

static void dense_matrices_of_all_shapes(void **state)
{
    static const int64_t shapes[][2] = {{1, 1},     {0, 5},     {5, 1},    {255, 257}, {256, 256},
                                        {257, 513}, {700, 100}, {5000, 3}, {3, 5000}};
    char path[PATH_BYTES];
    in_folder(path, *state, "x.h5ad");
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        for (int level = 0; level <= 6; level += 3) {
            check_dense(path, shapes[i][0], shapes[i][1], level, value_at);
            check_dense(path, shapes[i][0], shapes[i][1], level, noise_at);
        }
    }
}

static unsigned chunk_mask(const char *path)
{
    unsigned mask = 99;
    haddr_t at = 0;
    hsize_t offset[2] = {0, 0}, size = 0;
    hid_t file = open_for_test(path), set = H5Dopen2(file, "layers/denoised", H5P_DEFAULT);
    assert_true(H5Dget_chunk_info_by_coord(set, offset, &mask, &at, &size) >= 0);
    H5Dclose(set);
    H5Fclose(file);
    return mask;
}

static void what_does_not_shrink_is_not_deflated(void **state)
{
    char path[PATH_BYTES];
    in_folder(path, *state, "x.h5ad");
    check_dense(path, 300, 300, 1, noise_at);
    assert_int_equal(chunk_mask(path), 2);
    check_dense(path, 300, 300, 1, value_at);
    assert_int_equal(chunk_mask(path), 0);
}

/* ---- same bytes ---- */

static void write_twice(const char *folder, const char *name, const ql_dataset *ds, bool again)
{
    char path[PATH_BYTES], other[PATH_BYTES];
    snprintf(other, sizeof other, "%.300s/folder", folder);
    if (!again) {
        in_folder(path, folder, name);
        write_all(path, ds, &(ql_write_options){.deflate = 1, .threads = 1, .force = true}, NULL);
        return;
    }
    mkdir(other, 0777);
    in_folder(path, other, "another-name.h5ad");
    write_all(path, ds, &(ql_write_options){.deflate = 1, .threads = 5, .force = true}, NULL);
    in_folder(other, folder, name);
    assert_same_bytes(path, other);
    unlink(path);
    *strrchr(path, '/') = '\0';
    rmdir(path);
}

static void same_content_gives_same_bytes(void **state)
{
    char input[PATH_BYTES];
    ql_dataset ds, on;
    make_dataset(&ds, CELLS, GENES, "10x-mtx");
    make_dataset(&on, CELLS, GENES, "h5ad");
    in_folder(input, *state, "new.h5ad");
    set_text(&on.path, input);
    write_twice(*state, "new.h5ad", &ds, false);
    write_twice(*state, "appended.h5ad", &on, false);
    usleep(1200000); /* time stamps count seconds */
    write_twice(*state, "new.h5ad", &ds, true);
    write_twice(*state, "appended.h5ad", &on, true);
    drop_dataset(&ds);
    drop_dataset(&on);
}

/* ---- adding to an h5ad ---- */

static void results_are_added_to_a_copy(void **state)
{
    char input[PATH_BYTES], path[PATH_BYTES], order[256];
    ql_err err = {0};
    ql_dataset ds;
    ql_h5ad_writer *w = NULL;
    in_folder(input, *state, "in.h5ad");
    in_folder(path, *state, "out.h5ad");
    make_dataset(&ds, CELLS, GENES, "10x-mtx");
    assert_ok(ql_h5ad_begin(input, &ds, &(ql_write_options){0}, NULL, &w, &err));
    assert_ok(ql_h5ad_int(w, "uns/mine", 7, &err));
    assert_ok(ql_h5ad_commit(w, &err));
    set_text(&ds.path, input);
    set_text(&ds.format, "h5ad");
    write_all(path, &ds, &(ql_write_options){0}, NULL);
    hid_t file = open_for_test(path);
    int64_t mine = 0;
    read_dataset(file, "uns/mine", H5T_NATIVE_INT64, &mine, 1);
    assert_int_equal(mine, 7);
    check_sparse(file, "X", &ds.counts);
    snprintf(order, sizeof order, "gene_ids|%s", all_columns);
    assert_attr(file, "var", "column-order", order);
    H5Fclose(file);
    drop_dataset(&ds);
}

/* What one call answers on a fresh writer for ds, without force. */
static void assert_taken(const char *path, const ql_dataset *ds, const char *key)
{
    ql_err err = {0};
    ql_h5ad_writer *w = NULL;
    int64_t band = 0;
    ql_status st;
    assert_ok(ql_h5ad_begin(path, ds, &(ql_write_options){0}, NULL, &w, &err));
    if (strncmp(key, "layers/", 7) == 0) {
        st = ql_h5ad_dense_begin(w, key, ds->counts.n_rows, ds->counts.n_cols, &band, &err);
    } else {
        st = ql_h5ad_claim(w, key, &err);
    }
    assert_int_equal(st, QL_ECREATE);
    assert_non_null(strstr(err.msg, key));
    assert_non_null(strstr(err.hint, "--force"));
    assert_int_equal(ql_h5ad_commit(w, &err), QL_EINTERNAL);
}

static void existing_results_need_force(void **state)
{
    char input[PATH_BYTES], path[PATH_BYTES], order[256];
    ql_dataset ds;
    in_folder(input, *state, "in.h5ad");
    in_folder(path, *state, "out.h5ad");
    make_dataset(&ds, CELLS, GENES, "10x-mtx");
    write_all(input, &ds, &(ql_write_options){.deflate = 1}, NULL);
    set_text(&ds.path, input);
    set_text(&ds.format, "h5ad");
    assert_taken(path, &ds, "layers/denoised");
    assert_taken(path, &ds, "layers/chosen");
    assert_taken(path, &ds, "obsm/X_dca");
    assert_taken(path, &ds, "uns/quell/denoise");
    assert_int_equal(count_files(*state), 1);
    write_all(path, &ds, &(ql_write_options){.force = true}, NULL);
    hid_t file = open_for_test(path);
    assert_attr(file, "obs", "column-order", all_columns);
    snprintf(order, sizeof order, "gene_ids|%s", all_columns);
    assert_attr(file, "var", "column-order", order);
    H5Fclose(file);
    drop_dataset(&ds);
}

static void existing_columns_need_force(void **state)
{
    char input[PATH_BYTES], path[PATH_BYTES];
    ql_err err = {0};
    ql_dataset ds;
    ql_frame frame = {0};
    ql_h5ad_writer *w = NULL;
    int64_t zeros[CELLS] = {0};
    in_folder(input, *state, "in.h5ad");
    in_folder(path, *state, "out.h5ad");
    make_dataset(&ds, CELLS, GENES, "10x-mtx");
    write_all(input, &ds, &(ql_write_options){0}, NULL);
    set_text(&ds.path, input);
    set_text(&ds.format, "h5ad");
    add_names(&frame.index, "c", CELLS);
    assert_ok(ql_frame_add(&frame, "quell_int", QL_COL_I64, zeros, &err));
    assert_ok(ql_h5ad_begin(path, &ds, &(ql_write_options){0}, NULL, &w, &err));
    assert_int_equal(ql_h5ad_columns(w, "obs", &frame, &err), QL_ECREATE);
    assert_non_null(strstr(err.msg, "quell_int"));
    ql_h5ad_abort(w);
    ql_frame_free(&frame);
    drop_dataset(&ds);
}

/* The matrix used has other genes than var: cells and reductions stay, the rest is named. */
static void other_genes_make_a_new_file(void **state)
{
    char input[PATH_BYTES], path[PATH_BYTES], order[512];
    ql_dataset ds, raw;
    ql_notes notes = {0};
    in_folder(input, *state, "in.h5ad");
    in_folder(path, *state, "out.h5ad");
    make_dataset(&ds, CELLS, GENES, "10x-mtx");
    write_all(input, &ds, &(ql_write_options){0}, NULL);
    make_dataset(&raw, CELLS, GENES + 9, "h5ad");
    set_text(&raw.path, input);
    set_text(&raw.matrix, "raw/X");
    raw.genes_differ = true;
    write_all(path, &raw, &(ql_write_options){.force = true}, &notes);
    assert_int_equal(notes.n, 1);
    assert_non_null(strstr(notes.items[0].text, "layers/denoised"));
    assert_non_null(strstr(notes.items[0].text, "layers/chosen"));
    assert_null(strstr(notes.items[0].text, "obsm"));
    hid_t file = open_for_test(path);
    check_sparse(file, "X", &raw.counts);
    assert_attr(file, "obs", "column-order", all_columns);
    snprintf(order, sizeof order, "gene_ids|%s", all_columns);
    assert_attr(file, "var", "column-order", order);
    H5Fclose(file);
    ql_notes_free(&notes);
    drop_dataset(&ds);
    drop_dataset(&raw);
}

static void a_lost_input_is_an_error(void **state)
{
    char path[PATH_BYTES];
    ql_err err = {0};
    ql_dataset ds;
    ql_h5ad_writer *w = NULL;
    in_folder(path, *state, "out.h5ad");
    make_dataset(&ds, 4, 3, "h5ad");
    set_text(&ds.path, "/none/in.h5ad");
    assert_int_equal(ql_h5ad_begin(path, &ds, &(ql_write_options){0}, NULL, &w, &err), QL_ENOINPUT);
    assert_non_null(strstr(err.msg, "/none/in.h5ad"));
    assert_null(w);
    assert_int_equal(count_files(*state), 0);
    drop_dataset(&ds);
}

static void odd_column_names_are_mended(void **state)
{
    char path[PATH_BYTES];
    ql_err err = {0};
    ql_dataset ds;
    ql_h5ad_writer *w = NULL;
    double zeros[3] = {0};
    in_folder(path, *state, "out.h5ad");
    make_dataset(&ds, 4, 3, "text");
    assert_ok(ql_frame_add(&ds.genes, "a/b", QL_COL_F64, zeros, &err));
    assert_ok(ql_frame_add(&ds.genes, "_index", QL_COL_F64, zeros, &err));
    assert_ok(ql_frame_add(&ds.genes, "", QL_COL_F64, zeros, &err));
    assert_ok(ql_frame_add(&ds.genes, ".", QL_COL_F64, zeros, &err));
    assert_ok(ql_h5ad_begin(path, &ds, &(ql_write_options){0}, NULL, &w, &err));
    assert_ok(ql_h5ad_commit(w, &err));
    hid_t file = open_for_test(path);
    assert_attr(file, "var", "column-order", "gene_ids|a_b|column_index|column|column.");
    H5Fclose(file);
    drop_dataset(&ds);
}

/* ---- misuse ---- */

static void wrong_calls_are_internal_errors(void **state)
{
    char path[PATH_BYTES];
    ql_err err = {0};
    ql_dataset ds;
    int64_t band = 0;
    const float x[64] = {0};
    const int32_t bad[] = {2, 1};
    make_dataset(&ds, 4, 3, "10x-mtx");
    in_folder(path, *state, "out.h5ad");
    for (int i = 0; i < 8; i++) {
        ql_h5ad_writer *w = NULL;
        ql_status st = QL_OK;
        assert_ok(ql_h5ad_begin(path, &ds, &(ql_write_options){0}, NULL, &w, &err));
        if (i == 0) st = ql_h5ad_dense_begin(w, "layers/d", 4, 4, &band, &err);
        if (i == 1) st = ql_h5ad_dense_begin(w, "d", 4, 3, &band, &err);
        if (i == 2) st = ql_h5ad_matrix(w, "obsm/X", x, 3, 2, &err);
        if (i == 3) st = ql_h5ad_chosen_begin(w, "layers/d", 4, 3, bad, 2, &band, &err);
        if (i == 4) st = ql_h5ad_int(w, "obs/x", 1, &err);
        if (i == 5) st = ql_h5ad_dense_rows(w, x, 1, &err);
        if (i >= 6) assert_ok(ql_h5ad_dense_begin(w, "layers/d", 4, 3, &band, &err));
        if (i == 6) st = ql_h5ad_dense_end(w, &err);
        if (i == 7) st = ql_h5ad_dense_rows(w, x, 5, &err);
        assert_int_equal(st, QL_EINTERNAL);
        assert_int_equal(ql_h5ad_commit(w, &err), QL_EINTERNAL);
        assert_int_equal(count_files(*state), 0);
    }
    drop_dataset(&ds);
}

/* ---- files for the Python tests ---- */

static void write_samples(void **state)
{
    const char *folder = getenv("QUELL_TEST_FILES");
    char path[PATH_BYTES], input[PATH_BYTES];
    ql_dataset ds;
    (void)state;
    if (!folder) skip();
    ql_write_options opt = {.force = true, .threads = 2};
    make_dataset(&ds, CELLS, GENES, "10x-mtx");
    for (opt.deflate = 0; opt.deflate <= 4; opt.deflate += 4) {
        snprintf(path, sizeof path, "%.400s/new_level%d.h5ad", folder, opt.deflate);
        write_all(path, &ds, &opt, NULL);
    }
    in_folder(input, folder, "new_level4.h5ad");
    in_folder(path, folder, "again.h5ad");
    set_text(&ds.path, input);
    set_text(&ds.format, "h5ad");
    write_all(path, &ds, &opt, NULL);
    drop_dataset(&ds);
}

/* Results added to files of other programs: carried_NAME beside the others. */
static void write_samples_of_real_files(void **state)
{
    static const struct {
        const char *name;
        int64_t cells, genes;
    } files[] = {
        {"anndata08/all_elements_gzip.h5ad", 30, 20},
        {"anndata08/csr_f32_plain.h5ad", 30, 40},
        {"anndata08/csc_i32_gzip.h5ad", 30, 40},
        {"anndata08/csr_lzf.h5ad", 30, 40},
        {"anndata08/dense_f32_gzip_shuffle_chunked.h5ad", 30, 40},
        {"anndata08/no_X_layers_only.h5ad", 30, 40},
        {"anndata08/layout_of_0.7.h5ad", 30, 40},
        {"anndata013/nullable_string_names.h5ad", 12, 300},
        {"anndata013/null_in_uns.h5ad", 12, 300},
    };
    const char *folder = getenv("QUELL_TEST_FILES"), *shared = getenv("QUELL_SHARED");
    char path[PATH_BYTES], input[PATH_BYTES];
    (void)state;
    for (size_t i = 0; folder && i < sizeof files / sizeof *files; i++) {
        ql_dataset ds;
        snprintf(input, sizeof input, "%.300s/data/formats/%s", shared ? shared : "../shared",
                 files[i].name);
        if (access(input, R_OK) != 0) skip();
        snprintf(path, sizeof path, "%.300s/carried_%s", folder, strchr(files[i].name, '/') + 1);
        make_dataset(&ds, files[i].cells, files[i].genes, "h5ad");
        set_text(&ds.path, input);
        write_all(path, &ds, &(ql_write_options){.force = true, .deflate = 1}, NULL);
        drop_dataset(&ds);
    }
    if (!folder) skip();
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, new_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_new_file_has_every_part),     IN_FOLDER(chosen_columns_are_sparse_rows),
        IN_FOLDER(dense_matrices_of_all_shapes),  IN_FOLDER(what_does_not_shrink_is_not_deflated),
        IN_FOLDER(same_content_gives_same_bytes), IN_FOLDER(results_are_added_to_a_copy),
        IN_FOLDER(existing_results_need_force),   IN_FOLDER(existing_columns_need_force),
        IN_FOLDER(other_genes_make_a_new_file),   IN_FOLDER(a_lost_input_is_an_error),
        IN_FOLDER(odd_column_names_are_mended),   IN_FOLDER(wrong_calls_are_internal_errors),
        cmocka_unit_test(write_samples),          cmocka_unit_test(write_samples_of_real_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
