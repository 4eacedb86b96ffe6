/* How far a long stage has come, as one line of text, and how often to show it. */
#ifndef QUELL_PROGRESS_H
#define QUELL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/strbuf.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Strings are borrowed and should be literals: they are kept until the stage ends. Fill what is
 * known: use QL_PROGRESS("train", "epoch", done, total), then set the rest. */
typedef struct {
    const char *stage; /* "train", "read", "write" */
    const char
        *unit;     /* what done and total count: "epoch", "cells"; "epoch" shows the one at work */
    double done;   /* may be a fraction: 11.4 epochs */
    double total;  /* 0: not known */
    double before; /* what an earlier run had done: not part of the pace */
    bool may_stop; /* the stage may end before total (early stopping): time left is a bound */
    double loss;   /* NaN: none */
    double validation; /* NaN: none */
    int64_t cells;     /* cells worked on since the stage began, for cells/s; 0: none */
} ql_progress;

#define QL_PROGRESS(stage_, unit_, done_, total_)                                                  \
    ((ql_progress){.stage = (stage_),                                                              \
                   .unit = (unit_),                                                                \
                   .done = (done_),                                                                \
                   .total = (total_),                                                              \
                   .loss = __builtin_nan(""),                                                      \
                   .validation = __builtin_nan("")})

/* Done part of the stage in [0, 1]; 0 when the total is not known. */
double ql_progress_fraction(const ql_progress *progress);

/* Append "train: epoch 12/300, loss 0.8123, validation 0.8310, 125k cells/s, under 2:31 left".
 * elapsed: seconds since the stage began. */
void ql_progress_line(const ql_progress *progress, double elapsed, ql_str *out);

/* When to show: zero-initialise, ask at each event. */
typedef struct {
    bool started;
    const char *stage;
    double begin; /* seconds at the stage's first event */
    double last;  /* seconds at the line shown last */
    double tenth; /* tenths of the stage passed at that line */
    bool shown;   /* something of this stage was shown */
} ql_progress_pace;

/* Note the event (starts a stage if it is a new one). Returns elapsed seconds of the stage. */
double ql_progress_tick(ql_progress_pace *pace, const ql_progress *progress, double now);

/* Is it time to redraw on a terminal (10 times a second, after the first second), or to print a
 * line elsewhere (each tenth of the stage but not within a second, or 30 s after the last)? Records
 * that it was shown. */
bool ql_progress_due_terminal(ql_progress_pace *pace, double now);
bool ql_progress_due_line(ql_progress_pace *pace, const ql_progress *progress, double now);

#ifdef __cplusplus
}
#endif
#endif
