/* The E step shares each count among the models by their part of its predicted rate; the M step has
 * a constraint, sum w = 1, besides the masses: w[k] = a[k] / (mass[k] + l), a[k] the molecules of
 * model k and l such that they add up to 1. */
#include "quell/simplex.h"

#include <math.h>
#include <string.h>

#define TINY 1e-30 /* a mixed rate counts as at least this */

enum { MOST_STEPS = 1000, MOST_HALVINGS = 200 };
static const double close_enough = 1e-7;

/* a[k]: molecules that fall to model k under weights w. */
static void share(const ql_simplex_data *d, const int64_t *chosen, int64_t n, const double *w,
                  double *a)
{
    for (int64_t i = 0; i < n; i++) {
        const int64_t e = chosen ? chosen[i] : i;
        const float *rate = d->rate + e * d->m;
        double sum = 0;
        for (int k = 0; k < d->m; k++) sum += w[k] * (double)rate[k];
        const double per = (double)d->count[e] / (sum > TINY ? sum : TINY);
        for (int k = 0; k < d->m; k++) a[k] += w[k] * (double)rate[k] * per;
    }
}

static double total(int m, const double *a, const double *mass, double l)
{
    double sum = 0;
    for (int k = 0; k < m; k++)
        if (a[k] > 0) sum += a[k] / (mass[k] + l);
    return sum;
}

/* The multiplier: total falls from infinity, where the least mass and l cancel, to 0. */
static double multiplier(int m, const double *a, const double *mass)
{
    double least = INFINITY, sum = 0;
    for (int k = 0; k < m; k++) {
        if (!(a[k] > 0)) continue;
        if (mass[k] < least) least = mass[k];
        sum += a[k];
    }
    /* at l = sum - least every denominator is sum at least */
    double low = -least, high = sum - least;
    for (int i = 0; i < MOST_HALVINGS; i++) {
        const double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high) break;
        if (total(m, a, mass, middle) > 1)
            low = middle;
        else
            high = middle;
    }
    return high;
}

void ql_simplex_fit(const ql_simplex_data *data, const int64_t *chosen, int64_t n_chosen,
                    const double *mass, const double *prior, double strength, double *w)
{
    const int m = data->m;
    const int64_t n = chosen ? n_chosen : data->n;
    memcpy(w, prior, (size_t)m * sizeof *w);
    for (int step = 0; step < MOST_STEPS; step++) {
        double a[QL_SIMPLEX_MOST], change = 0, molecules = 0;
        for (int k = 0; k < m; k++) a[k] = strength * prior[k];
        share(data, chosen, n, w, a);
        for (int k = 0; k < m; k++) molecules += a[k];
        if (!(molecules > 0)) return; /* nothing to go by */
        const double l = multiplier(m, a, mass);
        for (int k = 0; k < m; k++) {
            const double next = a[k] > 0 ? a[k] / (mass[k] + l) : 0;
            if (fabs(next - w[k]) > change) change = fabs(next - w[k]);
            w[k] = next;
        }
        if (!(change > close_enough)) break;
    }
}
