/* The coverage of predictive intervals in an h5ad: a table at uns/quell/denoise/coverage. */
#include <stdio.h>

#include "denoise_output.h"
#include "quell/coverage.h"

#define KEY "uns/quell/denoise/coverage"

enum { N_COLUMNS = 6, MOST = QL_COVER_LEVELS };

static double figure_of(const ql_cover *c, int column)
{
    const double n = c->n > 0 ? c->n : 1;
    const double of[N_COLUMNS] = {c->n,         ql_covered(c), c->below / n,
                                  c->above / n, c->seen,       c->expected};
    return of[column];
}

static ql_status write_group(const ql_cover *c, int n, const char *group, ql_h5ad_writer *w,
                             ql_err *err)
{
    static const char *const names[N_COLUMNS] = {"counts", "covered",   "below",
                                                 "above",  "molecules", "expected"};
    char key[128];
    double values[MOST];
    for (int column = 0; column < N_COLUMNS; column++) {
        for (int i = 0; i < n; i++) values[i] = figure_of(&c[i], column);
        snprintf(key, sizeof key, KEY "/%s/%s", group, names[column]);
        QL_TRY(ql_h5ad_doubles(w, key, values, n, err));
    }
    return QL_OK;
}

ql_status denoise_write_coverage(const ql_coverage *c, ql_h5ad_writer *w, ql_err *err)
{
    double edges[QL_COVER_LEVELS];
    if (!(c->level > 0)) return QL_OK;
    for (int i = 0; i < QL_COVER_LEVELS; i++) edges[i] = ql_coverage_edge(i);
    QL_TRY(ql_h5ad_double(w, KEY "/level", c->level, err));
    QL_TRY(write_group(c->third, QL_COVER_THIRDS, "genes", w, err));
    QL_TRY(ql_h5ad_doubles(w, KEY "/expected_count/from", edges, QL_COVER_LEVELS, err));
    return write_group(c->at, QL_COVER_LEVELS, "expected_count", w, err);
}
