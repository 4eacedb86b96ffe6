/* The log for people: lines of text, and on a terminal one progress line that is redrawn. */
#include "quell/log.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "quell/alloc.h"
#include "quell/utf8.h"

typedef struct {
    ql_log_text set;
    ql_logger *log;
    FILE *owned;       /* to be closed, or NULL */
    char *prefix_copy; /* of an owned file */
    ql_progress_pace pace;
    ql_progress state; /* of the latest progress event */
    double elapsed;    /* of its stage */
    bool pending;      /* state was not printed yet */
    bool drawn;        /* a progress line stands on the terminal */
    ql_str line;
} text_sink;

/* Names from files end up in messages; a terminal must not obey them. */
static void put_safe(FILE *f, const char *text)
{
    for (size_t left = strlen(text), n; left > 0; text += n, left -= n) {
        uint32_t code = 0;
        size_t used = ql_utf8_char(text, left, &code);
        n = used ? used : 1;
        if (used && !ql_utf8_unsafe(code))
            fwrite(text, 1, n, f);
        else
            fputc('?', f);
    }
}

static void erase(text_sink *s)
{
    if (s->drawn) fputs("\r\033[K", s->set.file);
    s->drawn = false;
}

static void message(text_sink *s, const char *label, const char *colour, const char *text)
{
    FILE *f = s->set.file;
    erase(s);
    if (s->set.prefix && label) fprintf(f, "%s: ", s->set.prefix);
    if (label && *label && s->set.colour)
        fprintf(f, "\033[%sm%s\033[0m ", colour, label);
    else if (label && *label)
        fprintf(f, "%s ", label);
    put_safe(f, text);
    fputc('\n', f);
}

static void compose(text_sink *s)
{
    ql_str_clear(&s->line);
    ql_progress_line(&s->state, s->elapsed, &s->line);
}

static void draw(text_sink *s)
{
    compose(s);
    int width = (s->set.columns > 0 ? s->set.columns : 80) - 1;
    fprintf(s->set.file, "\r%.*s\033[K", width, ql_str_text(&s->line));
    s->drawn = true;
}

static void print_line(text_sink *s)
{
    compose(s);
    fprintf(s->set.file, "%s\n", ql_str_text(&s->line));
    s->pending = false;
}

static void progress(text_sink *s, const ql_log_event *e)
{
    if (s->set.quiet) return;
    s->elapsed = ql_progress_tick(&s->pace, e->progress, e->seconds);
    s->state = *e->progress;
    s->pending = true;
    if (s->set.terminal) {
        if (ql_progress_due_terminal(&s->pace, e->seconds)) draw(s);
    } else if (ql_progress_due_line(&s->pace, e->progress, e->seconds)) {
        print_line(s);
    }
}

/* A file keeps the last state of a stage that was worth a line; a terminal is left clean. */
static void progress_end(text_sink *s)
{
    erase(s);
    if (!s->set.terminal && s->pending && s->pace.shown) print_line(s);
    s->pending = false;
    s->pace = (ql_progress_pace){0};
}

static void on_event(void *self, const ql_log_event *e)
{
    text_sink *s = self;
    switch (e->kind) {
    case QL_LOG_DEBUG:
        if (s->set.verbose && !s->set.quiet) message(s, NULL, NULL, e->text);
        break;
    case QL_LOG_INFO:
        if (!s->set.quiet) message(s, NULL, NULL, e->text);
        break;
    case QL_LOG_WARN:
        message(s, "warning:", "33", e->text);
        break;
    case QL_LOG_ERROR:
        message(s, "", NULL, e->text);
        break;
    case QL_LOG_PROGRESS:
        progress(s, e);
        break;
    case QL_LOG_PROGRESS_END:
        progress_end(s);
        break;
    case QL_LOG_METRIC:
        break;
    }
    fflush(s->set.file);
    if (s->owned && ferror(s->owned)) ql_log_set_failed(s->log);
}

static void on_close(void *self)
{
    text_sink *s = self;
    erase(s);
    if (s->owned) fclose(s->owned);
    ql_str_free(&s->line);
    ql_free(s->prefix_copy);
    ql_free(s);
}

static const ql_log_sink text_ops = {on_event, on_close};

static ql_status add(ql_logger *log, const ql_log_text *settings, text_sink **out, ql_err *err)
{
    text_sink *s;
    QL_TRY(QL_NEW(s, 1, "a log sink", err));
    s->set = *settings;
    s->log = log;
    ql_status st = ql_log_add(log, &text_ops, s, err);
    if (st != QL_OK)
        ql_free(s);
    else
        *out = s;
    return st;
}

ql_status ql_log_add_text(ql_logger *log, const ql_log_text *settings, ql_err *err)
{
    text_sink *s;
    return add(log, settings, &s, err);
}

ql_status ql_log_add_text_file(ql_logger *log, const char *path, const char *prefix, ql_err *err)
{
    char *copy;
    size_t size = strlen(prefix) + 1;
    QL_TRY(QL_NEW(copy, (int64_t)size, "a log sink", err));
    memcpy(copy, prefix, size);
    FILE *f = fopen(path, "w");
    text_sink *s = NULL;
    ql_status st = QL_OK;
    if (!f)
        st = ql_fail(err, QL_ECREATE, "%s: cannot be written: %s", path, strerror(errno));
    else
        st = add(log, &(ql_log_text){.file = f, .prefix = copy}, &s, err);
    if (st != QL_OK) {
        if (f) fclose(f);
        ql_free(copy);
        return st;
    }
    s->owned = f;
    s->prefix_copy = copy;
    return QL_OK;
}

static int terminal_columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

ql_log_text ql_log_text_stderr(const char *prefix, bool quiet, bool verbose)
{
    const char *term = getenv("TERM");
    const char *no_colour = getenv("NO_COLOR");
    bool terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    return (ql_log_text){.file = stderr,
                         .prefix = prefix,
                         .quiet = quiet,
                         .verbose = verbose,
                         .terminal = terminal,
                         .colour = terminal && !(no_colour && *no_colour),
                         .columns = terminal ? terminal_columns() : 0};
}
