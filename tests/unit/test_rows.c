/* Packed rows, the store in a file, and the shuffling that reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../../src/mat/packed_rows.h"
#include "../../src/train/shuffle.h"
#include "quell/alloc.h"
#include "quell/interrupt.h"
#include "quell/rng.h"
#include "quell/rows.h"
#include "quell/trainer.h"

enum { MOST = 3000, COLS = 40000 };

static const char *folder(void)
{
    const char *t = getenv("TMPDIR");
    return t && *t ? t : "/tmp";
}

/* n genes spread over COLS, counts of a kind. */
typedef enum { ONES, SMALL, SKEWED, HUGE_ONES, FRACTIONS, N_KINDS } count_kind;

static float draw_count(ql_rng *rng, count_kind kind)
{
    uint32_t x = ql_rng_below(rng, 100);
    switch (kind) {
    case ONES:
        return 1;
    case SMALL:
        return (float)(1 + x % 9);
    case SKEWED:
        return x < 95 ? (float)(1 + x % 3) : (float)(1 + ql_rng_below(rng, 100000));
    case HUGE_ONES:
        return x < 50 ? 2147483520.0f : 16777216.0f;
    default:
        return (float)x / 7 - 3;
    }
}

static int64_t make_row(ql_rng *rng, int64_t n, count_kind kind, int32_t *gene, float *count)
{
    int64_t k = 0;
    for (int32_t g = 0; g < COLS && k < n; g++) {
        if ((int64_t)ql_rng_below(rng, (uint32_t)(COLS - g)) >= n - k) continue;
        gene[k] = g;
        count[k++] = draw_count(rng, kind);
    }
    return k;
}

static int32_t gene[MOST], gene_back[MOST];
static float count[MOST], count_back[MOST];
static uint32_t scratch[MOST];

/* The row comes back, from a block of exactly its size. */
static void check_row(int64_t n)
{
    uint8_t *bytes = malloc((size_t)ql_pack_bound(n));
    int64_t size = ql_pack_row(gene, count, n, scratch, bytes);
    assert_true(size <= ql_pack_bound(n));
    uint8_t *exact = malloc((size_t)size);
    memcpy(exact, bytes, (size_t)size);
    memset(gene_back, 255, sizeof gene_back);
    assert_int_equal(ql_unpack_row(exact, size, n, COLS, gene_back, count_back), n);
    assert_memory_equal(gene, gene_back, (size_t)n * sizeof *gene);
    assert_memory_equal(count, count_back, (size_t)n * sizeof *count);
    if (n > 0) assert_int_equal(ql_unpack_row(exact, size, n - 1, COLS, gene_back, count_back), -1);
    if (n > 0)
        assert_int_equal(ql_unpack_row(exact, size, n, gene[n - 1], gene_back, count_back), -1);
    for (int64_t cut = 0; cut < size; cut++) {
        uint8_t *part = malloc((size_t)cut + 1);
        memcpy(part, exact, (size_t)cut);
        assert_int_equal(ql_unpack_row(part, cut, n, COLS, gene_back, count_back), -1);
        free(part);
        if (cut > 40) cut += size / 17;
    }
    free(exact);
    free(bytes);
}

static void rows_come_back(void **state)
{
    (void)state;
    ql_rng rng = ql_rng_start(5, QL_RNG_SPLIT, 0, 0);
    for (int kind = 0; kind < N_KINDS; kind++) {
        for (int64_t n = 0; n <= 70; n++)
            check_row(make_row(&rng, n, (count_kind)kind, gene, count));
        for (int64_t n = 71; n <= MOST; n = n * 5 / 3)
            check_row(make_row(&rng, n, (count_kind)kind, gene, count));
    }
    for (int64_t k = 0; k < 100; k++) gene[k] = (int32_t)k; /* no gaps */
    check_row(100);
    gene[0] = COLS - 1;
    check_row(1);
}

static void packing_saves_space(void **state)
{
    (void)state;
    ql_rng rng = ql_rng_start(6, QL_RNG_SPLIT, 0, 0);
    int64_t n = make_row(&rng, 2000, SKEWED, gene, count);
    uint8_t *bytes = malloc((size_t)ql_pack_bound(n));
    /* genes of a mean gap of 20 and counts of 1 to 3, a few of them large: about 8 bits and 3 */
    assert_true(ql_pack_row(gene, count, n, scratch, bytes) < n * 2);
    free(bytes);
}

/* Whatever the bytes say, nothing beyond them and the room is touched (the sanitizers look on). */
static void damage_is_contained(void **state)
{
    (void)state;
    ql_rng rng = ql_rng_start(7, QL_RNG_SPLIT, 0, 0);
    int64_t n = 0;
    for (int round = 0; round < 20000; round++) {
        if (round % 10 == 0) /* drawing a row takes longer than damaging it */
            n = make_row(&rng, ql_rng_below(&rng, 60), (count_kind)(round / 10 % N_KINDS), gene,
                         count);
        uint8_t *bytes = malloc((size_t)ql_pack_bound(n));
        int64_t size = ql_pack_row(gene, count, n, scratch, bytes);
        uint8_t *bad = malloc((size_t)size);
        int32_t *g = malloc((size_t)(n + 1) * sizeof *g);
        float *c = malloc((size_t)(n + 1) * sizeof *c);
        memcpy(bad, bytes, (size_t)size);
        for (int hit = 0; hit < 3; hit++)
            bad[ql_rng_below(&rng, (uint32_t)size)] = (uint8_t)ql_rng_word(&rng);
        int64_t got = ql_unpack_row(bad, size, n, COLS, g, c);
        assert_in_range(got + 1, 0, n + 1);
        for (int64_t k = 0; k < got; k++) assert_in_range(g[k], 0, COLS - 1);
        free(bytes);
        free(bad);
        free(g);
        free(c);
    }
}

/* One entry, written by hand: 2 n, the genes' width and bits, what does not fit into them as a
 * number of 7 bits a byte, and the counts' width: 0, all are 1. */
static void numbers_that_cannot_be(void **state)
{
    (void)state;
    static const uint8_t right[] = {2, 1, 1, 0, 0};
    static const uint8_t wide[] = {2, 33, 1, 0, 0, 0, 0, 0};
    static const uint8_t beyond[] = {2, 1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0}; /* 1 + 2^32 - 1 */
    assert_int_equal(ql_unpack_row(right, sizeof right, 1, COLS, gene, count), 1);
    assert_int_equal(gene[0], 1);
    assert_true(count[0] == 1);
    assert_int_equal(ql_unpack_row(wide, sizeof wide, 1, COLS, gene, count), -1);
    assert_int_equal(ql_unpack_row(beyond, sizeof beyond, 1, COLS, gene, count), -1);
}

/* ---- the store ---- */

enum { ROWS = 2000, GENES = 700 };

static ql_csr matrix_of(uint64_t seed)
{
    ql_rng rng = ql_rng_start(seed, QL_RNG_SPLIT, 0, 0);
    ql_csr m;
    assert_int_equal(ql_csr_alloc(&m, ROWS, GENES, ROWS * GENES / 4, NULL), QL_OK);
    int64_t k = 0;
    for (int64_t i = 0; i < ROWS; i++) {
        uint32_t share = i % 7 ? 1 + ql_rng_below(&rng, 12) : 0;
        for (int32_t g = 0; g < GENES && k < ROWS * GENES / 4; g++) {
            if (ql_rng_below(&rng, 100) >= share) continue;
            m.indices[k] = g;
            m.data[k++] = draw_count(&rng, i % 50 ? SKEWED : FRACTIONS);
        }
        m.indptr[i + 1] = k;
    }
    return m;
}

static ql_row_store *store_of(const ql_csr *m, int64_t near_bytes)
{
    ql_row_store *s = NULL;
    ql_err err = {0};
    assert_int_equal(ql_store_new(folder(), m->n_rows, m->n_cols, &s, &err), QL_OK);
    for (int64_t i = 0; i < m->n_rows; i += 300) {
        int64_t n = m->n_rows - i < 300 ? m->n_rows - i : 300, first = m->indptr[i], indptr[301];
        for (int64_t r = 0; r <= n; r++) indptr[r] = m->indptr[i + r] - first;
        ql_csr band = {n, m->n_cols, indptr, m->indices + first, m->data + first};
        assert_int_equal(ql_store_add(s, &band, &err), QL_OK);
    }
    assert_int_equal(ql_store_finish(s, near_bytes, &err), QL_OK);
    return s;
}

static void assert_row(const ql_csr *m, int64_t i, int64_t n, const int32_t *g, const float *c)
{
    assert_int_equal(n, m->indptr[i + 1] - m->indptr[i]);
    assert_memory_equal(g, m->indices + m->indptr[i], (size_t)n * sizeof *g);
    assert_memory_equal(c, m->data + m->indptr[i], (size_t)n * sizeof *c);
}

static void store_gives_the_rows(void **state)
{
    (void)state;
    int64_t held = ql_alloc_bytes();
    ql_csr m = matrix_of(1);
    ql_row_store *s = store_of(&m, 1 << 20);
    ql_rows rows = ql_rows_of_store(s);
    ql_row_cursor c;
    assert_int_equal(rows.nnz, ql_csr_nnz(&m));
    assert_int_equal(rows.max_row, ql_csr_max_row(&m));
    assert_int_equal(ql_cursor_open(&c, &rows, NULL), QL_OK);
    for (int64_t i = 0; i < ROWS; i++) {
        ql_row_view v = ql_cursor_row(&c, i);
        assert_row(&m, i, v.n, v.gene, v.count);
    }
    for (int64_t i = ROWS - 1; i >= 0; i -= 13) {
        ql_row_view v = ql_cursor_row(&c, i);
        assert_row(&m, i, v.n, v.gene, v.count);
        assert_row(&m, i, ql_rows_get(&rows, i, gene, count), gene, count);
    }
    assert_int_equal(ql_rows_check(&rows, NULL), QL_OK);
    ql_cursor_close(&c);
    ql_store_free(s);
    ql_csr_free(&m);
    assert_int_equal(ql_alloc_bytes(), held);
}

/* Announced rows are found in the buffer, whether it holds all of them, some or none. */
static void announced_rows(void **state)
{
    (void)state;
    ql_csr m = matrix_of(2);
    static const int64_t sizes[] = {0, 3000, 1 << 20};
    for (size_t k = 0; k < 3; k++) {
        ql_row_store *s = store_of(&m, sizes[k]);
        ql_rows rows = ql_rows_of_store(s);
        int64_t order[ROWS];
        ql_rng rng = ql_rng_start(3, QL_RNG_SHUFFLE, k, 0);
        for (int64_t i = 0; i < ROWS; i++) order[i] = i;
        ql_rng_shuffle(&rng, order, ROWS);
        for (int64_t at = 0; at < ROWS; at += 500) {
            int64_t n = ql_rows_want(&rows, order + at, 500, at + 1000 <= ROWS ? 500 : 0);
            assert_int_equal(n > 0, sizes[k] > 0);
            for (int64_t p = 0; p < n; p++) ql_rows_load(&rows, p);
            /* also some that were not announced */
            for (int64_t i = at > 50 ? at - 50 : 0; i < at + 500; i++)
                assert_row(&m, order[i], ql_rows_get(&rows, order[i], gene, count), gene, count);
        }
        assert_int_equal(ql_rows_check(&rows, NULL), QL_OK);
        ql_store_free(s);
    }
    ql_csr_free(&m);
}

static void renumbering(void **state)
{
    (void)state;
    ql_csr m = matrix_of(4);
    ql_row_store *s = store_of(&m, 1 << 20);
    ql_rows stream = ql_rows_of_store(s), memory = ql_rows_of_csr(&m);
    int32_t up[GENES], down[GENES + 5];
    for (int32_t g = 0; g < GENES; g++) up[g] = g + 5;
    for (int32_t g = 0; g < GENES + 5; g++) down[g] = g - 2;
    assert_int_equal(ql_rows_renumber(&stream, up, GENES + 5, NULL), QL_OK);
    assert_int_equal(ql_rows_renumber(&memory, up, GENES + 5, NULL), QL_OK);
    assert_int_equal(ql_rows_renumber(&stream, down, GENES + 3, NULL), QL_OK);
    assert_int_equal(ql_rows_renumber(&memory, down, GENES + 3, NULL), QL_OK);
    assert_int_equal(stream.n_cols, GENES + 3);
    assert_int_equal(m.n_cols, GENES + 3);
    for (int64_t i = 0; i < ROWS; i++)
        assert_row(&m, i, ql_rows_get(&stream, i, gene, count), gene, count);
    ql_store_free(s);
    ql_csr_free(&m);
}

static int count_files(void)
{
    int n = 0;
    DIR *d = opendir(folder());
    for (struct dirent *e; d && (e = readdir(d));) n += strncmp(e->d_name, ".quell-cache", 12) == 0;
    if (d) closedir(d);
    return n;
}

static void no_name_no_trace(void **state)
{
    (void)state;
    ql_row_store *s = NULL;
    ql_err err = {0};
    int before = count_files();
    assert_int_equal(ql_store_new("/nonexistent/folder", 1, 1, &s, &err), QL_ECREATE);
    assert_non_null(strstr(err.msg, "/nonexistent/folder"));
    ql_csr m = matrix_of(5);
    s = store_of(&m, 0);
    assert_int_equal(count_files(), before);
    ql_store_free(s);
    ql_csr_free(&m);
}

static void full_disk(void **state)
{
    (void)state;
    struct rlimit old, small;
    ql_err err = {0};
    ql_csr m = matrix_of(6);
    ql_row_store *s = NULL;
    ql_interrupt_install(); /* else the limit's signal ends the test */
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 1000;
    assert_int_equal(ql_store_new(folder(), m.n_rows, m.n_cols, &s, &err), QL_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    ql_status st = ql_store_add(s, &m, &err);
    if (st == QL_OK) st = ql_store_finish(s, 0, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(st, QL_EIO);
    assert_non_null(strstr(err.hint, "--tmpdir"));
    ql_store_free(s);
    ql_csr_free(&m);
}

/* The store's file, which has no name, through the list of what is open; -1 where there is none. */
static int open_cache(void)
{
    char path[64], target[512];
    for (int fd = 3; fd < 64; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, target, sizeof target - 1);
        if (n <= 0) continue;
        target[n] = '\0';
        if (strstr(target, ".quell-cache")) return open(path, O_RDWR);
    }
    return -1;
}

/* Bytes that changed on the disk, or are gone, are an error and no more than that. */
static void damaged_file(void **state)
{
    (void)state;
    ql_csr m = matrix_of(7);
    for (int how = 0; how < 3; how++) {
        ql_row_store *s = store_of(&m, how == 2 ? 1 << 20 : 0);
        ql_rows rows = ql_rows_of_store(s);
        ql_row_cursor c;
        ql_err err = {0};
        int fd = open_cache();
        if (fd < 0) skip();
        char bad[4096];
        memset(bad, 0xf3, sizeof bad);
        if (how == 1)
            assert_int_equal(ftruncate(fd, 5000), 0);
        else
            assert_int_equal(pwrite(fd, bad, sizeof bad, 20000), sizeof bad);
        close(fd);
        int64_t order[ROWS];
        for (int64_t i = 0; i < ROWS; i++) order[i] = i;
        int64_t n = ql_rows_want(&rows, order, ROWS, 0);
        for (int64_t p = 0; p < n; p++) ql_rows_load(&rows, p);
        assert_int_equal(ql_cursor_open(&c, &rows, &err), QL_OK);
        for (int64_t i = 0; i < ROWS; i++) {
            assert_true(ql_rows_get(&rows, i, gene, count) <= rows.max_row);
            assert_true(ql_cursor_row(&c, i).n <= rows.max_row);
        }
        assert_int_equal(ql_rows_check(&rows, &err), QL_EIO);
        assert_non_null(strstr(err.msg, how == 1 ? "row" : "its bytes have changed"));
        ql_cursor_close(&c);
        ql_store_free(s);
    }
    ql_csr_free(&m);
}

/* ---- shuffling ---- */

static void each_row_once(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 255, 256, 16384, 16385, 50000, 16384 * 3, 100001};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        int64_t n = sizes[k], *rows = malloc((size_t)n * sizeof *rows), same = 0;
        char *seen = calloc((size_t)n, 1);
        ql_shuffle s;
        for (int64_t i = 0; i < n; i++) rows[i] = 3 * i + 1;
        assert_int_equal(ql_shuffle_new(&s, n, NULL), QL_OK);
        ql_shuffle_rows(&s, rows, 9, 4);
        for (int64_t i = 0; i < n; i++) {
            assert_int_equal(s.order[i] % 3, 1);
            assert_in_range(s.order[i] / 3, 0, n - 1);
            assert_int_equal(seen[s.order[i] / 3]++, 0);
            same += s.order[i] == rows[i];
        }
        if (n > 200) assert_true(same < n / 20);
        assert_int_equal(s.end[s.n_windows - 1], n);
        ql_shuffle_free(&s);
        free(rows);
        free(seen);
    }
}

/* The rows of a window are whole blocks of the list. */
static void windows_are_blocks(void **state)
{
    (void)state;
    enum { N = 70000 };
    static int64_t rows[N];
    ql_shuffle s;
    for (int64_t i = 0; i < N; i++) rows[i] = i;
    assert_int_equal(ql_shuffle_new(&s, N, NULL), QL_OK);
    ql_shuffle_rows(&s, rows, 1, 0);
    assert_int_equal(s.n_windows, 5);
    int blocks_in[(N + 255) / 256] = {0};
    for (int64_t w = 0, at = 0; w < s.n_windows; w++) {
        int n_blocks = 0;
        for (; at < s.end[w]; at++) {
            int64_t b = s.order[at] / 256;
            assert_true(blocks_in[b] == 0 || blocks_in[b] == w + 1);
            n_blocks += blocks_in[b] == 0;
            blocks_in[b] = (int)w + 1;
        }
        assert_true(n_blocks <= 64);
    }
    ql_shuffle_free(&s);
}

/* One window is one shuffle of all rows, as it always was. */
static void one_window(void **state)
{
    (void)state;
    enum { N = 16384 };
    static int64_t rows[N], expected[N];
    ql_shuffle s;
    for (int64_t i = 0; i < N; i++) rows[i] = expected[i] = (i * 7919) % N;
    ql_rng rng = ql_rng_start(11, QL_RNG_SHUFFLE, 2, 0);
    ql_rng_shuffle(&rng, expected, N);
    assert_int_equal(ql_shuffle_new(&s, N, NULL), QL_OK);
    ql_shuffle_rows(&s, rows, 11, 2);
    assert_memory_equal(s.order, expected, sizeof expected);
    ql_shuffle_free(&s);
}

/* However many cells there are, a bounded number of them validates; many train in file order. */
static void validation_is_bounded(void **state)
{
    (void)state;
    enum { N = 150000 };
    static int64_t kept[N];
    static char seen[2 * N];
    const ql_prep prep = {.n_kept_cells = N, .kept_cell = kept};
    for (int last = 0; last < 2; last++) {
        const ql_train_options opt = {.validation = 0.1, .validation_last = last, .seed = 3};
        ql_split s;
        memset(seen, 0, sizeof seen);
        for (int64_t i = 0; i < N; i++) kept[i] = 2 * i;
        assert_int_equal(ql_split_cells(NULL, &prep, &opt, &s, NULL), QL_OK);
        assert_int_equal(s.n_valid, 10000);
        assert_int_equal(s.n_train, N - 10000);
        for (int64_t i = 0; i < s.n_train; i++) {
            assert_true(i == 0 || s.train[i] > s.train[i - 1]);
            seen[s.train[i]]++;
        }
        for (int64_t i = 0; i < s.n_valid; i++) seen[s.valid[i]]++;
        for (int64_t i = 0; i < N; i++) assert_int_equal(seen[2 * i], 1);
        if (last) assert_int_equal(s.valid[0], 2 * (N - 10000));
        ql_split_free(&s);
    }
}

/* Which cells validate, or test, is the seed's choice. */
static void another_seed_holds_others_out(void **state)
{
    (void)state;
    enum { N = 500 };
    static int64_t kept[N];
    const ql_prep prep = {.n_kept_cells = N, .kept_cell = kept};
    const uint64_t seeds[] = {3, 3, 4};
    for (int64_t i = 0; i < N; i++) kept[i] = i;
    for (int test = 0; test < 2; test++) {
        const int64_t *held[3], n = 50;
        ql_split s[3];
        for (int k = 0; k < 3; k++) {
            const ql_train_options opt = {.validation = 0.1, .test = 0.1 * test, .seed = seeds[k]};
            assert_int_equal(ql_split_cells(NULL, &prep, &opt, &s[k], NULL), QL_OK);
            assert_int_equal(test ? s[k].n_test : s[k].n_valid, n);
            held[k] = test ? s[k].test : s[k].valid;
        }
        assert_memory_equal(held[0], held[1], (size_t)n * sizeof *held[0]);
        assert_memory_not_equal(held[0], held[2], (size_t)n * sizeof *held[0]);
        for (int k = 0; k < 3; k++) ql_split_free(&s[k]);
    }
}

/* Columns 3 j keep their order at the end, columns 3 j + 1 come first in reverse, others go. */
static int64_t odd_map(int32_t *map)
{
    int32_t n = 0;
    for (int32_t g = 0; g < GENES; g++) map[g] = -1;
    for (int32_t g = GENES - 1; g >= 0; g--)
        if (g % 3 == 1) map[g] = n++;
    for (int32_t g = 0; g < GENES; g += 3) map[g] = n++;
    return n;
}

/* Row i of the picked matrix, the slow way. */
static int64_t picked_row(const ql_csr *m, int64_t i, const int32_t *map, int64_t n_cols,
                          int32_t *g, float *c)
{
    int64_t n = 0;
    for (int32_t col = 0; col < n_cols; col++)
        for (int64_t k = m->indptr[i]; k < m->indptr[i + 1]; k++) {
            if (map[m->indices[k]] != col) continue;
            g[n] = col;
            c[n++] = m->data[k];
        }
    return n;
}

static void columns_are_picked_and_put_in_order(void **state)
{
    (void)state;
    int32_t map[GENES], g[GENES], wanted_g[GENES];
    float c[GENES], wanted_c[GENES];
    const int64_t n_cols = odd_map(map);
    ql_csr m = matrix_of(4), copy = matrix_of(4);
    ql_row_store *s = store_of(&m, 1 << 20);
    ql_rows in_memory = ql_rows_of_csr(&copy), stored = ql_rows_of_store(s);
    ql_row_cursor cursor;
    assert_int_equal(ql_rows_pick(&in_memory, map, n_cols, NULL), QL_OK);
    assert_int_equal(ql_rows_pick(&stored, map, n_cols, NULL), QL_OK);
    assert_int_equal(copy.n_cols, n_cols);
    assert_int_equal(stored.n_cols, n_cols);
    assert_int_equal(ql_cursor_open(&cursor, &stored, NULL), QL_OK);
    for (int64_t i = 0; i < ROWS; i += 7) {
        int64_t n = picked_row(&m, i, map, n_cols, wanted_g, wanted_c);
        assert_row(&copy, i, n, wanted_g, wanted_c);
        assert_int_equal(ql_rows_get(&stored, i, g, c), n);
        assert_memory_equal(g, wanted_g, (size_t)n * sizeof *g);
        assert_memory_equal(c, wanted_c, (size_t)n * sizeof *c);
        ql_row_view view = ql_cursor_row(&cursor, i);
        assert_int_equal(view.n, n);
        assert_memory_equal(view.gene, wanted_g, (size_t)n * sizeof *g);
    }
    ql_cursor_close(&cursor);
    ql_store_free(s);
    ql_csr_free(&m);
    ql_csr_free(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_come_back),
        cmocka_unit_test(packing_saves_space),
        cmocka_unit_test(damage_is_contained),
        cmocka_unit_test(numbers_that_cannot_be),
        cmocka_unit_test(store_gives_the_rows),
        cmocka_unit_test(announced_rows),
        cmocka_unit_test(renumbering),
        cmocka_unit_test(no_name_no_trace),
        cmocka_unit_test(full_disk),
        cmocka_unit_test(each_row_once),
        cmocka_unit_test(windows_are_blocks),
        cmocka_unit_test(one_window),
        cmocka_unit_test(damaged_file),
        cmocka_unit_test(validation_is_bounded),
        cmocka_unit_test(another_seed_holds_others_out),
        cmocka_unit_test(columns_are_picked_and_put_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
