#include "quell/metric.h"

#include <math.h>
#include <string.h>

const ql_metric ql_metrics[] = {
    {"euclidean", 0, 0}, {"cosine", 1, 0}, {"correlation", 1, 1}, {NULL, 0, 0}};

const char *ql_metric_at(int i)
{
    return ql_metrics[i].name;
}

const ql_metric *ql_metric_find(const char *name)
{
    for (const ql_metric *m = ql_metrics; m->name; m++)
        if (strcmp(m->name, name) == 0) return m;
    return NULL;
}

/* Four chains, which the processor runs side by side. */
static double fold(const double sum[4])
{
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

static double squared(const float *a, const float *b, int64_t n)
{
    double sum[4] = {0};
    for (int64_t i = 0; i < n; i++) {
        const double d = (double)a[i] - (double)b[i];
        sum[i & 3] += d * d;
    }
    return fold(sum);
}

static double mean_of(const float *a, int64_t n)
{
    double sum[4] = {0};
    for (int64_t i = 0; i < n; i++) sum[i & 3] += (double)a[i];
    return fold(sum) / (double)n;
}

static double angle(const float *a, double centre_a, const float *b, double centre_b, int64_t n)
{
    double ab[4] = {0}, aa[4] = {0}, bb[4] = {0};
    for (int64_t i = 0; i < n; i++) {
        const double x = (double)a[i] - centre_a, y = (double)b[i] - centre_b;
        ab[i & 3] += x * y;
        aa[i & 3] += x * x;
        bb[i & 3] += y * y;
    }
    const double size = sqrt(fold(aa)) * sqrt(fold(bb));
    if (!(size > 0)) return 1;
    const double d = 1 - fold(ab) / size;
    return d < 0 ? 0 : d;
}

double ql_metric_distance(const ql_metric *m, const float *a, const float *b, int64_t n)
{
    if (!m->angle) return sqrt(squared(a, b, n));
    if (!m->centred) return angle(a, 0, b, 0, n);
    return angle(a, mean_of(a, n), b, mean_of(b, n), n);
}
