#include "gene_list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/option.h"
#include "quell/order.h"

enum { MOST_LINE = 4096, SHOWN = 80 };

/* One that has to be told of, and how many there are. */
typedef struct {
    int64_t n, line;
    char name[SHOWN + 1];
} strange_names;

typedef struct {
    const char *path;
    const ql_names *genes;
    ql_name_index *index;
    uint8_t *seen; /* [genes] */
    gene_list *out;
    strange_names unknown, repeated;
} list_job;

static void note(strange_names *s, const char *name, int64_t line)
{
    if (s->n++ > 0) return;
    s->line = line;
    snprintf(s->name, sizeof s->name, "%.*s", SHOWN, name);
}

static ql_status take_line(list_job *j, char *line, int64_t number, ql_err *err)
{
    line[strcspn(line, "\r\n")] = '\0';
    if (!*line) return QL_OK;
    int64_t at = ql_name_index_find(j->index, line);
    if (at < 0) {
        note(&j->unknown, line, number);
        return QL_OK;
    }
    if (j->seen[at]) {
        note(&j->repeated, line, number);
        return QL_OK;
    }
    j->seen[at] = 1;
    int32_t *grown = ql_realloc(j->out->in_order, j->out->n + 1, sizeof *grown);
    if (!grown) return ql_fail(err, QL_EMEMORY, "no memory for the gene list");
    j->out->in_order = grown;
    j->out->in_order[j->out->n++] = (int32_t)at;
    return QL_OK;
}

static ql_status take_lines(list_job *j, ql_err *err)
{
    char line[MOST_LINE];
    FILE *f = fopen(j->path, "r");
    ql_status st = QL_OK;
    if (!f) return ql_fail(err, QL_ENOINPUT, "%s: cannot be opened", j->path);
    for (int64_t number = 1; st == QL_OK && fgets(line, sizeof line, f); number++)
        st = take_line(j, line, number, err);
    if (st == QL_OK && ferror(f)) st = ql_fail(err, QL_ENOINPUT, "%s: cannot be read", j->path);
    fclose(f);
    return st;
}

static const char *gene_at(const void *ctx, int i)
{
    const ql_names *genes = ctx;
    return i < genes->n ? ql_name(genes, i) : NULL;
}

static ql_status refuse_unknown(const list_job *j, ql_err *err)
{
    const strange_names *u = &j->unknown;
    const char *near = ql_nearest(u->name, gene_at, j->genes);
    ql_status st = ql_fail(err, QL_EDATA, "%s: line %lld: no gene is named '%s'", j->path,
                           (long long)u->line, u->name);
    if (u->n > 1)
        st = ql_fail(err, QL_EDATA, "%s: line %lld: no gene is named '%s', nor as %lld others",
                     j->path, (long long)u->line, u->name, (long long)(u->n - 1));
    return near ? ql_hint(err, st, "'%.*s' is one", SHOWN, near) : st;
}

static ql_status sort_genes(gene_list *l, ql_err *err)
{
    QL_TRY(QL_NEW(l->ascending, l->n, "gene list", err));
    memcpy(l->ascending, l->in_order, (size_t)l->n * sizeof *l->ascending);
    qsort(l->ascending, (size_t)l->n, sizeof *l->ascending, ql_by_int32);
    return QL_OK;
}

ql_status gene_list_read(const char *path, const ql_names *genes, ql_logger *log, gene_list *out,
                         ql_err *err)
{
    list_job j = {.path = path, .genes = genes, .out = out};
    ql_status st;
    *out = (gene_list){0};
    QL_GO(ql_name_index_new(genes, &j.index, err));
    QL_GO(QL_NEW(j.seen, genes->n, "gene list", err));
    QL_GO(take_lines(&j, err));
    if (j.unknown.n > 0) QL_GO(refuse_unknown(&j, err));
    if (out->n == 0) QL_GO(ql_fail(err, QL_EDATA, "%s: names no gene", path));
    if (j.repeated.n > 0)
        ql_log_warn(log, "%s: names that come again count once: %lld, '%s' in line %lld the first",
                    path, (long long)j.repeated.n, j.repeated.name, (long long)j.repeated.line);
    QL_GO(sort_genes(out, err));
out:
    ql_name_index_free(j.index);
    ql_free(j.seen);
    if (st != QL_OK) gene_list_free(out);
    return st;
}

void gene_list_free(gene_list *l)
{
    ql_free(l->ascending);
    ql_free(l->in_order);
    *l = (gene_list){0};
}
