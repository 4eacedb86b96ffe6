#include "gene_order.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quell/alloc.h"

enum { LINE = 4096, COLUMNS = 3 };

/* A gene of the matrix that the file places. */
typedef struct {
    int64_t gene, chromosome;
    double position;
} placed;

typedef struct {
    const char *path;
    const ql_names *genes;
    ql_name_index *index;
    ql_names chromosomes;
    placed *items; /* [genes->n] */
    int64_t n;
    uint8_t *seen; /* [genes->n] */
    ql_err *err;
} reading;

static int64_t chromosome_of(reading *r, const char *name)
{
    for (int64_t i = r->chromosomes.n - 1; i >= 0; i--)
        if (!strcmp(ql_name(&r->chromosomes, i), name)) return i;
    if (ql_names_add(&r->chromosomes, name, strlen(name), r->err) != QL_OK) return -1;
    return r->chromosomes.n - 1;
}

/* Cut the first columns out of a line; returns how many there are, COLUMNS at most. */
static int columns_of(char *line, char *column[COLUMNS])
{
    int n = 0;
    char *rest = line;
    while (n < COLUMNS && *(rest += strspn(rest, " \t\r\n"))) {
        column[n++] = rest;
        rest += strcspn(rest, " \t\r\n");
        if (*rest) *rest++ = '\0';
    }
    return n;
}

static ql_status take_line(reading *r, char *line, int64_t number)
{
    char *column[COLUMNS], *end = NULL;
    int n = columns_of(line, column);
    if (n == 0) return QL_OK;
    if (n == 1)
        return ql_fail(r->err, QL_EDATA, "%s: line %lld: no position for '%.80s'", r->path,
                       (long long)number, column[0]);
    const double position = strtod(column[n - 1], &end);
    if (end == column[n - 1] || *end || !isfinite(position))
        return ql_fail(r->err, QL_EDATA, "%s: line %lld: position '%.80s' is not a number", r->path,
                       (long long)number, column[n - 1]);
    int64_t gene = ql_name_index_find(r->index, column[0]);
    if (gene < 0) return QL_OK;
    if (r->seen[gene])
        return ql_fail(r->err, QL_EDATA, "%s: line %lld: '%.80s' has a position already", r->path,
                       (long long)number, column[0]);
    int64_t chromosome = n == COLUMNS ? chromosome_of(r, column[1]) : 0;
    if (chromosome < 0) return QL_EMEMORY;
    r->seen[gene] = 1;
    r->items[r->n++] = (placed){gene, chromosome, position};
    return QL_OK;
}

static int compare(const void *a, const void *b)
{
    const placed *x = a, *y = b;
    if (x->chromosome != y->chromosome) return x->chromosome < y->chromosome ? -1 : 1;
    if (x->position != y->position) return x->position < y->position ? -1 : 1;
    return (x->gene > y->gene) - (x->gene < y->gene);
}

static ql_status take_file(reading *r, FILE *f)
{
    char line[LINE];
    for (int64_t number = 1; fgets(line, sizeof line, f); number++) {
        if (strlen(line) == sizeof line - 1 && line[sizeof line - 2] != '\n')
            return ql_fail(r->err, QL_EDATA, "%s: line %lld is too long", r->path,
                           (long long)number);
        QL_TRY(take_line(r, line, number));
    }
    if (ferror(f)) return ql_fail(r->err, QL_EIO, "%s: cannot be read", r->path);
    if (r->n > 0) return QL_OK;
    return ql_fail(r->err, QL_EDATA, "%s: names no gene of the matrix", r->path);
}

static void make_ranks(reading *r, int64_t *rank)
{
    int64_t behind = r->n;
    qsort(r->items, (size_t)r->n, sizeof *r->items, compare);
    for (int64_t i = 0; i < r->n; i++) rank[r->items[i].gene] = i;
    for (int64_t g = 0; g < r->genes->n; g++)
        if (!r->seen[g]) rank[g] = behind++;
}

ql_status gene_order_read(const char *path, const ql_names *genes, int64_t **rank,
                          int64_t *n_missing, ql_err *err)
{
    reading r = {.path = path, .genes = genes, .err = err};
    ql_status st;
    *rank = NULL;
    FILE *f = fopen(path, "r");
    if (!f) return ql_fail(err, QL_ENOINPUT, "%s: cannot be opened", path);
    QL_GO(ql_name_index_new(genes, &r.index, err));
    QL_GO(QL_NEW(r.items, genes->n, "gene order", err));
    QL_GO(QL_NEW(r.seen, genes->n, "gene order", err));
    QL_GO(take_file(&r, f));
    QL_GO(QL_NEW(*rank, genes->n, "gene order", err));
    make_ranks(&r, *rank);
    *n_missing = genes->n - r.n;
out:
    ql_free(r.items);
    ql_free(r.seen);
    ql_names_free(&r.chromosomes);
    ql_name_index_free(r.index);
    fclose(f);
    return st;
}
