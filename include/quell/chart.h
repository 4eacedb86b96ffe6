/* Charts as SVG inside HTML, and text made safe for HTML. Pure functions of their arguments: the
 * same numbers give the same bytes. Colours are CSS classes such as c0 (kinds) or v0 (a scale); the
 * page says what they are. */
#ifndef QUELL_CHART_H
#define QUELL_CHART_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/strbuf.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Append text with < > & " ' as entities and control characters as '?'. */
void ql_html_text(ql_str *out, const char *text);

typedef enum { QL_MARK_POINTS, QL_MARK_LINE, QL_MARK_BARS } ql_mark;

/* What is drawn in one colour; points that are not finite are left out. BARS: x are the n + 1
 * edges.
 */
typedef struct {
    const double *x, *y; /* borrowed */
    int64_t n;
    const char *name;   /* for the legend; NULL: not in it */
    const char *colour; /* a class */
} ql_series;

/* Words within the chart, around a point of it. */
typedef struct {
    double x, y;
    const char *text; /* any text: it is escaped */
} ql_chart_note;

typedef struct {
    const char *title, *xlab, *ylab; /* any text: it is escaped; title NULL: none */
    int width, height;               /* in CSS pixels */
    ql_mark mark;
    const ql_series *series;
    int n_series;
    bool bare;         /* without ticks: the scale means nothing */
    bool from_zero;    /* the y axis begins at 0 */
    bool log_x, log_y; /* the values are logarithms to base 10: ticks say what of */
    const ql_chart_note *notes;
    int n_notes;
} ql_chart;

/* Logarithm to base 10 (-infinity where x is not above 0) and its inverse: the same bits
 * everywhere. */
double ql_log10(double x);
double ql_exp10(double x);

void ql_chart_put(const ql_chart *c, ql_str *out);

#ifdef __cplusplus
}
#endif
#endif
