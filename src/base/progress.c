/* One line of progress and the rate it is shown at. Knows no terminal and no clock. */
#include "quell/progress.h"

#include <math.h>
#include <string.h>

enum { TERMINAL_AFTER = 1, LINE_AFTER = 1, LINE_AT_LEAST = 30 };
static const double terminal_step = 0.1;

double ql_progress_fraction(const ql_progress *p)
{
    if (!(p->total > 0) || !(p->done > 0)) return 0;
    return p->done < p->total ? p->done / p->total : 1;
}

/* The unit at work, not the last one finished: 11.4 epochs done is epoch 12. */
static void put_position(const ql_progress *p, ql_str *out)
{
    double at = strcmp(p->unit, "epoch") == 0 ? ceil(p->done) : floor(p->done);
    bool ordinal = strcmp(p->unit, "epoch") == 0;
    if (ordinal) ql_str_printf(out, " %s", p->unit);
    ql_str_printf(out, " %.0f", at);
    if (p->total > 0) ql_str_printf(out, "/%.0f", p->total);
    if (!ordinal) ql_str_printf(out, " %s", p->unit);
}

static void put_rate(double rate, ql_str *out)
{
    static const char *const unit[] = {"", "k", "M", "G"};
    int i = 0;
    for (; rate >= 999.5 && i < 3; i++) rate /= 1000;
    int decimals = i == 0 || rate >= 99.95 ? 0 : rate >= 9.995 ? 1 : 2;
    ql_str_printf(out, ", %.*f%s cells/s", decimals, rate, unit[i]);
}

static void put_left(const ql_progress *p, double elapsed, ql_str *out)
{
    double part = ql_progress_fraction(p);
    if (part <= 0 || part >= 1) return;
    double here = (p->done - p->before) / p->total; /* there is a total, or part were 0 */
    if (here <= 0) return;
    double left = ceil(elapsed * (1 - part) / here);
    if (left > 999.0 * 3600) return;
    int s = (int)left;
    ql_str_puts(out, p->may_stop ? ", under " : ", ");
    if (s >= 3600)
        ql_str_printf(out, "%d:%02d:%02d left", s / 3600, s / 60 % 60, s % 60);
    else
        ql_str_printf(out, "%d:%02d left", s / 60, s % 60);
}

void ql_progress_line(const ql_progress *p, double elapsed, ql_str *out)
{
    ql_str_printf(out, "%s:", p->stage);
    put_position(p, out);
    if (!isnan(p->loss)) ql_str_printf(out, ", loss %.4f", p->loss);
    if (!isnan(p->validation)) ql_str_printf(out, ", validation %.4f", p->validation);
    if (p->cells > 0 && elapsed > 0) put_rate((double)p->cells / elapsed, out);
    put_left(p, elapsed, out);
}

double ql_progress_tick(ql_progress_pace *pace, const ql_progress *p, double now)
{
    if (!pace->started || strcmp(pace->stage, p->stage) != 0)
        *pace = (ql_progress_pace){.started = true, .stage = p->stage, .begin = now, .last = now};
    return now - pace->begin;
}

bool ql_progress_due_terminal(ql_progress_pace *pace, double now)
{
    double wait = pace->shown ? terminal_step : TERMINAL_AFTER;
    if (now - pace->last < wait) return false;
    pace->last = now;
    pace->shown = true;
    return true;
}

bool ql_progress_due_line(ql_progress_pace *pace, const ql_progress *p, double now)
{
    double tenth = floor(10 * ql_progress_fraction(p) + 1e-9);
    double since = now - pace->last;
    bool passed = tenth > pace->tenth && since >= LINE_AFTER;
    if (!passed && since < LINE_AT_LEAST) return false;
    pace->last = now;
    pace->tenth = tenth;
    pace->shown = true;
    return true;
}
