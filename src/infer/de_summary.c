#include "de_summary.h"

#include <math.h>
#include <string.h>

#define PER_LN2 1.44269504088896338700

/* Kernels are of ql_real, which is float here but in the float64 build of the tests. */
static void log_of(const ql_kern *kern, int64_t n, const float *x, float c, float *y)
{
    ql_real part[QL_PAD * 16];
    const int64_t most = (int64_t)(sizeof part / sizeof *part);
    for (int64_t at = 0; at < n; at += most) {
        const int64_t m = n - at < most ? n - at : most;
        for (int64_t i = 0; i < m; i++) part[i] = (ql_real)x[at + i] + (ql_real)c;
        for (int64_t i = m; i < ql_pad(m); i++) part[i] = 1;
        kern->log(ql_pad(m), part, part);
        for (int64_t i = 0; i < m; i++) y[at + i] = (float)part[i];
    }
}

void de_lfc(const ql_kern *kern, int64_t n, const float *a, const float *b, float c, float *lfc,
            float *scratch)
{
    log_of(kern, n, a, c, lfc);
    log_of(kern, n, b, c, scratch);
    for (int64_t i = 0; i < n; i++)
        lfc[i] = (float)(((double)lfc[i] - (double)scratch[i]) * PER_LN2);
}

/* ---- order ---- */

/* Bits of a float so that their order as numbers is that of the floats. */
static uint32_t key_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}

enum { RADIX_BITS = 11, BUCKETS = 1 << RADIX_BITS, PASSES = 3 };

/* Least significant digit first; PASSES is odd, so that the result is in `other`. */
static void sort_floats(float *x, float *other, int64_t n)
{
    float *from = x, *to = other;
    for (int pass = 0; pass < PASSES; pass++) {
        int64_t start[BUCKETS + 1] = {0};
        const int shift = pass * RADIX_BITS;
        for (int64_t i = 0; i < n; i++) start[(key_of(from[i]) >> shift & (BUCKETS - 1)) + 1]++;
        for (int k = 0; k < BUCKETS; k++) start[k + 1] += start[k];
        for (int64_t i = 0; i < n; i++)
            to[start[key_of(from[i]) >> shift & (BUCKETS - 1)]++] = from[i];
        float *swap = from;
        from = to;
        to = swap;
    }
    memcpy(x, other, (size_t)n * sizeof *x);
}

/* ---- summary ---- */

/* The shortest of the intervals that span floor(interval n) steps of the sorted draws. */
static void shortest(const float *sorted, int64_t n, double interval, de_summary *out)
{
    int64_t span = (int64_t)(interval * (double)n);
    if (span > n - 1) span = n - 1;
    int64_t best = 0;
    for (int64_t i = 1; i + span < n; i++)
        if (sorted[i + span] - sorted[i] < sorted[best + span] - sorted[best]) best = i;
    out->low = (double)sorted[best];
    out->high = (double)sorted[best + span];
}

void de_summarise(float *lfc, int64_t n, double interval, float *scratch, de_summary *out)
{
    double sum = 0, square = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)lfc[i];
    out->mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++) {
        const double d = (double)lfc[i] - out->mean;
        square += d * d;
    }
    out->sd = sqrt(square / (double)n);
    sort_floats(lfc, scratch, n);
    out->least = (double)lfc[0];
    out->most = (double)lfc[n - 1];
    out->median = n % 2 ? (double)lfc[n / 2] : 0.5 * ((double)lfc[n / 2 - 1] + (double)lfc[n / 2]);
    shortest(lfc, n, interval, out);
}
