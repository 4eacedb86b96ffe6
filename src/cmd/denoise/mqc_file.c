#include "mqc_file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "quell/text_file.h"

static void put_figure(ql_json *j, const mqc_figure *f)
{
    ql_json_begin_object(j, f->key);
    ql_json_string(j, "title", f->title);
    ql_json_string(j, "description", f->text);
    ql_json_string(j, "format", f->format);
    ql_json_string(j, "scale", f->scale);
    ql_json_string(j, "namespace", "quell");
    ql_json_end_object(j);
}

void mqc_put_figures(ql_json *j, const mqc_figure *f, int n)
{
    ql_json_begin_array(j, "pconfig");
    for (int i = 0; i < n; i++) {
        ql_json_begin_object(j, NULL);
        put_figure(j, &f[i]);
        ql_json_end_object(j);
    }
    ql_json_end_array(j);
}

void mqc_put_headers(ql_json *j, const mqc_figure *f, int n)
{
    ql_json_begin_object(j, "headers");
    for (int i = 0; i < n; i++) put_figure(j, &f[i]);
    ql_json_end_object(j);
}

void mqc_put_point(ql_json *j, double x, double y)
{
    char key[32];
    snprintf(key, sizeof key, "%g", x);
    if (isfinite(y)) ql_json_double(j, key, y);
}

static void put_plot(const mqc_section *s, ql_json *j)
{
    ql_str id = {0}, title = {0};
    ql_str_printf(&id, "%s_plot", s->id);
    ql_str_printf(&title, "quell: %s", s->title);
    ql_json_begin_object(j, "pconfig");
    ql_json_string(j, "id", ql_str_text(&id));
    ql_json_string(j, "title", ql_str_text(&title));
    if (s->xlab) ql_json_string(j, "xlab", s->xlab);
    if (s->ylab) ql_json_string(j, "ylab", s->ylab);
    ql_json_end_object(j);
    j->out->failed |= id.failed || title.failed;
    ql_str_free(&id);
    ql_str_free(&title);
}

static void put_common(const mqc_section *s, ql_json *j)
{
    ql_json_string(j, "id", s->id);
    if (s->title) {
        ql_json_string(j, "parent_id", "quell");
        ql_json_string(j, "parent_name", "quell");
        ql_json_string(j, "parent_description", "denoises single-cell counts");
        ql_json_string(j, "section_name", s->title);
        ql_json_string(j, "description", s->text);
        put_plot(s, j);
    }
    ql_json_string(j, "plot_type", s->plot);
}

ql_status mqc_file_write(const mqc_args *a, const mqc_section *s, const char *sample, mqc_put *put,
                         const void *what, ql_err *err)
{
    ql_str path = {0}, text = {0};
    ql_json j = {.out = &text};
    ql_str_printf(&path, "%s/%s.%s_mqc.json", a->dir, sample, s->id);
    ql_json_begin_object(&j, NULL);
    put_common(s, &j);
    ql_status st =
        path.failed ? ql_fail(err, QL_EMEMORY, "no memory for a path") : put(what, sample, &j, err);
    ql_json_end_object(&j);
    ql_str_puts(&text, "\n");
    if (st == QL_OK) st = ql_text_file_write(ql_str_text(&path), NULL, true, &text, err);
    ql_str_free(&path);
    ql_str_free(&text);
    return st;
}

ql_status mqc_folder(const mqc_args *a, ql_err *err)
{
    if (mkdir(a->dir, 0777) == 0 || errno == EEXIST) return QL_OK;
    return ql_fail(err, QL_ECREATE, "--mqc %s: %s", a->dir, strerror(errno));
}
