/* The summary of a run: figures and warnings collected on the way, written once at the end. */
#include "quell/summary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "quell/alloc.h"
#include "quell/interrupt.h"
#include "quell/json.h"

typedef enum { FIGURE_INT, FIGURE_DOUBLE, FIGURE_STRING } figure_type;

typedef struct {
    char *name;
    figure_type type;
    int64_t i;
    double d;
    char *s;
} figure;

struct ql_summary {
    figure *figures;
    int n_figures, cap_figures;
    ql_notes warnings;
};

ql_status ql_summary_new(ql_summary **out, ql_err *err)
{
    return QL_NEW(*out, 1, "the summary", err);
}

void ql_summary_free(ql_summary *s)
{
    if (!s) return;
    for (int i = 0; i < s->n_figures; i++) {
        ql_free(s->figures[i].name);
        ql_free(s->figures[i].s);
    }
    ql_free(s->figures);
    ql_notes_free(&s->warnings);
    ql_free(s);
}

/* ---- figures ---- */

/* NULL without memory. */
static char *copy_text(const char *text)
{
    char *copy = NULL;
    return ql_text_copy(text, &copy, NULL) == QL_OK ? copy : NULL;
}

static figure *append(ql_summary *s, const char *name)
{
    if (s->n_figures == s->cap_figures) {
        int cap = s->cap_figures ? 2 * s->cap_figures : 32;
        figure *grown = ql_realloc(s->figures, cap, sizeof *grown);
        if (!grown) return NULL;
        s->figures = grown;
        s->cap_figures = cap;
    }
    char *copy = copy_text(name);
    if (!copy) return NULL;
    figure *f = &s->figures[s->n_figures++];
    *f = (figure){.name = copy};
    return f;
}

static figure *find_or_add(ql_summary *s, const char *name, figure_type type)
{
    figure *f = NULL;
    if (!s) return NULL;
    for (int i = 0; i < s->n_figures && !f; i++)
        if (strcmp(s->figures[i].name, name) == 0) f = &s->figures[i];
    if (!f) f = append(s, name);
    if (f) f->type = type;
    return f;
}

void ql_summary_int(ql_summary *s, const char *name, int64_t value)
{
    figure *f = find_or_add(s, name, FIGURE_INT);
    if (f) f->i = value;
}

void ql_summary_double(ql_summary *s, const char *name, double value)
{
    figure *f = find_or_add(s, name, FIGURE_DOUBLE);
    if (f) f->d = value;
}

void ql_summary_string(ql_summary *s, const char *name, const char *value)
{
    figure *f = find_or_add(s, name, FIGURE_STRING);
    if (!f) return;
    ql_free(f->s);
    f->s = value ? copy_text(value) : NULL;
}

static void collect_warning(void *self, const ql_log_event *e)
{
    ql_summary *s = self;
    if (e->kind == QL_LOG_WARN) ql_note_add(&s->warnings, QL_NOTE_WARNING, "%s", e->text);
}

const ql_log_sink ql_summary_sink = {collect_warning, NULL};

/* ---- the text ---- */

static void put_end(ql_json *j, const ql_err *err)
{
    ql_status code = err ? err->code : QL_OK;
    bool failed = code != QL_OK;
    ql_json_string(j, "status", ql_status_text(code));
    ql_json_int(j, "exit_code", ql_status_exit_code(code));
    ql_json_string(j, "message", failed ? err->msg : NULL);
    ql_json_string(j, "hint", failed && err->hint[0] ? err->hint : NULL);
}

static void put_argv(ql_json *j, const ql_summary_facts *f)
{
    ql_json_begin_array(j, "argv");
    for (int i = 0; i < f->argc; i++) ql_json_string(j, NULL, f->argv[i]);
    ql_json_end_array(j);
}

static void put_host(ql_json *j, const ql_summary_facts *f)
{
    struct utsname host;
    bool known = uname(&host) == 0;
    ql_json_begin_object(j, "host");
    ql_json_string(j, "name", known ? host.nodename : NULL);
    ql_json_string(j, "system", known ? host.sysname : NULL);
    ql_json_string(j, "release", known ? host.release : NULL);
    ql_json_string(j, "machine", known ? host.machine : NULL);
    ql_json_int(j, "processors", sysconf(_SC_NPROCESSORS_ONLN));
    ql_json_string(j, "simd", f->simd);
    ql_json_end_object(j);
}

static void put_resources(ql_json *j, const ql_summary_facts *f)
{
    ql_json_int(j, "threads", f->threads);
    ql_json_string(j, "threads_from", f->threads_from);
    ql_json_int(j, "memory_budget_bytes", f->memory);
    ql_json_string(j, "memory_budget_from", f->memory_from);
    ql_json_string(j, "started", f->started);
    ql_json_double(j, "seconds", f->seconds);
    ql_json_double(j, "cpu_seconds", f->cpu_seconds);
    ql_json_int(j, "peak_bytes", f->peak_bytes);
    ql_json_int(j, "peak_accounted_bytes", ql_alloc_peak());
}

static void put_figures(ql_json *j, const ql_summary *s)
{
    ql_json_begin_object(j, "metrics");
    for (int i = 0; i < s->n_figures; i++) {
        const figure *f = &s->figures[i];
        if (f->type == FIGURE_INT)
            ql_json_int(j, f->name, f->i);
        else if (f->type == FIGURE_DOUBLE)
            ql_json_double(j, f->name, f->d);
        else
            ql_json_string(j, f->name, f->s);
    }
    ql_json_end_object(j);
}

static void put_warnings(ql_json *j, const ql_summary *s)
{
    ql_json_begin_array(j, "warnings");
    for (int i = 0; i < s->warnings.n; i++) ql_json_string(j, NULL, s->warnings.items[i].text);
    ql_json_end_array(j);
}

static void put_run(const ql_summary *s, const ql_summary_facts *f, ql_str *out)
{
    ql_json j = {.out = out};
    ql_json_begin_object(&j, NULL);
    ql_json_int(&j, "quell_summary_version", QL_SUMMARY_VERSION);
    ql_json_string(&j, "version", QL_VERSION);
    ql_json_string(&j, "command", f->command);
    put_argv(&j, f);
    put_end(&j, f->err);
    put_host(&j, f);
    put_resources(&j, f);
    ql_json_begin_object(&j, "options");
    if (f->opts) ql_options_members(f->opts, true, &j);
    ql_json_end_object(&j);
    put_figures(&j, s);
    put_warnings(&j, s);
    ql_json_end_object(&j);
    ql_str_puts(out, "\n");
}

/* ---- the file ---- */

static ql_status write_all(int fd, const ql_str *text, const char *path, ql_err *err)
{
    size_t done = 0;
    while (done < text->len) {
        ssize_t n = write(fd, text->text + done, text->len - done);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return ql_fail(err, QL_EIO, "%s: %s", path, strerror(errno));
        done += (size_t)n;
    }
    return QL_OK;
}

/* path is opened, name is what messages call it. */
static ql_status write_to(const char *path, int flags, const ql_str *text, const char *name,
                          ql_err *err)
{
    int fd = open(path, flags | O_WRONLY | O_CLOEXEC, 0666);
    if (fd < 0) return ql_fail(err, QL_ECREATE, "%s: cannot be written: %s", name, strerror(errno));
    ql_status st = write_all(fd, text, name, err);
    if (st == QL_OK && flags & O_CREAT && fsync(fd) != 0)
        st = ql_fail(err, QL_EIO, "%s: %s", name, strerror(errno));
    if (close(fd) != 0 && st == QL_OK) st = ql_fail(err, QL_EIO, "%s: %s", name, strerror(errno));
    return st;
}

/* Through a temporary; what is no regular file (/dev/stdout, a pipe) cannot be renamed over. */
static ql_status replace(const char *path, const ql_str *text, ql_err *err)
{
    struct stat info;
    ql_str tmp = {0};
    if (stat(path, &info) == 0 && !S_ISREG(info.st_mode)) return write_to(path, 0, text, path, err);
    ql_str_printf(&tmp, "%s.%ld.tmp", path, (long)getpid());
    if (tmp.failed) return ql_fail(err, QL_EMEMORY, "%s: no memory for its name", path);
    ql_tempfile_register(tmp.text);
    ql_status st = write_to(tmp.text, O_CREAT | O_TRUNC, text, path, err);
    if (st == QL_OK && rename(tmp.text, path) != 0)
        st = ql_fail(err, QL_ECREATE, "%s: cannot be written: %s", path, strerror(errno));
    if (st != QL_OK) unlink(tmp.text);
    ql_tempfile_forget(tmp.text);
    ql_str_free(&tmp);
    return st;
}

ql_status ql_summary_write(const ql_summary *s, const ql_summary_facts *facts, const char *path,
                           ql_err *err)
{
    ql_str text = {0};
    put_run(s, facts, &text);
    ql_status st = text.failed ? ql_fail(err, QL_EMEMORY, "%s: no memory for the summary", path)
                               : replace(path, &text, err);
    ql_str_free(&text);
    return st;
}
