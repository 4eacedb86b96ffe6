/* The rate of OpenBLAS's single-precision product of two 1024 x 1024 matrices: the yardstick for
 * arithmetic.
 *
 *   sgemm_bench [threads=2]
 *
 * Prints one JSON object. */
#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quell/clock.h"

void openblas_set_num_threads(int n);

enum { N = 1024, ROUNDS = 40, WARM_UP = 5 };

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static float a[N * N], b[N * N], c[N * N];
    double rate[ROUNDS];
    int threads = argc > 1 && !strncmp(argv[1], "threads=", 8) ? atoi(argv[1] + 8) : 2;
    openblas_set_num_threads(threads);
    for (int i = 0; i < N * N; i++) a[i] = b[i] = (float)(i % 7);
    for (int r = -WARM_UP; r < ROUNDS; r++) {
        double start = ql_clock_wall();
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, N, N, N, 1, a, N, b, N, 0, c, N);
        if (r >= 0) rate[r] = 2e-9 * N * N * N / (ql_clock_wall() - start);
    }
    qsort(rate, ROUNDS, sizeof *rate, by_value);
    printf("{\"threads\":%d,\"gflops\":%.1f,\"slowest\":%.1f,\"fastest\":%.1f}\n", threads,
           rate[ROUNDS / 2], rate[0], rate[ROUNDS - 1]);
    return 0;
}
