/* Cells as points of a latent space. */
#ifndef QUELL_POINTS_H
#define QUELL_POINTS_H

#include <stdint.h>

#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The cells that have a place in the space: those that a model set aside (rows of NaN) are no
 * points. Zero-initialise; release with ql_points_free. */
typedef struct {
    int64_t n, n_dims;
    float *x;        /* [n, n_dims], finite; owned */
    int64_t n_cells; /* of the file, those without a place among them */
    int64_t *cell;   /* [n] ascending: which of the cells a point is; owned */
} ql_points;

/* Take x [n_cells, n_dims] over (owned; released on failure too) and close the gaps that rows of
 * NaN leave. QL_EDATA: a row is NaN or infinite in part, or there is no point at all. */
QL_MUST_USE ql_status ql_points_take(float *x, int64_t n_cells, int64_t n_dims, ql_points *out,
                                     ql_err *err);

/* The cells whose flag is nonzero as points whose coordinates are not known (n_dims 0, x NULL). */
QL_MUST_USE ql_status ql_points_of_cells(const uint8_t *is_point, int64_t n_cells, ql_points *out,
                                         ql_err *err);
void ql_points_free(ql_points *p);

/* Values of points [n, width] as values of all cells [n_cells, width]: NaN where there is no point.
 */
void ql_points_spread(const ql_points *p, const float *x, int64_t width, float *out);
void ql_points_spread_doubles(const ql_points *p, const double *x, double *out); /* width 1 */

#ifdef __cplusplus
}
#endif
#endif
