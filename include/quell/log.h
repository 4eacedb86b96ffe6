/* What a run tells: messages, metrics and progress go as events to sinks (text on stderr, JSON
 * lines, the run's summary). Standard output is for data; no sink writes there unless told to.
 *
 * Calls come from one thread. A ql_logger * may be NULL everywhere: events are dropped. */
#ifndef QUELL_LOG_H
#define QUELL_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "quell/notes.h"
#include "quell/progress.h"
#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    QL_LOG_DEBUG, /* details, shown with --verbose */
    QL_LOG_INFO,  /* what was decided and what was done */
    QL_LOG_WARN,  /* results may not be what was wanted */
    QL_LOG_ERROR, /* why the run failed */
    QL_LOG_METRIC,
    QL_LOG_PROGRESS,
    QL_LOG_PROGRESS_END
} ql_log_kind;

typedef struct {
    ql_log_kind kind;
    double seconds;              /* since the log was made */
    const char *text;            /* DEBUG .. ERROR: one line without a newline */
    const char *name;            /* METRIC */
    int64_t step;                /* METRIC: epoch or similar; -1: a figure of the whole run */
    double value;                /* METRIC */
    const ql_progress *progress; /* PROGRESS */
} ql_log_event;

/* A receiver of events. event's strings live for the call only. close may be NULL. */
typedef struct {
    void (*event)(void *self, const ql_log_event *event);
    void (*close)(void *self);
} ql_log_sink;

typedef struct ql_logger ql_logger;

/* clock: seconds, monotonic; NULL: ql_clock_wall. Tests give a fake. */
QL_MUST_USE ql_status ql_log_new(double (*clock)(void), ql_logger **out, ql_err *err);
double ql_log_seconds(const ql_logger *log); /* since it was made; 0 for NULL */
void ql_log_free(ql_logger *log);            /* closes the sinks; NULL is allowed */

/* Add a sink (at most 8; self is handed back to its functions, and freed by its close if it owns
 * anything). */
QL_MUST_USE ql_status ql_log_add(ql_logger *log, const ql_log_sink *sink, void *self, ql_err *err);

/* ---- the sinks that exist ---- */

typedef struct {
    FILE *file;         /* borrowed */
    const char *prefix; /* of warnings and errors: "quell denoise"; borrowed */
    bool quiet;         /* warnings and errors only */
    bool verbose;       /* debug too */
    bool terminal;      /* redraw one progress line; otherwise a line now and then */
    bool colour;
    int columns; /* width of the terminal; 0: 80 */
} ql_log_text;

/* Settings for stderr as it is: terminal, width, NO_COLOR and TERM are looked up. */
ql_log_text ql_log_text_stderr(const char *prefix, bool quiet, bool verbose);

QL_MUST_USE ql_status ql_log_add_text(ql_logger *log, const ql_log_text *settings, ql_err *err);

/* The same plain text into a new file at path. */
QL_MUST_USE ql_status ql_log_add_text_file(ql_logger *log, const char *path, const char *prefix,
                                           ql_err *err);

/* One JSON object per line: {"v":1,"t":seconds,"event":"info","text":...},
 * {"event":"metric","name":
 * ...,"step":...,"value":...}, {"event":"progress","stage":...,"done":...,"total":...,...}. path
 * "-" is standard output. Progress at most once a second. */
QL_MUST_USE ql_status ql_log_add_json(ql_logger *log, const char *path, ql_err *err);

/* ---- events ---- */

void ql_log_debug(ql_logger *log, const char *fmt, ...) QL_PRINTF(2, 3);
void ql_log_info(ql_logger *log, const char *fmt, ...) QL_PRINTF(2, 3);
void ql_log_warn(ql_logger *log, const char *fmt, ...) QL_PRINTF(2, 3);
void ql_log_error(ql_logger *log, const ql_err *err); /* "message; hint: hint" */

/* A number of epoch `step` (-1: of the whole run). Sinks for people leave these out. */
void ql_log_metric(ql_logger *log, int64_t step, const char *name, double value);

/* How far a stage has come; may be called as often as convenient, sinks draw at their own rate. A
 * change of progress->stage starts the clock of a new stage. _end: the stage is over. */
void ql_log_progress(ql_logger *log, const ql_progress *progress);
void ql_log_progress_end(ql_logger *log);

/* Every note as info or warning, in order. */
void ql_log_notes(ql_logger *log, const ql_notes *notes);

/* True when a sink could not be written (full disk). */
bool ql_log_failed(const ql_logger *log);

/* For sinks: report a write failure. */
void ql_log_set_failed(ql_logger *log);

#ifdef __cplusplus
}
#endif
#endif
