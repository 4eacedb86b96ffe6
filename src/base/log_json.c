/* The log for programs: one JSON object per line. */
#include "quell/log.h"

#include <errno.h>
#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/json.h"

typedef struct {
    FILE *file;
    bool owned;
    ql_logger *log;
    ql_progress_pace pace;
    ql_str line;
} json_sink;

static const char *const event_name[] = {
    [QL_LOG_DEBUG] = "debug",      [QL_LOG_INFO] = "info",     [QL_LOG_WARN] = "warning",
    [QL_LOG_ERROR] = "error",      [QL_LOG_METRIC] = "metric", [QL_LOG_PROGRESS] = "progress",
    [QL_LOG_PROGRESS_END] = "end",
};

static void put_metric(ql_json *j, const ql_log_event *e)
{
    ql_json_string(j, "name", e->name);
    if (e->step >= 0) ql_json_int(j, "step", e->step);
    ql_json_double(j, "value", e->value);
}

static void put_progress(ql_json *j, const ql_progress *p, double elapsed)
{
    ql_json_string(j, "stage", p->stage);
    ql_json_string(j, "unit", p->unit);
    ql_json_double(j, "done", p->done);
    if (p->total > 0) ql_json_double(j, "total", p->total);
    ql_json_double(j, "elapsed", elapsed);
    if (!isnan(p->loss)) ql_json_double(j, "loss", p->loss);
    if (!isnan(p->validation)) ql_json_double(j, "validation", p->validation);
    if (p->cells > 0) ql_json_int(j, "cells", p->cells);
}

static double milliseconds(double seconds)
{
    return round(seconds * 1000) / 1000;
}

static void write_line(json_sink *s, const ql_log_event *e, double elapsed)
{
    ql_str_clear(&s->line);
    ql_json j = {.out = &s->line};
    ql_json_begin_object(&j, NULL);
    ql_json_int(&j, "v", 1);
    ql_json_double(&j, "t", milliseconds(e->seconds));
    ql_json_string(&j, "event", event_name[e->kind]);
    if (e->text) ql_json_string(&j, "text", e->text);
    if (e->kind == QL_LOG_METRIC) put_metric(&j, e);
    if (e->kind == QL_LOG_PROGRESS) put_progress(&j, e->progress, milliseconds(elapsed));
    ql_json_end_object(&j);
    fprintf(s->file, "%s\n", ql_str_text(&s->line));
    fflush(s->file);
    if (s->line.failed || ferror(s->file)) ql_log_set_failed(s->log);
}

static void on_event(void *self, const ql_log_event *e)
{
    json_sink *s = self;
    double elapsed = 0;
    if (e->kind == QL_LOG_PROGRESS) {
        elapsed = ql_progress_tick(&s->pace, e->progress, e->seconds);
        if (s->pace.shown && e->seconds - s->pace.last < 1) return;
        s->pace.shown = true;
        s->pace.last = e->seconds;
    }
    if (e->kind == QL_LOG_PROGRESS_END) {
        if (!s->pace.started) return;
        s->pace = (ql_progress_pace){0};
    }
    write_line(s, e, elapsed);
}

static void on_close(void *self)
{
    json_sink *s = self;
    if (s->owned) fclose(s->file);
    ql_str_free(&s->line);
    ql_free(s);
}

static const ql_log_sink json_ops = {on_event, on_close};

ql_status ql_log_add_json(ql_logger *log, const char *path, ql_err *err)
{
    json_sink *s;
    QL_TRY(QL_NEW(s, 1, "a log sink", err));
    s->owned = strcmp(path, "-") != 0;
    s->file = s->owned ? fopen(path, "w") : stdout;
    s->log = log;
    ql_status st = QL_OK;
    if (!s->file)
        st = ql_fail(err, QL_ECREATE, "%s: cannot be written: %s", path, strerror(errno));
    else
        st = ql_log_add(log, &json_ops, s, err);
    if (st != QL_OK) {
        if (s->file && s->owned) fclose(s->file);
        ql_free(s);
    }
    return st;
}
