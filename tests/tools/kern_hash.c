/* Prints a hash of what the kernels of one instruction set make of fixed pseudo-random input:
 *   kern_hash avx2
 * Every instruction set and every processor must print the same. `make check-neon` runs the 64-bit
 * Arm build under an emulator and compares it with this machine's. */
#include <stdint.h>
#include <stdio.h>

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

static void hash_algebra(const ql_kern *k)
{
    ql_gemm g = {.m = 29,
                 .n = 80,
                 .p = 70,
                 .a = a,
                 .a_row = 70,
                 .a_col = 1,
                 .b = b,
                 .ldb = 80,
                 .c = c,
                 .ldc = 80,
                 .start = QL_FROM_C};
    fill(a, 3);
    fill(b, 1);
    fill(c, 1);
    k->gemm(&g);
    add(c, 29 * 80);
    k->row_sums(10, 48, a, 64, z);
    add(z, 10);
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

static void hash_likelihood(const ql_lik_kern *lik)
{
    ql_lik_args args = {.n = ROWS,
                        .ld = LD,
                        .mean = a,
                        .disp = b,
                        .pi = d,
                        .disp_gene = z,
                        .size = z,
                        .weight = w,
                        .loss = c,
                        .ridge = 0.1f};
    draw_heads();
    lik->sweep(&args);
    add(a, N);
    add(b, N);
    add(c, LD);
    draw_heads();
    args.n = N;
    args.count = w;
    lik->list(&args);
    add(a, N);
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
    hash_functions(k);
#define X(name, disp) hash_likelihood(&k->name##_##disp);
    QL_LIK_MAP(X)
#undef X
    printf("%016llx\n", (unsigned long long)hash);
    return 0;
}
