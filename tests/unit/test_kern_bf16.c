/* Products in bfloat16: operands rounded to eight bits, sums to float32, whatever the shape.
 * Skipped where the processor has none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quell/kern.h"

#include "../../src/kern/gemm_bf16.h"
#include "fixture_random.h"

/* to the nearest bfloat16, ties to even */
static float rounded(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* No numbers lie behind them: products with what is read of it show it. */
static float *draw(ql_rng *r, int64_t n)
{
    enum { BEHIND = 160 }; /* a row of A at least */
    float *x = malloc((size_t)(n + BEHIND) * sizeof *x);
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++) x[i] = (float)random_in(r, -2, 2);
    for (int64_t i = n; i < n + BEHIND; i++) x[i] = NAN;
    return x;
}

/* The element the contract asks for, and the sum of its terms' sizes. */
static double element(const ql_gemm *g, const float *c0, int64_t i, int64_t j, double *size)
{
    double s = g->start == QL_FROM_C      ? (double)c0[i * g->ldc + j]
               : g->start == QL_FROM_BIAS ? (double)g->bias[i]
                                          : 0;
    *size = fabs(s);
    for (int64_t k = 0; k < g->p; k++) {
        double term = (double)rounded(g->a[i * g->a_row + k * g->a_col]) *
                      (double)rounded(g->b[k * g->ldb + j]);
        s += term;
        *size += fabs(term);
    }
    return s;
}

static void check(const ql_gemm *g, const float *c0)
{
    for (int64_t i = 0; i < g->m; i++) {
        for (int64_t j = 0; j < g->ldc; j++) {
            float got = g->c[i * g->ldc + j];
            double size, want = j < g->n ? element(g, c0, i, j, &size) : 0;
            if (j >= g->n)
                assert_true(got == c0[i * g->ldc + j]);
            else if (!(fabs((double)got - want) <= 1e-6 * size))
                fail_msg("%d x %d x %d at %d, %d: %g, not %g", (int)g->m, (int)g->n, (int)g->p,
                         (int)i, (int)j, (double)got, want);
        }
    }
}

static void one_case(void (*gemm)(const ql_gemm *g), ql_rng *r, int64_t m, int64_t n, int64_t p)
{
    const bool transposed = ql_rng_below(r, 2);
    const int64_t lda = (transposed ? m : p) + ql_rng_below(r, 5);
    const int64_t ldb = n + ql_rng_below(r, 3), ldc = n + ql_rng_below(r, 3);
    float *a = draw(r, lda * (transposed ? p : m)), *b = draw(r, ldb * p), *bias = draw(r, m);
    float *c0 = draw(r, ldc * m), *c = draw(r, ldc * m);
    memcpy(c, c0, (size_t)(ldc * m) * sizeof *c);
    ql_gemm g = {.m = m,
                 .n = n,
                 .p = p,
                 .a = a,
                 .a_row = transposed ? 1 : lda,
                 .a_col = transposed ? lda : 1,
                 .b = b,
                 .ldb = ldb,
                 .c = c,
                 .ldc = ldc,
                 .start = (ql_gemm_start)ql_rng_below(r, 3),
                 .bias = bias};
    gemm(&g);
    check(&g, c0);
    float *const owned[] = {a, b, bias, c0, c};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) free(owned[i]);
}

static void cases(void (*gemm)(const ql_gemm *g))
{
    ql_rng r = random_start(1);
    one_case(gemm, &r, 128, 128, 64);
    one_case(gemm, &r, 5, 32, 0);
    for (int again = 0; again < 150; again++)
        one_case(gemm, &r, 1 + ql_rng_below(&r, 140), 32 * (1 + ql_rng_below(&r, 6)),
                 ql_rng_below(&r, 600));
}

static void products_are_of_rounded_operands(void **state)
{
    (void)state;
    const ql_kern *base = ql_kern_find("avx512");
    ql_kern k;
    const char *how = NULL;
    if (!base || !ql_kern_bf16(base, &k, &how)) skip();
    print_message("products by %s\n", how);
    cases(k.gemm);
#if defined(__x86_64__)
    cases(ql_gemm_dot); /* what has tiles has these too */
#endif
}

/* Lesser kernels were asked for, so this processor is to be treated as a lesser one. */
static void lesser_kernels_have_none(void **state)
{
    (void)state;
    ql_kern k;
    const char *how;
    assert_false(ql_kern_bf16(ql_kern_find("scalar"), &k, &how));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_of_rounded_operands),
        cmocka_unit_test(lesser_kernels_have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
