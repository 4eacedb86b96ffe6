#include "quell/chart.h"

#include <math.h>
#include <string.h>

#include "quell/fmath.h"

static const double ln10 = 2.302585092994045684;

double ql_log10(double x)
{
    return x > 0 && isfinite(x) ? ql_log(x) / ln10 : x > 0 ? x : -INFINITY;
}

double ql_exp10(double x)
{
    return ql_exp(x * ln10);
}

void ql_html_text(ql_str *out, const char *text)
{
    static const char special[] = "<>&\"'";
    static const char *const entity[] = {"&lt;", "&gt;", "&amp;", "&quot;", "&#39;"};
    for (; *text; text++) {
        const char *at = strchr(special, *text);
        if (at)
            ql_str_puts(out, entity[at - special]);
        else if ((unsigned char)*text < 0x20 || *text == 0x7f)
            ql_str_puts(out, *text == '\n' ? " " : "?");
        else
            ql_str_bytes(out, text, 1);
    }
}

enum { LEFT = 58, RIGHT = 22, TOP = 12, BOTTOM = 44, BARE = 12, TICKS = 5 };

/* Where the numbers go on the page. */
typedef struct {
    double lo[2], hi[2]; /* of x and y */
    double left, right, top, bottom;
} frame;

static void widen(double *lo, double *hi, double v)
{
    if (!isfinite(v)) return;
    if (v < *lo) *lo = v;
    if (v > *hi) *hi = v;
}

static void pad(double *lo, double *hi, bool from_zero)
{
    if (!(*lo <= *hi)) *lo = *hi = 0;
    const double room = *hi > *lo ? 0.04 * (*hi - *lo) : fabs(*hi) > 0 ? 0.1 * fabs(*hi) : 1;
    *lo = from_zero ? fmin(0, *lo) : *lo - room;
    *hi += room;
}

static frame frame_of(const ql_chart *c)
{
    frame f = {.lo = {INFINITY, INFINITY},
               .hi = {-INFINITY, -INFINITY},
               .left = c->bare ? BARE : LEFT,
               .right = c->width - RIGHT,
               .top = TOP,
               .bottom = c->height - (c->bare ? BARE : BOTTOM)};
    for (int s = 0; s < c->n_series; s++)
        for (int64_t i = 0; i < c->series[s].n; i++) {
            widen(&f.lo[0], &f.hi[0], c->series[s].x[i]);
            if (c->mark == QL_MARK_BARS) widen(&f.lo[0], &f.hi[0], c->series[s].x[i + 1]);
            widen(&f.lo[1], &f.hi[1], c->series[s].y[i]);
        }
    pad(&f.lo[0], &f.hi[0], false);
    pad(&f.lo[1], &f.hi[1], c->from_zero || c->mark == QL_MARK_BARS);
    return f;
}

static double at_x(const frame *f, double x)
{
    return f->left + (x - f->lo[0]) / (f->hi[0] - f->lo[0]) * (f->right - f->left);
}

static double at_y(const frame *f, double y)
{
    return f->bottom - (y - f->lo[1]) / (f->hi[1] - f->lo[1]) * (f->bottom - f->top);
}

/* ---- axes ---- */

/* 1, 2 or 5 times a power of ten; whole powers of ten of a logarithm. */
static double tick_step(double span, bool is_log)
{
    if (is_log) return fmax(1, ceil(span / (2 * TICKS)));
    const double rough = span / TICKS, unit = pow(10, floor(log10(rough)));
    const double times = rough / unit;
    return unit * (times > 5 ? 10 : times > 2 ? 5 : times > 1 ? 2 : 1);
}

static void put_tick(double v, bool is_log, ql_str *out)
{
    ql_str_printf(out, "%.6g</text>", is_log ? ql_exp10(v) : v);
}

/* Between two powers of ten there would be no tick: 2 and 5 times them too. */
static bool is_narrow(const frame *f, int axis, bool is_log)
{
    return is_log && floor(f->hi[axis]) - ceil(f->lo[axis]) < 2;
}

static void put_x_tick(const frame *f, double v, bool is_log, ql_str *out)
{
    if (v < f->lo[0] || v > f->hi[0]) return;
    ql_str_printf(out, "<text class=\"t\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
                  at_x(f, v), f->bottom + 15);
    put_tick(v, is_log, out);
}

static void put_x_ticks(const frame *f, bool is_log, ql_str *out)
{
    const double step = tick_step(f->hi[0] - f->lo[0], is_log);
    const double first = floor(f->lo[0] / step);
    for (int i = 0; i <= 2 * TICKS + 1 && (first + i) * step <= f->hi[0]; i++) {
        const double v = (first + i) * step;
        put_x_tick(f, v, is_log, out);
        if (is_narrow(f, 0, is_log)) put_x_tick(f, v + ql_log10(2), true, out);
        if (is_narrow(f, 0, is_log)) put_x_tick(f, v + ql_log10(5), true, out);
    }
}

static void put_y_tick(const frame *f, double v, bool is_log, ql_str *out)
{
    if (v < f->lo[1] || v > f->hi[1]) return;
    const double y = at_y(f, v);
    ql_str_printf(out, "<path class=\"g\" d=\"M%.1f %.1fH%.1f\"/>", f->left, y, f->right);
    ql_str_printf(out, "<text class=\"t\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", f->left - 5,
                  y + 4);
    put_tick(v, is_log, out);
}

static void put_y_ticks(const frame *f, bool is_log, ql_str *out)
{
    const double step = tick_step(f->hi[1] - f->lo[1], is_log);
    const double first = floor(f->lo[1] / step);
    for (int i = 0; i <= 2 * TICKS + 1 && (first + i) * step <= f->hi[1]; i++) {
        const double v = (first + i) * step;
        put_y_tick(f, v, is_log, out);
        if (is_narrow(f, 1, is_log)) put_y_tick(f, v + ql_log10(2), true, out);
        if (is_narrow(f, 1, is_log)) put_y_tick(f, v + ql_log10(5), true, out);
    }
}

static void put_axes(const ql_chart *c, const frame *f, ql_str *out)
{
    if (!c->bare) {
        put_x_ticks(f, c->log_x, out);
        put_y_ticks(f, c->log_y, out);
    }
    if (c->xlab && !c->bare) {
        ql_str_printf(out, "<text class=\"l\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">",
                      (f->left + f->right) / 2, c->height - 6);
        ql_html_text(out, c->xlab);
        ql_str_puts(out, "</text>");
    }
    if (!c->ylab || c->bare) return;
    ql_str_printf(out,
                  "<text class=\"l\" transform=\"translate(13 %.1f) rotate(-90)\" "
                  "text-anchor=\"middle\">",
                  (f->top + f->bottom) / 2);
    ql_html_text(out, c->ylab);
    ql_str_puts(out, "</text>");
}

/* ---- marks ---- */

static void put_points(const frame *f, const ql_series *s, ql_str *out)
{
    ql_str_printf(out, "<path class=\"p %s\" d=\"", s->colour);
    for (int64_t i = 0; i < s->n; i++)
        if (isfinite(s->x[i]) && isfinite(s->y[i]))
            ql_str_printf(out, "M%.1f %.1fh0", at_x(f, s->x[i]), at_y(f, s->y[i]));
    ql_str_puts(out, "\"/>");
}

static void put_line(const frame *f, const ql_series *s, ql_str *out)
{
    bool on = false;
    ql_str_printf(out, "<path class=\"n %s\" d=\"", s->colour);
    for (int64_t i = 0; i < s->n; i++) {
        const bool is = isfinite(s->x[i]) && isfinite(s->y[i]);
        if (is)
            ql_str_printf(out, "%c%.1f %.1f", on ? 'L' : 'M', at_x(f, s->x[i]), at_y(f, s->y[i]));
        on = is;
    }
    ql_str_puts(out, "\"/>");
}

static void put_bars(const frame *f, const ql_series *s, ql_str *out)
{
    ql_str_printf(out, "<path class=\"b %s\" d=\"", s->colour);
    for (int64_t i = 0; i < s->n; i++)
        if (isfinite(s->y[i]) && s->y[i] > 0)
            ql_str_printf(out, "M%.1f %.1fV%.1fH%.1fV%.1fz", at_x(f, s->x[i]), f->bottom,
                          at_y(f, s->y[i]), at_x(f, s->x[i + 1]) - 1, f->bottom);
    ql_str_puts(out, "\"/>");
}

static void put_notes(const ql_chart *c, const frame *f, ql_str *out)
{
    for (int i = 0; i < c->n_notes; i++) {
        ql_str_printf(out, "<text class=\"n1\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
                      at_x(f, c->notes[i].x), at_y(f, c->notes[i].y) + 4);
        ql_html_text(out, c->notes[i].text);
        ql_str_puts(out, "</text>");
    }
}

static void put_legend(const ql_chart *c, ql_str *out)
{
    bool any = false;
    for (int s = 0; s < c->n_series; s++) any = any || c->series[s].name;
    if (!any) return;
    ql_str_puts(out, "<p class=\"key\">");
    for (int s = 0; s < c->n_series; s++) {
        if (!c->series[s].name) continue;
        ql_str_printf(out, "<span><i class=\"%s\"></i>", c->series[s].colour);
        ql_html_text(out, c->series[s].name);
        ql_str_puts(out, "</span> ");
    }
    ql_str_puts(out, "</p>\n");
}

void ql_chart_put(const ql_chart *c, ql_str *out)
{
    static void (*const put[])(const frame *f, const ql_series *s, ql_str *out) = {
        [QL_MARK_POINTS] = put_points, [QL_MARK_LINE] = put_line, [QL_MARK_BARS] = put_bars};
    const frame f = frame_of(c);
    ql_str_printf(out, "<figure style=\"max-width:%dpx\">", c->width);
    if (c->title) {
        ql_str_puts(out, "<figcaption>");
        ql_html_text(out, c->title);
        ql_str_puts(out, "</figcaption>");
    }
    ql_str_printf(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\"", c->width, c->height);
    if (c->title) {
        ql_str_puts(out, " aria-label=\"");
        ql_html_text(out, c->title);
        ql_str_puts(out, "\"");
    }
    ql_str_puts(out, ">");
    put_axes(c, &f, out);
    for (int s = 0; s < c->n_series; s++) put[c->mark](&f, &c->series[s], out);
    put_notes(c, &f, out);
    ql_str_puts(out, "</svg>");
    put_legend(c, out);
    ql_str_puts(out, "</figure>\n");
}
