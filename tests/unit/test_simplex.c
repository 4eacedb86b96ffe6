/* Weights of a mixture against scipy's optimum (tests/tools/ensemble_values.py). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "quell/simplex.h"

enum { ENTRIES = 60, MODELS = 4 };

static const double mass[MODELS] = {40, 44, 41, 52}, prior[MODELS] = {0.4, 0.3, 0.2, 0.1};

static void fill(float *rate, float *count)
{
    for (int e = 0; e < ENTRIES; e++) {
        count[e] = (float)(1 + (e * 5) % 4);
        for (int k = 0; k < MODELS; k++)
            rate[e * MODELS + k] =
                (float)(0.05 + (double)((e * (2 * k + 3) + 5 * k * k) % 11) / 8.0);
    }
}

static double objective(const float *rate, const float *count, const double *w, double strength)
{
    double sum = 0;
    for (int e = 0; e < ENTRIES; e++) {
        double p = 0;
        for (int k = 0; k < MODELS; k++) p += w[k] * (double)rate[e * MODELS + k];
        sum += (double)count[e] * log(p);
    }
    for (int k = 0; k < MODELS; k++) {
        sum -= w[k] * mass[k];
        if (strength > 0) sum += strength * prior[k] * log(w[k]);
    }
    return sum;
}

static void check(double strength, const double *want, double value)
{
    float rate[ENTRIES * MODELS], count[ENTRIES];
    double w[MODELS], sum = 0;
    fill(rate, count);
    const ql_simplex_data data = {ENTRIES, MODELS, rate, count};
    ql_simplex_fit(&data, NULL, 0, mass, prior, strength, w);
    for (int k = 0; k < MODELS; k++) {
        assert_true(fabs(w[k] - want[k]) < 2e-3);
        sum += w[k];
    }
    assert_true(fabs(sum - 1) < 1e-9);
    assert_true(fabs(objective(rate, count, w, strength) - value) < 2e-4);
}

static void weights_are_scipys(void **state)
{
    (void)state;
    check(0, (const double[]){0.383052, 0.249829, 0.367119, 0}, -105.784974683);
    check(10, (const double[]){0.368140, 0.260818, 0.313790, 0.057251}, -119.428285842);
}

/* Only the chosen entries count. */
static void a_part_of_the_entries(void **state)
{
    (void)state;
    float rate[ENTRIES * MODELS], count[ENTRIES];
    float part_rate[ENTRIES / 2 * MODELS], part_count[ENTRIES / 2];
    int64_t chosen[ENTRIES / 2];
    double some[MODELS], alone[MODELS];
    fill(rate, count);
    for (int i = 0; i < ENTRIES / 2; i++) {
        chosen[i] = 2 * i;
        part_count[i] = count[2 * i];
        for (int k = 0; k < MODELS; k++) part_rate[i * MODELS + k] = rate[2 * i * MODELS + k];
    }
    const ql_simplex_data all = {ENTRIES, MODELS, rate, count};
    const ql_simplex_data part = {ENTRIES / 2, MODELS, part_rate, part_count};
    ql_simplex_fit(&all, chosen, ENTRIES / 2, mass, prior, 1, some);
    ql_simplex_fit(&part, NULL, 0, mass, prior, 1, alone);
    for (int k = 0; k < MODELS; k++) assert_true(some[k] == alone[k]);
}

static void nothing_to_go_by(void **state)
{
    (void)state;
    const ql_simplex_data none = {.m = MODELS};
    double w[MODELS];
    ql_simplex_fit(&none, NULL, 0, mass, prior, 0, w);
    for (int k = 0; k < MODELS; k++) assert_true(w[k] == prior[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_are_scipys),
        cmocka_unit_test(a_part_of_the_entries),
        cmocka_unit_test(nothing_to_go_by),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
