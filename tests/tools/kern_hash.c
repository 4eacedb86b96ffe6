/* Prints a hash of what the kernels of one instruction set make of fixed pseudo-random input:
 *   kern_hash avx2
 * Every instruction set and every processor must print the same. `make check-neon` runs the 64-bit
 * Arm build under an emulator and compares it with this machine's. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "quell/kern.h"

enum { N = 8192, ROWS = 64, LD = N / ROWS };

static float a[N], b[N], c[N], d[N], w[N], z[N];
static uint64_t hash = 1469598103934665603ULL;
static uint32_t state = 1;

/* in [-scale, scale) */
static float draw(float scale)
{
    state = state * 1664525u + 1013904223u;
    return ((float)(state >> 8) / 16777216.0f * 2 - 1) * scale;
}

static void add(const float *x, size_t n)
{
    const unsigned char *bytes = (const unsigned char *)x;
    for (size_t i = 0; i < n * sizeof *x; i++) hash = (hash ^ bytes[i]) * 1099511628211ULL;
}

static void fill(float *x, float scale)
{
    for (int i = 0; i < N; i++) x[i] = draw(scale);
}

static int32_t index_of[N];

/* n of [0, below), each at most once and in a scrambled order; below a power of 2. */
static void draw_indices(int32_t n, int32_t below)
{
    for (int32_t i = 0; i < n; i++) index_of[i] = (i * 37 + 11) & (below - 1);
}

static void add_ints(const int32_t *x, size_t n)
{
    for (size_t i = 0; i < n; i++) hash = (hash ^ (uint32_t)x[i]) * 1099511628211ULL;
}

static void hash_algebra(const ql_kern *k)
{
    enum { COLS = 3 * QL_PAD };
    ql_gemm g = {.m = 29,
                 .n = COLS,
                 .p = 70,
                 .a = a,
                 .a_row = 70,
                 .a_col = 1,
                 .b = b,
                 .ldb = COLS,
                 .c = c,
                 .ldc = COLS,
                 .start = QL_FROM_C,
                 .bias = d};
    fill(a, 3);
    fill(b, 1);
    fill(c, 1);
    fill(d, 1);
    k->gemm(&g);
    add(c, 29 * COLS);
    g.start = QL_FROM_BIAS; /* and a transposed */
    g.a_row = 1;
    g.a_col = 29;
    k->gemm(&g);
    add(c, 29 * COLS);
    k->row_sums(10, 2 * QL_PAD, a, 100, z);
    add(z, 10);
}

static void hash_sparse(const ql_kern *k)
{
    enum { ENTRIES = 31, H = 5 * QL_PAD };
    _Static_assert(ENTRIES * H <= N && 32 * H <= N, "the rows fit");
    draw_indices(ENTRIES, 32);
    fill(a, 1);
    fill(b, 2);
    fill(c, 1);
    k->gather(ENTRIES, index_of, 0, b, a, H, c);
    add(c, H);
    k->gather_all(ENTRIES, b, a, H, c);
    add(c, H);
    k->scatter(ENTRIES, index_of, 0, b, a, H, c);
    add(a, N);
    k->outer(ENTRIES, b, a, H, c);
    k->add(H, b, c);
    add(c, H);
    add(a, N);
}

static void hash_lists(const ql_kern *k)
{
    enum { ENTRIES = 77, FIRST = 384 };
    static int32_t gene[N], place[N], row[N];
    ql_entry_lists to = {place, row, a, b, d};
    ql_cell_entries cell = {.gene = gene,
                            .count = c,
                            .first = FIRST,
                            .ld = 96,
                            .column = 3,
                            .size = 0.7f,
                            .weight = 0.3f};
    fill(c, 40);
    draw_indices(N, N);
    for (int i = 0; i < N; i++) gene[i] = FIRST + index_of[i] % 128;
    k->list_cell(ENTRIES, &cell, &to, 13);
    add_ints(place + 13, ENTRIES);
    add_ints(row + 13, ENTRIES);
    add(a + 13, ENTRIES);
    add(b + 13, ENTRIES);
    add(d + 13, ENTRIES);
    k->take(N, index_of, c, z);
    add(z, N);
    k->put(N, index_of, c, w);
    add(w, N);
    for (int i = 0; i < N; i++) c[i] = (float)(i % 700);
    fill(a, 2);
    for (int log = 0; log < 2; log++) {
        k->input_values(N, c, gene, 0.37f, a, log, z);
        add(z, N);
    }
}

static void hash_shares(const ql_kern *k)
{
    fill(a, 9);
    fill(b, 9);
    fill(c, 1);
    for (int j = 0; j < LD; j++) d[j] = -1e30f;
    k->soft_sums(ROWS, LD, a, d, c);
    add(c, LD);
    add(d, LD);
    k->add_row(ROWS, LD, a, d, z);
    add(z, N);
    k->column_sums(ROWS, LD, z, c);
    add(c, LD);
    k->share_gradient(ROWS, LD, a, c, b, z);
    add(z, N);
    memcpy(b, a, sizeof b);
    k->soft_exp(ROWS, LD, a, c, d);
    add(a, N);
    add(c, LD);
    add(d, LD);
    k->exp_less(ROWS, LD, b, c);
    add(b, N);
}

static void hash_functions(const ql_kern *k)
{
    fill(a, 60);
    k->exp(N, a, z);
    add(z, N);
    for (int i = 0; i < N; i++) d[i] = a[i] * a[i] + 1e-3f;
    k->log(N, d, z);
    add(z, N);
    k->log1p(N, d, z);
    add(z, N);
}

static void hash_optimizers(const ql_kern *k)
{
    const ql_opt_kern rules[] = {k->sgd, k->rmsprop, k->adam};
    ql_opt_step step = {.rate = 0.01f, .decay1 = 0.9f, .decay2 = 0.999f, .eps = 1e-8f};
    for (int rule = 0; rule < 3; rule++) {
        fill(w, 1);
        fill(c, 1);
        fill(z, 1);
        for (int i = 0; i < N; i++) {
            z[i] = z[i] * z[i] * (i % 5 ? 1 : 1e-29f); /* some fade */
            c[i] = i % 3 ? c[i] : c[i] * 2e-30f;
        }
        for (int t = 0; t < 5; t++) {
            fill(a, t % 2 ? 1 : 1e-15f);
            if (t == 2) step.l1 = 0.01f, step.l2 = 0.02f;
            if (t == 3) step.clip = 0.3f, step.weight_decay = 0.1f;
            rules[rule](N, w, a, c, z, &step);
        }
        add(w, N);
        add(c, N);
        add(z, N);
    }
}

static void draw_heads(void)
{
    fill(a, 12);
    fill(b, 8);
    fill(d, 6);
    for (int i = 0; i < N; i++) {
        z[i] = 1.2f + draw(0.7f);
        w[i] = (float)(1 + (int)(draw(1) + 1) * (i % 7 ? 3 : 400));
        c[i] = 0;
    }
}

/* Means of shares come as numbers between 0 and 1. */
static void make_shares(void)
{
    for (int i = 0; i < N; i++) a[i] = (a[i] * a[i] + 1e-3f) / 145;
}

static void hash_likelihood(const ql_lik_kern *lik, int share)
{
    static float product[LD];
    ql_lik_args args = {.n = ROWS,
                        .ld = LD,
                        .mean = a,
                        .disp = b,
                        .pi = d,
                        .disp_gene = z,
                        .size = z,
                        .weight = w,
                        .loss = c,
                        .product = product,
                        .ridge = 0.1f};
    draw_heads();
    if (share) make_shares();
    lik->sweep(&args);
    add(a, N);
    add(b, N);
    add(d, N);
    add(c, LD);
    draw_heads();
    if (share) make_shares();
    lik->link(&args);
    add(a, N);
    add(b, N);
    add(d, N);
    draw_heads();
    if (share) make_shares();
    args.n = N;
    args.count = w;
    lik->list(&args);
    add(a, N);
    add(b, N);
    add(d, N);
    add(c, N);
}

int main(int argc, char **argv)
{
    const ql_kern *k = argc == 2 ? ql_kern_find(argv[1]) : NULL;
    if (!k) {
        fprintf(stderr, "kern_hash: give the name of kernels that run here\n");
        return 64;
    }
    hash_algebra(k);
    hash_sparse(k);
    hash_lists(k);
    hash_shares(k);
    hash_functions(k);
    hash_optimizers(k);
    hash_likelihood(&k->gaussian, 0);
#define X(name, disp) hash_likelihood(&k->name##_##disp, 0);
    QL_LIK_MAP(X)
#undef X
#define X(name, disp) hash_likelihood(&k->name##_##disp, 1);
    QL_LIK_SHARE_MAP(X)
#undef X
    printf("%016llx\n", (unsigned long long)hash);
    return 0;
}
