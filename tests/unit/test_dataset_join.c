/* Joins of datasets against dense twins; names, columns and what is said of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/cmd/input/sample_names.h"
#include "fixture_alloc.h"
#include "quell/dataset_join.h"
#include "quell/rng.h"
#include "quell/strbuf.h"

static ql_err err;
static ql_notes notes;

static int clean(void **state)
{
    (void)state;
    ql_notes_free(&notes);
    err = (ql_err){0};
    return 0;
}

static void assert_ok(ql_status st)
{
    if (st != QL_OK) fail_msg("%s", err.msg);
}

/* Names separated by blanks. */
static void add_words(ql_names *names, const char *words)
{
    for (const char *s = words; *s;) {
        size_t n = strcspn(s, " ");
        assert_int_equal(ql_names_add(names, s, n, NULL), QL_OK);
        s += n;
        s += strspn(s, " ");
    }
}

static void set_texts(ql_dataset *ds, const char *path)
{
    assert_int_equal(ql_text_copy(path, &ds->path, NULL), QL_OK);
    assert_int_equal(ql_text_copy("h5ad", &ds->format, NULL), QL_OK);
    assert_int_equal(ql_text_copy("X", &ds->matrix, NULL), QL_OK);
    ds->is_counts = true;
}

/* A dataset of the named cells and genes; entries row by row, 0: not stored. */
static ql_dataset make(const char *path, const char *cells, const char *genes, const float *x)
{
    ql_dataset ds = {0};
    add_words(&ds.cells.index, cells);
    add_words(&ds.genes.index, genes);
    int64_t n = ds.cells.index.n, m = ds.genes.index.n, nnz = 0;
    assert_int_equal(ql_csr_alloc(&ds.counts, n, m, n * m, NULL), QL_OK);
    for (int64_t i = 0; i < n; i++) {
        for (int64_t g = 0; g < m; g++) {
            if (x[i * m + g] == 0) continue;
            ds.counts.indices[nnz] = (int32_t)g;
            ds.counts.data[nnz++] = x[i * m + g];
        }
        ds.counts.indptr[i + 1] = nnz;
    }
    set_texts(&ds, path);
    return ds;
}

static void add_text(ql_frame *frame, const char *name, const char *words)
{
    ql_names values = {0};
    add_words(&values, words);
    assert_ok(ql_frame_add(frame, name, QL_COL_STRING, &values, &err));
    ql_names_free(&values);
}

static ql_status join(ql_join_how how, ql_dataset *parts, int n, ql_dataset *out)
{
    static const char *const samples[] = {"one", "two", "three", "four", "five"};
    ql_join *j = NULL;
    ql_status st = ql_join_new(how, 2, &j, &err);
    for (int i = 0; i < n; i++) {
        if (st == QL_OK) st = ql_join_add(j, &parts[i], samples[i], &err);
        ql_dataset_free(&parts[i]);
        parts[i] = (ql_dataset){0};
    }
    if (st == QL_OK) st = ql_join_finish(j, out, &notes, &err);
    ql_join_free(j);
    return st;
}

static void assert_words(const ql_names *names, const char *words)
{
    ql_names expected = {0};
    add_words(&expected, words);
    assert_int_equal(names->n, expected.n);
    for (int64_t i = 0; i < expected.n; i++)
        assert_string_equal(ql_name(names, i), ql_name(&expected, i));
    ql_names_free(&expected);
}

static void assert_counts(const ql_csr *m, const float *x, int64_t n_rows, int64_t n_cols)
{
    int64_t stored = 0;
    assert_int_equal(m->n_rows, n_rows);
    assert_int_equal(m->n_cols, n_cols);
    for (int64_t i = 0; i < n_rows; i++) {
        for (int64_t k = m->indptr[i]; k < m->indptr[i + 1]; k++) {
            if (k > m->indptr[i]) assert_true(m->indices[k] > m->indices[k - 1]);
            assert_true(m->data[k] == x[i * n_cols + m->indices[k]]);
        }
        for (int64_t g = 0; g < n_cols; g++) stored += x[i * n_cols + g] != 0;
    }
    assert_int_equal(ql_csr_nnz(m), stored);
}

static bool noted(const char *words)
{
    for (int i = 0; i < notes.n; i++)
        if (strstr(notes.items[i].text, words)) return true;
    return false;
}

static const float first_x[] = {1, 2, 0, 4, /**/ 0, 6, 7, 8};
static const float second_x[] = {10, 20, 30, /**/ 40, 0, 60};

static void make_two(ql_dataset parts[2])
{
    parts[0] = make("a.h5ad", "c1 c2", "A B C D", first_x);
    parts[1] = make("b.h5ad", "d1 d2", "D X B", second_x);
}

static void inner_keeps_the_order_of_the_first(void **state)
{
    static const float x[] = {2, 4, /**/ 6, 8, /**/ 30, 10, /**/ 60, 40};
    ql_dataset parts[2], all = {0};
    (void)state;
    make_two(parts);
    assert_ok(join(QL_JOIN_INNER, parts, 2, &all));
    assert_words(&all.genes.index, "B D");
    assert_words(&all.cells.index, "c1 c2 d1 d2");
    assert_words(&ql_frame_column(&all.cells, "sample")->strings, "one one two two");
    assert_counts(&all.counts, x, 4, 2);
    assert_string_equal(all.path, "a.h5ad, b.h5ad");
    assert_string_equal(all.format, "joined");
    assert_string_equal(all.matrix, "X");
    assert_true(all.is_counts);
    assert_true(noted("a.h5ad: sample one, 2 cells; 2 of its 4 genes"));
    assert_true(noted("28.6 % of its counts")); /* 8 of 28 */
    assert_true(noted("12.5 % of its counts")); /* 20 of 160 */
    ql_dataset_free(&all);
}

static void outer_appends_what_is_new(void **state)
{
    static const float x[] = {1, 2,  0, 4,  0,  /**/ 0, 6,  7, 8,  0, /**/
                              0, 30, 0, 10, 20, /**/ 0, 60, 0, 40, 0};
    ql_dataset parts[2], all = {0};
    (void)state;
    make_two(parts);
    assert_ok(join(QL_JOIN_OUTER, parts, 2, &all));
    assert_words(&all.genes.index, "A B C D X");
    assert_counts(&all.counts, x, 4, 5);
    assert_true(noted("a.h5ad: sample one, 2 cells; 1 of the 5 genes"));
    assert_true(noted("b.h5ad: sample two, 2 cells; 2 of the 5 genes"));
    ql_dataset_free(&all);
}

static void a_gene_that_one_input_lacks_stays_out(void **state)
{
    static const float x[] = {1, 2}, y[] = {3}, z[] = {4, 5};
    static const float inner[] = {1, 3, 5}, outer[] = {1, 2, /**/ 3, 0, /**/ 5, 4};
    for (int how = 0; how < 2; how++) {
        ql_dataset all = {0}, parts[3] = {make("a", "c", "A B", x), make("b", "d", "A", y),
                                          make("c", "e", "B A", z)};
        assert_ok(join(how ? QL_JOIN_OUTER : QL_JOIN_INNER, parts, 3, &all));
        assert_words(&all.genes.index, how ? "A B" : "A");
        assert_counts(&all.counts, how ? outer : inner, 3, how ? 2 : 1);
        ql_dataset_free(&all);
    }
    (void)state;
}

static void no_gene_is_in_all(void **state)
{
    static const float x[] = {1, 2};
    ql_dataset all = {0}, parts[3] = {make("a", "c", "A B", x), make("b", "d", "B C", x),
                                      make("c", "e", "A D", x)};
    (void)state;
    assert_int_equal(join(QL_JOIN_INNER, parts, 3, &all), QL_EDATA);
    assert_non_null(strstr(err.msg, "no gene in common"));
}

static void strangers_are_refused(void **state)
{
    static const float x[] = {1, 2};
    for (int how = 0; how < 2; how++) {
        ql_dataset all = {0}, parts[2] = {make("a", "c", "A B", x), make("b", "d", "E1 E2", x)};
        assert_int_equal(join(how ? QL_JOIN_OUTER : QL_JOIN_INNER, parts, 2, &all), QL_EDATA);
        assert_string_equal(err.msg,
                            "b: shares no gene with a (\"E1\" and the like here, \"A\" there)");
        assert_non_null(strstr(err.hint, "species"));
        for (int side = 0; side < 2; side++) {
            parts[0] = make("a", "c", "A B", x);
            parts[1] = make("b", "d", "E1 E2", x);
            add_text(&parts[side].genes, "other", side ? "A B" : "E2 E1");
            assert_int_equal(join(how ? QL_JOIN_OUTER : QL_JOIN_INNER, parts, 2, &all), QL_EDATA);
            assert_non_null(strstr(err.hint, side ? "b has such names in var['other']"
                                                  : "a has such names in var['other']"));
        }
    }
    (void)state;
}

static void repeated_cells_get_their_sample(void **state)
{
    static const float x[] = {1, 2, 3};
    ql_dataset all = {0}, parts[3] = {make("a", "c1 c2 c3", "A", x), make("b", "c2 c4 c1", "A", x),
                                      make("c", "c5 c2 c6", "A", x)};
    (void)state;
    assert_ok(join(QL_JOIN_INNER, parts, 3, &all));
    assert_words(&all.cells.index, "c1-one c2-one c3 c2-two c4 c1-two c5 c2-three c6");
    assert_true(noted("5 cells with a name that another input has too"));
    ql_dataset_free(&all);
    parts[0] = make("a", "c1 c1-two c3", "A", x); /* a suffix that is taken */
    parts[1] = make("b", "c4 c1 c5", "A", x);
    assert_ok(join(QL_JOIN_INNER, parts, 2, &all));
    assert_words(&all.cells.index, "c1-one c1-two c3 c4 c1-two-1 c5");
    ql_dataset_free(&all);
}

static void columns_of_cells(void **state)
{
    static const float x[] = {1, 2}, f[] = {0.5f, NAN};
    static const int64_t n[] = {7, 8};
    static const double d[] = {0.25, 4};
    static const uint8_t b[] = {1, 0};
    ql_dataset all = {0}, parts[2] = {make("a", "c1 c2", "A", x), make("b", "d1 d2", "A", x)};
    (void)state;
    for (int i = 0; i < 2; i++) {
        ql_frame *cells = &parts[i].cells;
        add_text(cells, "type", i ? "T B" : "B NK");
        add_text(cells, "sample", "s1 s2");
        assert_ok(ql_frame_add(cells, "whole", QL_COL_I64, n, &err));
        assert_ok(ql_frame_add(cells, "mixed", i ? QL_COL_I64 : QL_COL_F32, i ? (const void *)n : f,
                               &err));
        assert_ok(ql_frame_add(cells, "flag", QL_COL_BOOL, b, &err));
        assert_ok(ql_frame_add(cells, i ? "late" : "early", QL_COL_F64, d, &err));
        if (i)
            add_text(cells, "kind", "x y");
        else
            assert_ok(ql_frame_add(cells, "kind", QL_COL_I64, n, &err));
    }
    assert_ok(join(QL_JOIN_INNER, parts, 2, &all));
    assert_int_equal(all.cells.n_columns, 6);
    assert_words(&ql_frame_column(&all.cells, "type")->strings, "B NK T B");
    assert_words(&ql_frame_column(&all.cells, "sample")->strings, "one one two two");
    assert_words(&ql_frame_column(&all.cells, "sample_before")->strings, "s1 s2 s1 s2");
    const ql_column *c = ql_frame_column(&all.cells, "whole");
    assert_int_equal(c->type, QL_COL_I64);
    for (int i = 0; i < 4; i++) assert_int_equal(((int64_t *)c->values)[i], n[i % 2]);
    c = ql_frame_column(&all.cells, "mixed");
    assert_int_equal(c->type, QL_COL_F64);
    const double *v = c->values;
    assert_true(v[0] == 0.5 && isnan(v[1]) && v[2] == 7 && v[3] == 8);
    c = ql_frame_column(&all.cells, "flag");
    assert_int_equal(c->type, QL_COL_BOOL);
    assert_memory_equal(c->values, ((uint8_t[]){1, 0, 1, 0}), 4);
    assert_true(
        noted("columns of cells left out, which not every input has alike: late, kind, early") ||
        noted("columns of cells left out, which not every input has alike: late, early, kind"));
    assert_true(noted("sample_before"));
    ql_dataset_free(&all);
}

static void columns_of_genes(void **state)
{
    static const float x[] = {1, 2, 3};
    for (int how = 0; how < 2; how++) {
        ql_dataset all = {0}, parts[2] = {make("a", "c1", "A B C", x), make("b", "d1", "D C B", x)};
        add_text(&parts[0].genes, "id", "i1 i2 i3");
        add_text(&parts[1].genes, "id", "i4 i3 i2");
        add_text(&parts[0].genes, "kind", "k k k");
        add_text(&parts[1].genes, "kind", "k k other");
        assert_ok(ql_frame_add(&parts[0].genes, "n", QL_COL_F64, (double[]){NAN, NAN, 3}, &err));
        assert_ok(ql_frame_add(&parts[1].genes, "n", QL_COL_F64, (double[]){4, 3, NAN}, &err));
        add_text(&parts[how].genes, "lonely", "x y z");
        assert_ok(join(how ? QL_JOIN_OUTER : QL_JOIN_INNER, parts, 2, &all));
        assert_int_equal(all.genes.n_columns, 2);
        assert_words(&ql_frame_column(&all.genes, "id")->strings, how ? "i1 i2 i3 i4" : "i2 i3");
        const double *n = ql_frame_column(&all.genes, "n")->values;
        assert_true(how ? isnan(n[0]) && isnan(n[1]) && n[2] == 3 && n[3] == 4
                        : isnan(n[0]) && n[1] == 3);
        assert_true(noted("kind (differs for 1, such as B)"));
        assert_true(noted("lonely"));
        ql_dataset_free(&all);
        ql_notes_free(&notes);
    }
    (void)state;
}

static void other_members_are_listed_once(void **state)
{
    static const float x[] = {1};
    ql_dataset all = {0}, parts[2] = {make("a", "c", "A", x), make("b", "d", "A", x)};
    (void)state;
    for (int i = 0; i < 2; i++) add_words(&parts[i].others, i ? "obsm/X_pca uns/b" : "obsm/X_pca");
    add_text(&parts[0].cells, "sample", "s"); /* lost, so no word of its new name */
    parts[1].is_counts = false;
    ql_free(parts[1].matrix);
    parts[1].matrix = NULL;
    assert_ok(ql_text_copy("layers/counts", &parts[1].matrix, &err));
    assert_ok(join(QL_JOIN_INNER, parts, 2, &all));
    assert_true(noted("left out, since inputs are joined: obsm/X_pca, uns/b"));
    assert_true(noted("not every input has alike: sample_before"));
    assert_false(noted("is called"));
    assert_int_equal(all.others.n, 0);
    assert_false(all.is_counts);
    assert_string_equal(all.matrix, "X, layers/counts");
    ql_dataset_free(&all);
}

/* --- at random --- */

enum { GENES = 40, PARTS = 5, MOST = 30 };

typedef struct {
    int64_t n;       /* cells */
    bool has[GENES]; /* genes of the part */
    float x[MOST][GENES];
} twin;

/* A part whose genes come in an order of its own. */
static ql_dataset make_random(ql_rng *rng, int number, twin *t)
{
    ql_str cells = {0}, genes = {0};
    int order[GENES], m = 0;
    static float x[MOST * GENES];
    *t = (twin){.n = 1 + (int64_t)ql_rng_below(rng, MOST - 1)};
    for (int g = 0; g < GENES; g++)
        if (g < 10 || ql_rng_below(rng, 4) > 0) order[m++] = g;
    for (int i = m - 1; i > 0 && number > 0; i--) {
        int k = (int)ql_rng_below(rng, (uint32_t)i + 1), swap = order[i];
        order[i] = order[k];
        order[k] = swap;
    }
    for (int k = 0; k < m; k++) {
        t->has[order[k]] = true;
        ql_str_printf(&genes, "%sg%d", k ? " " : "", order[k]);
    }
    for (int64_t i = 0; i < t->n; i++) {
        ql_str_printf(&cells, "%sp%d_%d", i ? " " : "", number, (int)i);
        for (int k = 0; k < m; k++)
            x[i * m + k] = t->x[i][order[k]] = (float)(ql_rng_below(rng, 3) * ql_rng_below(rng, 9));
    }
    ql_dataset ds = make("p", ql_str_text(&cells), ql_str_text(&genes), x);
    ql_str_free(&cells);
    ql_str_free(&genes);
    return ds;
}

static void assert_twin(const ql_dataset *all, const twin *t, ql_join_how how)
{
    int64_t row = 0, n_genes = 0;
    for (int g = 0; g < GENES; g++) {
        int n = 0;
        for (int p = 0; p < PARTS; p++) n += t[p].has[g];
        n_genes += how == QL_JOIN_INNER ? n == PARTS : n > 0;
    }
    assert_int_equal(all->genes.index.n, n_genes);
    assert_int_equal(all->counts.n_cols, n_genes);
    for (int p = 0; p < PARTS; p++) {
        for (int64_t i = 0; i < t[p].n; i++, row++) {
            double sum = 0, expected = 0;
            for (int64_t k = all->counts.indptr[row]; k < all->counts.indptr[row + 1]; k++) {
                int g = atoi(ql_name(&all->genes.index, all->counts.indices[k]) + 1);
                assert_true(all->counts.data[k] == t[p].x[i][g] && t[p].x[i][g] != 0);
                sum += (double)all->counts.data[k];
            }
            for (int64_t k = 0; k < n_genes; k++)
                expected += (double)t[p].x[i][atoi(ql_name(&all->genes.index, k) + 1)];
            assert_true(sum == expected);
        }
    }
    assert_int_equal(all->counts.n_rows, row);
    assert_int_equal(all->cells.index.n, row);
}

static void random_parts(void **state)
{
    static twin t[PARTS];
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        for (int how = 0; how < 2; how++) {
            ql_rng rng = ql_rng_start(seed, QL_RNG_SPLIT, 0, 0);
            ql_dataset parts[PARTS], all = {0};
            for (int p = 0; p < PARTS; p++) parts[p] = make_random(&rng, p, &t[p]);
            assert_ok(join(how ? QL_JOIN_OUTER : QL_JOIN_INNER, parts, PARTS, &all));
            assert_twin(&all, t, how ? QL_JOIN_OUTER : QL_JOIN_INNER);
            ql_dataset_free(&all);
        }
    }
}

static void make_two_with_columns(void *ctx)
{
    ql_dataset *parts = ctx;
    make_two(parts);
    parts[1].cells.index.n = 2;
    add_text(&parts[0].cells, "type", "T B");
    add_text(&parts[1].cells, "type", "T B");
    add_text(&parts[0].genes, "id", "1 2 3 4");
    add_text(&parts[1].genes, "id", "4 5 2");
}

static ql_status join_two(ql_join_how how, ql_dataset *parts, ql_err *e)
{
    ql_dataset all = {0};
    ql_status st = join(how, parts, 2, &all);
    *e = err;
    ql_dataset_free(&all);
    ql_notes_free(&notes);
    return st;
}

static ql_status join_inner(void *parts, ql_err *e)
{
    return join_two(QL_JOIN_INNER, parts, e);
}

static ql_status join_outer(void *parts, ql_err *e)
{
    return join_two(QL_JOIN_OUTER, parts, e);
}

static void a_failed_allocation_is_no_leak(void **state)
{
    ql_dataset parts[2];
    (void)state;
    assert_true(fail_each_allocation(make_two_with_columns, join_inner, parts) > 20);
    assert_true(fail_each_allocation(make_two_with_columns, join_outer, parts) > 20);
}

/* --- names of samples --- */

static void assert_samples(const char *const *paths, int n, const char *given, const char *expected)
{
    ql_names names = {0};
    assert_ok(ql_sample_names(paths, n, given, &names, &err));
    assert_words(&names, expected);
    ql_names_free(&names);
}

static void samples_of_paths(void **state)
{
    static const char *const paths[] = {
        "/data/liver/outs/filtered_feature_bc_matrix.h5",
        "/data/lung/outs/filtered_feature_bc_matrix/",
        "x/pbmc.h5ad",
        "counts/GSM123_heart.csv.gz",
        "kidneySolo.out/Gene/filtered",
        "brain/alevin/quants_mat.mtx.gz",
        "run.v2.loom",
        "s1/filtered_gene_bc_matrices/hg19/matrix.mtx",
    };
    (void)state;
    assert_samples(paths, 8, NULL, "liver lung pbmc GSM123_heart kidney brain run.v2 s1");
    assert_samples(paths, 2, "b,a", "b a");
}

static void samples_of_the_same_name(void **state)
{
    static const char *const paths[] = {"a/pbmc.h5ad", "b/pbmc.h5ad", "c.h5ad"};
    static const char *const nothing[] = {"/pbmc.h5ad", "/pbmc.loom"};
    static const char *const usual[] = {"/matrix.mtx", "/counts.h5ad"};
    (void)state;
    assert_samples(paths, 3, NULL, "a_pbmc b_pbmc c");
    assert_samples(nothing, 2, NULL, "pbmc pbmc-1");
    assert_samples(usual, 2, NULL, "matrix counts");
}

static void samples_that_do_not_fit(void **state)
{
    static const char *const paths[] = {"a", "b"};
    static const char *const given[] = {"x", "x,y,z", "x,", ",x", "x,x", ""};
    (void)state;
    for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
        ql_names names = {0};
        assert_int_equal(ql_sample_names(paths, 2, given[i], &names, &err), QL_EUSAGE);
        ql_names_free(&names);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(inner_keeps_the_order_of_the_first, clean),
        cmocka_unit_test_teardown(outer_appends_what_is_new, clean),
        cmocka_unit_test_teardown(a_gene_that_one_input_lacks_stays_out, clean),
        cmocka_unit_test_teardown(no_gene_is_in_all, clean),
        cmocka_unit_test_teardown(strangers_are_refused, clean),
        cmocka_unit_test_teardown(repeated_cells_get_their_sample, clean),
        cmocka_unit_test_teardown(columns_of_cells, clean),
        cmocka_unit_test_teardown(columns_of_genes, clean),
        cmocka_unit_test_teardown(other_members_are_listed_once, clean),
        cmocka_unit_test_teardown(random_parts, clean),
        cmocka_unit_test_teardown(a_failed_allocation_is_no_leak, clean),
        cmocka_unit_test_teardown(samples_of_paths, clean),
        cmocka_unit_test_teardown(samples_of_the_same_name, clean),
        cmocka_unit_test_teardown(samples_that_do_not_fit, clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
