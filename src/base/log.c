/* The log: formats an event once and hands it to each sink. */
#include "quell/log.h"

#include <stdarg.h>

#include "quell/alloc.h"
#include "quell/clock.h"

enum { MAX_SINKS = 8, TEXT_SIZE = 4096 };

typedef struct {
    const ql_log_sink *ops;
    void *self;
} attached;

struct ql_logger {
    double (*clock)(void);
    double begin;
    attached sinks[MAX_SINKS];
    int n_sinks;
    bool failed;
    char text[TEXT_SIZE]; /* fixed, so that a lack of memory can still be reported */
};

ql_status ql_log_new(double (*clock)(void), ql_logger **out, ql_err *err)
{
    ql_logger *log;
    QL_TRY(QL_NEW(log, 1, "the log", err));
    log->clock = clock ? clock : ql_clock_wall;
    log->begin = log->clock();
    *out = log;
    return QL_OK;
}

double ql_log_seconds(const ql_logger *log)
{
    return log ? log->clock() - log->begin : 0;
}

void ql_log_free(ql_logger *log)
{
    if (!log) return;
    for (int i = 0; i < log->n_sinks; i++)
        if (log->sinks[i].ops->close) log->sinks[i].ops->close(log->sinks[i].self);
    ql_free(log);
}

ql_status ql_log_add(ql_logger *log, const ql_log_sink *sink, void *self, ql_err *err)
{
    if (log->n_sinks == MAX_SINKS)
        return ql_fail(err, QL_EINTERNAL, "the log holds at most %d sinks", MAX_SINKS);
    log->sinks[log->n_sinks++] = (attached){sink, self};
    return QL_OK;
}

static void send(ql_logger *log, ql_log_event *event)
{
    if (!log) return;
    event->seconds = log->clock() - log->begin;
    for (int i = 0; i < log->n_sinks; i++) log->sinks[i].ops->event(log->sinks[i].self, event);
}

static void send_text(ql_logger *log, ql_log_kind kind, const char *fmt, va_list ap)
    QL_PRINTF(3, 0);
static void send_text(ql_logger *log, ql_log_kind kind, const char *fmt, va_list ap)
{
    if (!log) return;
    vsnprintf(log->text, sizeof log->text, fmt, ap);
    send(log, &(ql_log_event){.kind = kind, .text = log->text});
}

#define QL_LOG_BODY(kind)                                                                          \
    va_list ap;                                                                                    \
    va_start(ap, fmt);                                                                             \
    send_text(log, kind, fmt, ap);                                                                 \
    va_end(ap)

void ql_log_debug(ql_logger *log, const char *fmt, ...)
{
    QL_LOG_BODY(QL_LOG_DEBUG);
}

void ql_log_info(ql_logger *log, const char *fmt, ...)
{
    QL_LOG_BODY(QL_LOG_INFO);
}

void ql_log_warn(ql_logger *log, const char *fmt, ...)
{
    QL_LOG_BODY(QL_LOG_WARN);
}

void ql_log_error(ql_logger *log, const ql_err *err)
{
    if (!log) return;
    const char *text = err->msg[0] ? err->msg : ql_status_text(err->code);
    snprintf(log->text, sizeof log->text, "%s%s%s", text, err->hint[0] ? "; hint: " : "",
             err->hint);
    send(log, &(ql_log_event){.kind = QL_LOG_ERROR, .text = log->text});
}

void ql_log_metric(ql_logger *log, int64_t step, const char *name, double value)
{
    send(log, &(ql_log_event){.kind = QL_LOG_METRIC, .name = name, .step = step, .value = value});
}

void ql_log_progress(ql_logger *log, const ql_progress *progress)
{
    send(log, &(ql_log_event){.kind = QL_LOG_PROGRESS, .progress = progress});
}

void ql_log_progress_end(ql_logger *log)
{
    send(log, &(ql_log_event){.kind = QL_LOG_PROGRESS_END});
}

void ql_log_notes(ql_logger *log, const ql_notes *notes)
{
    for (int i = 0; i < notes->n; i++) {
        if (notes->items[i].level == QL_NOTE_WARNING)
            ql_log_warn(log, "%s", notes->items[i].text);
        else
            ql_log_info(log, "%s", notes->items[i].text);
    }
}

bool ql_log_failed(const ql_logger *log)
{
    return log && log->failed;
}

void ql_log_set_failed(ql_logger *log)
{
    if (log) log->failed = true;
}
