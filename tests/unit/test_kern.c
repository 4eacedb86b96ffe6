/* Every kernel of every table that runs here against the scalar one, bit for bit, at awkward sizes
 * and alignments; nothing outside the output moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fixture_kern.h"

enum { GUARD = 48, MAX_OFFSET = 16 };

static const ql_kern *scalar(void)
{
    return ql_kern_find("scalar");
}

/* Calls check(table) for each table but the scalar one. */
static void each_table(void (*check)(const ql_kern *k))
{
    for (int i = 0; ql_kern_names[i]; i++) {
        const ql_kern *k = ql_kern_find(ql_kern_names[i]);
        if (k && k != scalar()) check(k);
    }
}

/* n values between guards of other values; x points at the first of the n. */
typedef struct {
    ql_real *memory, *x;
    int64_t size;
} room;

static room room_of(ql_rng *r, int64_t n, double lo, double hi)
{
    room m = {.size = n + 2 * GUARD + MAX_OFFSET};
    m.memory = malloc((size_t)m.size * sizeof *m.memory);
    assert_non_null(m.memory);
    random_fill(r, m.size, lo, hi, m.memory);
    m.x = m.memory + GUARD + ql_rng_below(r, MAX_OFFSET);
    return m;
}

static room room_copy(const room *from)
{
    room m = {.size = from->size};
    m.memory = malloc((size_t)m.size * sizeof *m.memory);
    assert_non_null(m.memory);
    memcpy(m.memory, from->memory, (size_t)m.size * sizeof *m.memory);
    m.x = m.memory + (from->x - from->memory);
    return m;
}

static void same_room(const room *a, const room *b, const char *what, const char *isa)
{
    if (memcmp(a->memory, b->memory, (size_t)a->size * sizeof *a->memory) != 0)
        fail_msg("%s: %s differs from scalar", what, isa);
}

/* Elements of `now` that are not in rows [rows, cols] at stride ld from x must be what they were.
 */
static void only_inside(const room *now, const room *before, int64_t rows, int64_t cols, int64_t ld)
{
    for (int64_t i = 0; i < now->size; i++) {
        int64_t at = i - (now->x - now->memory);
        bool inside = at >= 0 && at / ld < rows && at % ld < cols;
        if (!inside) assert_memory_equal(&now->memory[i], &before->memory[i], sizeof(ql_real));
    }
}

static void free_rooms(room *a, room *b, room *c)
{
    free(a->memory);
    free(b->memory);
    free(c->memory);
}

/* ---- products ---- */

static void gemm_case(const ql_kern *k, ql_rng *r, int64_t m, int64_t p, int64_t n,
                      ql_gemm_start start)
{
    int64_t lda = (ql_rng_below(r, 2) ? p : m) + 3, ldb = n + QL_PAD * ql_rng_below(r, 2),
            ldc = n + ql_rng_below(r, 5);
    bool transposed = ql_rng_below(r, 2);
    room a = room_of(r, (m + p + 3) * (m + p + 3), -2, 2), b = room_of(r, p * ldb, -2, 2);
    room bias = room_of(r, m, -2, 2), before = room_of(r, m * ldc, -2, 2);
    room x = room_copy(&before), y = room_copy(&before);
    lda = m + p + 3;
    ql_gemm g = {.m = m,
                 .n = n,
                 .p = p,
                 .a = a.x,
                 .a_row = transposed ? 1 : lda,
                 .a_col = transposed ? lda : 1,
                 .b = b.x,
                 .ldb = ldb,
                 .c = x.x,
                 .ldc = ldc,
                 .start = start,
                 .bias = bias.x};
    k->gemm(&g);
    g.c = y.x;
    scalar()->gemm(&g);
    same_room(&x, &y, "gemm", k->isa);
    only_inside(&x, &before, m, n, ldc);
    free_rooms(&x, &y, &before);
    free_rooms(&a, &b, &bias);
}

static void gemm_of_table(const ql_kern *k)
{
    ql_rng r = random_start(1);
    for (int64_t m = 1; m <= 30; m++)
        for (int64_t n = QL_PAD; n <= 5 * QL_PAD; n += QL_PAD)
            for (int start = QL_FROM_ZERO; start <= QL_FROM_BIAS; start++)
                gemm_case(k, &r, m, 1 + (int64_t)ql_rng_below(&r, 70), n, (ql_gemm_start)start);
    gemm_case(k, &r, 5, 0, QL_PAD, QL_FROM_BIAS);
    gemm_case(k, &r, 128, 64, 128, QL_FROM_BIAS);
    gemm_case(k, &r, 64, 128, 128, QL_FROM_C);
}

static void gemm_is_the_same(void **state)
{
    (void)state;
    each_table(gemm_of_table);
}

static void row_sums_of_table(const ql_kern *k)
{
    ql_rng r = random_start(2);
    for (int64_t n = QL_PAD; n <= 6 * QL_PAD; n += QL_PAD) {
        for (int64_t rows = 1; rows <= 9; rows++) {
            int64_t ld = n + ql_rng_below(&r, 20);
            room x = room_of(&r, rows * ld, -1e3, 1e3), before = room_of(&r, rows, -1, 1);
            room a = room_copy(&before), b = room_copy(&before);
            k->row_sums(rows, n, x.x, ld, a.x);
            scalar()->row_sums(rows, n, x.x, ld, b.x);
            same_room(&a, &b, "row_sums", k->isa);
            only_inside(&a, &before, 1, rows, rows);
            free_rooms(&a, &b, &before);
            free(x.memory);
        }
    }
}

static void add_of_table(const ql_kern *k)
{
    ql_rng r = random_start(6);
    for (int64_t n = QL_PAD; n <= 5 * QL_PAD; n += QL_PAD) {
        room x = room_of(&r, n, -1e3, 1e3), before = room_of(&r, n, -1, 1);
        room a = room_copy(&before), b = room_copy(&before);
        k->add(n, x.x, a.x);
        for (int64_t i = 0; i < n; i++) b.x[i] = b.x[i] + x.x[i];
        same_room(&a, &b, "add", k->isa);
        only_inside(&a, &before, 1, n, n);
        free_rooms(&a, &b, &before);
        free(x.memory);
    }
}

static void sums_of_arrays_are_the_same(void **state)
{
    (void)state;
    each_table(add_of_table);
}

/* ---- shares ---- */

enum { N_SHARE = 5 };

/* Each kernel of shares on the same x [rows, ld], sums and pulls beside it; y is what it writes. */
typedef struct {
    room x, y, most, sum;
} share_rooms;

static share_rooms share_rooms_of(ql_rng *r, int64_t rows, int64_t ld)
{
    return (share_rooms){room_of(r, rows * ld, -9, 9), room_of(r, rows * ld, -9, 9),
                         room_of(r, ld, -9, 9), room_of(r, ld, 0, 9)};
}

static share_rooms share_rooms_copy(const share_rooms *s)
{
    return (share_rooms){room_copy(&s->x), room_copy(&s->y), room_copy(&s->most),
                         room_copy(&s->sum)};
}

static void share_call(const ql_kern *k, int which, int64_t rows, int64_t ld, share_rooms *s)
{
    if (which == 0) k->soft_sums(rows, ld, s->x.x, s->most.x, s->sum.x);
    if (which == 1) k->add_row(rows, ld, s->x.x, s->most.x, s->y.x);
    if (which == 2) k->column_sums(rows, ld, s->x.x, s->sum.x);
    if (which == 3) k->soft_exp(rows, ld, s->x.x, s->most.x, s->sum.x);
    if (which == 4) k->share_gradient(rows, ld, s->x.x, s->most.x, s->y.x, s->y.x);
}

static void share_case(const ql_kern *k, ql_rng *r, int which, int64_t rows, int64_t ld)
{
    static const char *const names[N_SHARE] = {"soft_sums", "add_row", "column_sums", "soft_exp",
                                               "share_gradient"};
    share_rooms before = share_rooms_of(r, rows, ld);
    share_rooms a = share_rooms_copy(&before), b = share_rooms_copy(&before);
    share_call(k, which, rows, ld, &a);
    share_call(scalar(), which, rows, ld, &b);
    room *const mine[] = {&a.x, &a.y, &a.most, &a.sum}, *const plain[] = {&b.x, &b.y, &b.most,
                                                                          &b.sum};
    room *const was[] = {&before.x, &before.y, &before.most, &before.sum};
    for (int i = 0; i < 4; i++) {
        same_room(mine[i], plain[i], names[which], k->isa);
        only_inside(mine[i], was[i], i < 2 ? rows : 1, ld, ld);
        free_rooms(mine[i], plain[i], was[i]);
    }
}

/* With the maxima that soft_exp found, exp_less makes the same of the same logits. */
static void exponentials_again(const ql_kern *k, ql_rng *r, int64_t rows, int64_t ld)
{
    share_rooms a = share_rooms_of(r, rows, ld), b = share_rooms_copy(&a);
    share_call(k, 3, rows, ld, &a);
    k->exp_less(rows, ld, b.x.x, a.most.x);
    same_room(&a.x, &b.x, "exp_less", k->isa);
    free_rooms(&a.x, &a.y, &a.most);
    free_rooms(&b.x, &b.y, &b.most);
    free(a.sum.memory);
    free(b.sum.memory);
}

static void shares_of_table(const ql_kern *k)
{
    ql_rng r = random_start(9);
    for (int64_t ld = QL_PAD; ld <= 5 * QL_PAD; ld += QL_PAD) {
        for (int64_t rows = 1; rows <= 20; rows += 6) {
            for (int which = 0; which < N_SHARE; which++) share_case(k, &r, which, rows, ld);
            exponentials_again(k, &r, rows, ld);
        }
    }
}

static void shares_are_the_same(void **state)
{
    (void)state;
    each_table(shares_of_table);
}

static void row_sums_are_the_same(void **state)
{
    (void)state;
    each_table(row_sums_of_table);
}

/* ---- sparse ---- */

enum { SPARSE_ROWS = 70, SPARSE_FIRST = 1000 };

static void gather_case(const ql_kern *k, ql_rng *r, int64_t n, int64_t h, const int32_t *index)
{
    room w = room_of(r, SPARSE_ROWS * h, -2, 2), value = room_of(r, SPARSE_ROWS, -3, 3);
    room before = room_of(r, h, -1, 1), a = room_copy(&before), b = room_copy(&before);
    k->gather(n, index, SPARSE_FIRST, value.x, w.x, h, a.x);
    scalar()->gather(n, index, SPARSE_FIRST, value.x, w.x, h, b.x);
    same_room(&a, &b, "gather", k->isa);
    k->gather_all(n, value.x, w.x, h, a.x);
    scalar()->gather_all(n, value.x, w.x, h, b.x);
    same_room(&a, &b, "gather_all", k->isa);
    only_inside(&a, &before, 1, h, h);
    free_rooms(&a, &b, &before);
    free(w.memory);
    free(value.memory);
}

static void scatter_case(const ql_kern *k, ql_rng *r, int64_t n, int64_t h, const int32_t *index)
{
    room before = room_of(r, SPARSE_ROWS * h, -2, 2), value = room_of(r, SPARSE_ROWS, -3, 3);
    room d = room_of(r, h, -1, 1), a = room_copy(&before), b = room_copy(&before);
    k->scatter(n, index, SPARSE_FIRST, value.x, a.x, h, d.x);
    scalar()->scatter(n, index, SPARSE_FIRST, value.x, b.x, h, d.x);
    same_room(&a, &b, "scatter", k->isa);
    k->outer(n, value.x, a.x, h, d.x);
    scalar()->outer(n, value.x, b.x, h, d.x);
    same_room(&a, &b, "outer", k->isa);
    only_inside(&a, &before, SPARSE_ROWS, h, h);
    free_rooms(&a, &b, &before);
    free(d.memory);
    free(value.memory);
}

static void sparse_of_table(const ql_kern *k)
{
    ql_rng r = random_start(3);
    int32_t index[SPARSE_ROWS];
    for (int64_t h = QL_PAD; h <= 7 * QL_PAD; h += QL_PAD) {
        for (int64_t n = 0; n <= SPARSE_ROWS; n += 1 + n / 5) {
            for (int64_t i = 0; i < n; i++)
                index[i] = SPARSE_FIRST + (int32_t)(i * SPARSE_ROWS / n);
            gather_case(k, &r, n, h, index);
            scatter_case(k, &r, n, h, index);
        }
    }
}

static void sparse_products_are_the_same(void **state)
{
    (void)state;
    each_table(sparse_of_table);
}

/* ---- lists of entries ---- */

enum { LIST_ROOM = 512, LIST_FIRST = 640, LIST_TILE = 128 };

/* Rooms of whole numbers; what they hold outside [0, n) is arbitrary but small. */
typedef struct {
    int32_t memory[LIST_ROOM];
} int_room;

static int_room int_room_of(ql_rng *r, int32_t lo, uint32_t n)
{
    int_room m;
    for (int i = 0; i < LIST_ROOM; i++) m.memory[i] = lo + (int32_t)ql_rng_below(r, n);
    return m;
}

typedef struct {
    int_room place, row;
    room real[3]; /* count, size, weight */
} lists;

static lists lists_of(ql_rng *r)
{
    lists l = {.place = int_room_of(r, -9, 9), .row = int_room_of(r, -9, 9)};
    for (int i = 0; i < 3; i++) l.real[i] = room_of(r, LIST_ROOM, -9, 0);
    return l;
}

static lists lists_copy(const lists *from)
{
    lists l = *from;
    for (int i = 0; i < 3; i++) l.real[i] = room_copy(&from->real[i]);
    return l;
}

static void lists_free(lists *l)
{
    for (int i = 0; i < 3; i++) free(l->real[i].memory);
}

static ql_entry_lists lists_at(lists *l)
{
    return (ql_entry_lists){l->place.memory + GUARD, l->row.memory + GUARD, l->real[0].x,
                            l->real[1].x, l->real[2].x};
}

/* Elements [from, to) of both, behind `lead` others. */
static void same_lists(lists *a, lists *b, int64_t from, int64_t to, const char *isa)
{
    ql_entry_lists x = lists_at(a), y = lists_at(b);
    size_t n = (size_t)(to - from);
    bool same = !memcmp(x.place + from, y.place + from, n * sizeof *x.place) &&
                !memcmp(x.row + from, y.row + from, n * sizeof *x.row) &&
                !memcmp(x.count + from, y.count + from, n * sizeof *x.count) &&
                !memcmp(x.size + from, y.size + from, n * sizeof *x.size) &&
                !memcmp(x.weight + from, y.weight + from, n * sizeof *x.weight);
    if (!same)
        fail_msg("list_cell, elements %lld to %lld: %s differs", (long long)from, (long long)to,
                 isa);
}

/* n entries appended at `at`: the same as scalar's there, nothing before, and after them no more
 * than QL_PAD - 1. */
static void list_case(const ql_kern *k, ql_rng *r, int64_t n, int64_t at)
{
    int_room gene = int_room_of(r, LIST_FIRST, LIST_TILE);
    room count = room_of(r, LIST_ROOM, 1, 90);
    lists before = lists_of(r), a = lists_copy(&before), b = lists_copy(&before);
    ql_entry_lists to_a = lists_at(&a), to_b = lists_at(&b);
    ql_cell_entries cell = {.gene = gene.memory + ql_rng_below(r, MAX_OFFSET),
                            .count = count.x,
                            .first = LIST_FIRST,
                            .ld = QL_PAD * (1 + (int32_t)ql_rng_below(r, 4)),
                            .column = (int32_t)ql_rng_below(r, QL_PAD),
                            .size = (ql_real)random_in(r, 0.1, 9),
                            .weight = (ql_real)random_in(r, 0, 1)};
    k->list_cell(n, &cell, &to_a, at);
    scalar()->list_cell(n, &cell, &to_b, at);
    same_lists(&a, &b, at, at + n, k->isa);
    same_lists(&a, &before, -GUARD, at, k->isa);
    same_lists(&a, &before, at + n + (n ? QL_PAD - 1 : 0), LIST_ROOM - GUARD, k->isa);
    lists_free(&before);
    lists_free(&a);
    lists_free(&b);
    free(count.memory);
}

/* index: every place of a table of `size` once, shuffled. */
static void shuffled(ql_rng *r, int32_t *index, int32_t size)
{
    for (int32_t i = 0; i < size; i++) {
        int32_t j = (int32_t)ql_rng_below(r, (uint32_t)i + 1);
        index[i] = index[j];
        index[j] = i;
    }
}

static void take_and_put_case(const ql_kern *k, ql_rng *r, int64_t n)
{
    int32_t memory[LIST_ROOM + MAX_OFFSET], *index = memory + ql_rng_below(r, MAX_OFFSET);
    shuffled(r, index, LIST_ROOM);
    room from = room_of(r, LIST_ROOM, -9, 9), before = room_of(r, LIST_ROOM, -9, 9);
    room a = room_copy(&before), b = room_copy(&before);
    int64_t n_take = ql_pad(n);
    k->take(n_take, index, from.x, a.x);
    scalar()->take(n_take, index, from.x, b.x);
    same_room(&a, &b, "take", k->isa);
    only_inside(&a, &before, 1, n_take, LIST_ROOM);
    k->put(n, index, from.x, a.x);
    scalar()->put(n, index, from.x, b.x);
    same_room(&a, &b, "put", k->isa);
    only_inside(&a, &before, 1, LIST_ROOM, LIST_ROOM);
    free_rooms(&a, &b, &before);
    free(from.memory);
}

static void inputs_case(const ql_kern *k, ql_rng *r, int64_t n, int log)
{
    int_room gene = int_room_of(r, 0, LIST_ROOM);
    room count = room_of(r, n, 0, 500), inv_sd = room_of(r, LIST_ROOM, 0.1, 9);
    room before = room_of(r, n, -1, 1), a = room_copy(&before), b = room_copy(&before);
    room in_place = room_copy(&count);
    ql_real inv_size = (ql_real)exp(random_normal(r));
    k->input_values(n, count.x, gene.memory, inv_size, inv_sd.x, log, a.x);
    scalar()->input_values(n, count.x, gene.memory, inv_size, inv_sd.x, log, b.x);
    same_room(&a, &b, "input_values", k->isa);
    only_inside(&a, &before, 1, n, n);
    k->input_values(n, in_place.x, gene.memory, inv_size, inv_sd.x, log, in_place.x);
    assert_memory_equal(in_place.x, a.x, (size_t)n * sizeof(ql_real));
    free_rooms(&a, &b, &before);
    free_rooms(&count, &inv_sd, &in_place);
}

static void lists_of_table(const ql_kern *k)
{
    ql_rng r = random_start(9);
    for (int64_t n = 0; n <= 70; n++) {
        list_case(k, &r, n, 0);
        list_case(k, &r, n, 1 + (int64_t)ql_rng_below(&r, 200));
        take_and_put_case(k, &r, n);
    }
    list_case(k, &r, 128, 200);
    take_and_put_case(k, &r, LIST_ROOM);
    for (int64_t n = QL_PAD; n <= 8 * QL_PAD; n += QL_PAD)
        for (int log = 0; log < 2; log++) inputs_case(k, &r, n, log);
}

static void lists_are_the_same(void **state)
{
    (void)state;
    each_table(lists_of_table);
}

/* ---- maps ---- */

static void map_case(const ql_kern *k, ql_rng *r, int64_t n, double lo, double hi,
                     void (*mine)(int64_t, const ql_real *, ql_real *),
                     void (*plain)(int64_t, const ql_real *, ql_real *), const char *what)
{
    room x = room_of(r, n, lo, hi), before = room_of(r, n, -1, 1);
    for (int64_t i = 0; i < n; i += 3)
        x.x[i] =
            (ql_real)(lo >= 0 ? ldexp((double)x.x[i], -(int)ql_rng_below(r, 90)) : (double)x.x[i]);
    room a = room_copy(&before), b = room_copy(&before), in_place = room_copy(&x);
    mine(n, x.x, a.x);
    plain(n, x.x, b.x);
    same_room(&a, &b, what, k->isa);
    only_inside(&a, &before, 1, n, n);
    mine(n, in_place.x, in_place.x);
    assert_memory_equal(in_place.x, a.x, (size_t)n * sizeof(ql_real));
    free_rooms(&a, &b, &before);
    free(x.memory);
    free(in_place.memory);
}

static void maps_of_table(const ql_kern *k)
{
    ql_rng r = random_start(4);
    const ql_kern *s = scalar();
    for (int64_t n = QL_PAD; n <= 1024; n += n) {
        for (int again = 0; again < 8; again++) {
            map_case(k, &r, n, -40, 40, k->exp, s->exp, "exp");
            map_case(k, &r, n, -200, 200, k->exp, s->exp, "exp");
            map_case(k, &r, n, 1e-3, 10, k->log, s->log, "log");
            map_case(k, &r, n, 1, 1e30, k->log, s->log, "log");
            map_case(k, &r, n, 0, 2, k->log1p, s->log1p, "log1p");
            map_case(k, &r, n, 0, 1e30, k->log1p, s->log1p, "log1p");
        }
    }
}

static void maps_are_the_same(void **state)
{
    (void)state;
    each_table(maps_of_table);
}

/* ---- optimizers ---- */

static ql_opt_step draw_step(ql_rng *r)
{
    return (ql_opt_step){
        .rate = (ql_real)random_in(r, 1e-4, 0.1),
        .decay1 = (ql_real)0.9,
        .decay2 = (ql_real)0.999,
        .eps = (ql_real)1e-7,
        .clip = ql_rng_below(r, 2) ? (ql_real)0.5 : 0,
        .l1 = ql_rng_below(r, 2) ? (ql_real)0.01 : 0,
        .l2 = ql_rng_below(r, 2) ? (ql_real)0.02 : 0,
        .weight_decay = ql_rng_below(r, 2) ? (ql_real)0.1 : 0,
    };
}

static void optimizer_case(const ql_kern *k, ql_opt_kern mine, ql_opt_kern plain, ql_rng *r)
{
    int64_t n = QL_PAD * (1 + (int64_t)ql_rng_below(r, 6));
    room grad = room_of(r, n, -2, 2), w0 = room_of(r, n, -1, 1), m0 = room_of(r, n, -1, 1);
    room v0 = room_of(r, n, 0, 1);
    for (int64_t i = 0; i < n; i += 7) w0.x[i] = grad.x[i] = v0.x[i] = 0;
    room w1 = room_copy(&w0), m1 = room_copy(&m0), v1 = room_copy(&v0);
    room w2 = room_copy(&w0), m2 = room_copy(&m0), v2 = room_copy(&v0);
    ql_opt_step step = draw_step(r);
    mine(n, w1.x, grad.x, m1.x, v1.x, &step);
    plain(n, w2.x, grad.x, m2.x, v2.x, &step);
    same_room(&w1, &w2, "optimizer, weights", k->isa);
    same_room(&m1, &m2, "optimizer, first moments", k->isa);
    same_room(&v1, &v2, "optimizer, second moments", k->isa);
    only_inside(&w1, &w0, 1, n, n);
    only_inside(&m1, &m0, 1, n, n);
    only_inside(&v1, &v0, 1, n, n);
    free_rooms(&w0, &m0, &v0);
    free_rooms(&w1, &m1, &v1);
    free_rooms(&w2, &m2, &v2);
    free(grad.memory);
}

static void optimizers_of_table(const ql_kern *k)
{
    ql_rng r = random_start(5);
    for (int again = 0; again < 100; again++) {
        optimizer_case(k, k->sgd, scalar()->sgd, &r);
        optimizer_case(k, k->rmsprop, scalar()->rmsprop, &r);
        optimizer_case(k, k->adam, scalar()->adam, &r);
    }
}

static void optimizers_are_the_same(void **state)
{
    (void)state;
    each_table(optimizers_of_table);
}

/* ---- likelihoods ---- */

typedef void (*lik_fn)(const ql_lik_args *args);

/* Elements that the call may write: n of each of mean, disp, pi; n_loss of loss; those of a sweep
 * in the work space. */
static void lik_untouched(const lik_space *now, const lik_space *before, int offset, int64_t n,
                          int64_t n_loss, int64_t n_sweep)
{
    for (int k = 0; k < LIK_ARRAYS; k++) {
        int64_t may = k <= LIK_PI ? n : k == LIK_LOSS ? n_loss : k == LIK_PRODUCT ? n_sweep : 0;
        for (int64_t i = 0; i < LIK_GUARD + LIK_ROOM + LIK_GUARD; i++) {
            int64_t at = i - LIK_GUARD - offset;
            if (at >= 0 && at < may) continue;
            if (memcmp(&now->memory[k][i], &before->memory[k][i], sizeof(ql_real)) != 0)
                fail_msg("array %d was written at %lld", k, (long long)at);
        }
    }
}

static void lik_case(const ql_kern *k, const ql_likelihood *lik, lik_fn mine, lik_fn plain,
                     int64_t n, int64_t ld, int64_t n_loss, ql_rng *r)
{
    static lik_space before, a, b;
    int offset = (int)ql_rng_below(r, 16);
    lik_point(&before, n, ld, offset);
    lik_draw(&before, r);
    lik_make_shares(&before, lik);
    memcpy(a.memory, before.memory, sizeof a.memory);
    memcpy(b.memory, before.memory, sizeof b.memory);
    lik_point(&a, n, ld, offset);
    lik_point(&b, n, ld, offset);
    a.args.ridge = b.args.ridge = before.args.ridge;
    mine(&a.args);
    plain(&b.args);
    for (int array = 0; array < LIK_ARRAYS; array++)
        if (memcmp(a.memory[array], b.memory[array], sizeof a.memory[array]) != 0)
            fail_msg("%s, array %d (%lld x %lld): %s differs from scalar", lik->name, array,
                     (long long)n, (long long)ld, k->isa);
    lik_untouched(&a, &before, offset, ld ? n * ld : n, n_loss, ld ? n_loss : 0);
}

static void likelihoods_of_table(const ql_kern *k)
{
    ql_rng r = random_start(6);
    for (int i = 0; lik_number(i); i++) {
        const ql_likelihood *lik = lik_number(i);
        const ql_lik_kern *mine = lik->kernel(k), *plain = lik->kernel(scalar());
        for (int64_t ld = QL_PAD; ld <= 4 * QL_PAD; ld += QL_PAD) {
            for (int64_t n = 1; n <= 31; n += 5) {
                lik_case(k, lik, mine->sweep, plain->sweep, n, ld, ld, &r);
                lik_case(k, lik, mine->link, plain->link, n, ld, 0, &r);
            }
        }
        for (int64_t n = 0; n <= 4000; n += QL_PAD * (n < 160 ? 1 : 20))
            lik_case(k, lik, mine->list, plain->list, n, 0, n, &r);
    }
}

static void likelihoods_are_the_same(void **state)
{
    (void)state;
    each_table(likelihoods_of_table);
}

/* Whatever comes in that is finite, what comes out is. */
static void likelihoods_stay_finite(void **state)
{
    (void)state;
    static lik_space s;
    ql_rng r = random_start(7);
    for (int i = 0; lik_number(i); i++) {
        const ql_lik_kern *k = lik_number(i)->kernel(scalar());
        for (int kind = 0; kind < 3; kind++) {
            lik_point(&s, kind == 1 ? 4000 : 40, kind == 1 ? 0 : 3 * QL_PAD, 0);
            lik_draw(&s, &r);
            lik_make_shares(&s, lik_number(i));
            (kind == 0 ? k->sweep : kind == 1 ? k->list : k->link)(&s.args);
            for (int array = 0; array < LIK_ARRAYS; array++)
                for (int j = 0; j < LIK_ROOM; j++)
                    if (!isfinite((double)s.memory[array][LIK_GUARD + j]))
                        fail_msg("%s: array %d holds %g", lik_number(i)->name, array,
                                 (double)s.memory[array][LIK_GUARD + j]);
        }
    }
}

/* ---- NaN ---- */

static bool any_nan(const ql_real *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (isnan((double)x[i])) return true;
    return false;
}

static void maps_keep_nan(const ql_kern *k)
{
    ql_real x[QL_PAD], y[QL_PAD];
    for (int i = 0; i < QL_PAD; i++) x[i] = (ql_real)NAN;
    k->exp(QL_PAD, x, y);
    assert_true(isnan((double)y[0]));
    k->log(QL_PAD, x, y);
    assert_true(isnan((double)y[0]));
    k->log1p(QL_PAD, x, y);
    assert_true(isnan((double)y[0]));
}

/* A NaN among the pre-activations of any head reaches the loss: that is how a run notices. */
static void losses_keep_nan(const ql_kern *k, const ql_likelihood *lik, int head, bool is_list)
{
    static lik_space s;
    ql_rng r = random_start(8);
    lik_point(&s, is_list ? QL_PAD : 3, is_list ? 0 : QL_PAD, 0);
    lik_draw(&s, &r);
    lik_make_shares(&s, lik);
    ql_real *const heads[] = {s.args.mean, s.args.disp, s.args.pi};
    heads[head][5] = (ql_real)NAN;
    if (head == 1 && !is_list) s.memory[LIK_DISP_GENE][LIK_GUARD + 2] = (ql_real)NAN;
    if (is_list)
        lik->kernel(k)->list(&s.args);
    else
        lik->kernel(k)->sweep(&s.args);
    if (!any_nan(s.args.loss, QL_PAD))
        fail_msg("%s, %s: NaN in head %d does not reach the loss (%s)", k->isa, lik->name, head,
                 is_list ? "list" : "sweep");
}

static void nan_is_not_swallowed(void **state)
{
    (void)state;
    for (int t = 0; ql_kern_names[t]; t++) {
        const ql_kern *k = ql_kern_find(ql_kern_names[t]);
        if (!k) continue;
        maps_keep_nan(k);
        for (int i = 0; lik_number(i); i++) {
            const ql_likelihood *lik = lik_number(i);
            for (int list = 0; list < 2; list++) {
                losses_keep_nan(k, lik, 0, list);
                if (lik->disp != QL_DISP_NONE) losses_keep_nan(k, lik, 1, list);
                if (lik->has_pi) losses_keep_nan(k, lik, 2, list);
            }
        }
    }
}

/* ---- the tables ---- */

static void tables_are_found_by_name(void **state)
{
    (void)state;
    assert_non_null(scalar());
    assert_null(ql_kern_find("avx1024"));
    assert_null(ql_kern_find(""));
    for (int i = 0; ql_kern_names[i]; i++) {
        const ql_kern *k = ql_kern_find(ql_kern_names[i]);
        if (k) assert_string_equal(k->isa, ql_kern_names[i]);
    }
}

static void environment_chooses_the_table(void **state)
{
    (void)state;
    const ql_kern *k = NULL;
    ql_err err = {0};
    setenv("QUELL_ISA", "scalar", 1);
    assert_int_equal(ql_kern_select(&k, &err), QL_OK);
    assert_ptr_equal(k, scalar());
    assert_string_equal(ql_kern_isa_name(), "scalar");
    setenv("QUELL_ISA", "avx1024", 1);
    assert_int_equal(ql_kern_select(&k, &err), QL_EUSAGE);
    assert_non_null(strstr(err.msg, "avx1024"));
    assert_string_equal(ql_kern_isa_name(), "?");
    setenv("QUELL_ISA", "", 1);
    assert_int_equal(ql_kern_select(&k, &err), QL_OK);
    unsetenv("QUELL_ISA");
    assert_int_equal(ql_kern_select(&k, &err), QL_OK);
    for (int i = 0; ql_kern_names[i]; i++) /* the first that runs */
        if (ql_kern_find(ql_kern_names[i])) {
            assert_ptr_equal(k, ql_kern_find(ql_kern_names[i]));
            break;
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables_are_found_by_name),
        cmocka_unit_test(environment_chooses_the_table),
        cmocka_unit_test(gemm_is_the_same),
        cmocka_unit_test(row_sums_are_the_same),
        cmocka_unit_test(sums_of_arrays_are_the_same),
        cmocka_unit_test(shares_are_the_same),
        cmocka_unit_test(sparse_products_are_the_same),
        cmocka_unit_test(lists_are_the_same),
        cmocka_unit_test(maps_are_the_same),
        cmocka_unit_test(optimizers_are_the_same),
        cmocka_unit_test(likelihoods_are_the_same),
        cmocka_unit_test(likelihoods_stay_finite),
        cmocka_unit_test(nan_is_not_swallowed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
