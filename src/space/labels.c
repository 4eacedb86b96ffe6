#include "quell/labels.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quell/alloc.h"

void ql_labels_free(ql_labels *l)
{
    ql_free(l->code);
    ql_names_free(&l->names);
    *l = (ql_labels){0};
}

void ql_labels_sizes(const ql_labels *l, int64_t *size)
{
    for (int64_t k = 0; k < l->names.n; k++) size[k] = 0;
    for (int64_t i = 0; i < l->n; i++)
        if (l->code[i] >= 0) size[l->code[i]]++;
}

/* ---- natural order ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Compare the numbers at *a and *b, and step behind them. */
static int compare_numbers(const char **a, const char **b)
{
    while (**a == '0') ++*a;
    while (**b == '0') ++*b;
    size_t n = 0, m = 0;
    while (is_digit((*a)[n])) n++;
    while (is_digit((*b)[m])) m++;
    int order = n != m ? (n < m ? -1 : 1) : strncmp(*a, *b, n);
    *a += n;
    *b += m;
    return order;
}

int ql_natural_compare(const char *a, const char *b)
{
    const char *whole_a = a, *whole_b = b;
    while (*a && *b) {
        if (is_digit(*a) && is_digit(*b)) {
            int order = compare_numbers(&a, &b);
            if (order) return order;
        } else {
            if (*a != *b) return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
            a++;
            b++;
        }
    }
    if (*a || *b) return *a ? 1 : -1;
    return strcmp(whole_a, whole_b); /* "01" and "1" */
}

/* ---- from a column ---- */

/* The label of row i, "" for none; text has room for a number. */
static ql_status text_of(const ql_column *c, int64_t i, char text[32], const char **out,
                         ql_err *err)
{
    *out = text;
    text[0] = '\0';
    if (c->type == QL_COL_STRING) {
        *out = ql_name(&c->strings, i);
    } else if (c->type == QL_COL_BOOL) {
        *out = ((const uint8_t *)c->values)[i] ? "True" : "False";
    } else if (c->type == QL_COL_I64) {
        (void)snprintf(text, 32, "%" PRId64, ((const int64_t *)c->values)[i]);
    } else {
        const double x = ql_column_number(c, i);
        if (isnan(x)) return QL_OK;
        if (x != floor(x) || fabs(x) > 1e15)
            return ql_fail(err, QL_EDATA, "%s: %g at %" PRId64 " is no label", c->name, x, i);
        (void)snprintf(text, 32, "%.0f", x);
    }
    return QL_OK;
}

/* All labels as text, then their order: positions of first uses, by name. */
static ql_status read_texts(const ql_column *c, int64_t n, ql_names *texts, ql_err *err)
{
    char text[32];
    const char *label;
    for (int64_t i = 0; i < n; i++) {
        QL_TRY(text_of(c, i, text, &label, err));
        QL_TRY(ql_names_add(texts, label, strlen(label), err));
    }
    return QL_OK;
}

typedef struct {
    const char *text;
    int64_t first; /* the row that uses it first */
} label_use;

static int by_name(const void *a, const void *b)
{
    return ql_natural_compare(((const label_use *)a)->text, ((const label_use *)b)->text);
}

static ql_status list_uses(const ql_names *texts, const ql_name_index *index, label_use *use,
                           int64_t *n, ql_err *err)
{
    *n = 0;
    for (int64_t i = 0; i < texts->n; i++) {
        const char *text = ql_name(texts, i);
        if (!*text || ql_name_index_find(index, text) != i) continue;
        if (*n == QL_LABELS_MOST)
            return ql_fail(err, QL_EDATA, "more than %d different labels", QL_LABELS_MOST);
        use[(*n)++] = (label_use){text, i};
    }
    qsort(use, (size_t)*n, sizeof *use, by_name);
    return QL_OK;
}

/* rank [n]: of a row that uses a label first, the label's place in the order of names. */
static ql_status set_codes(const ql_names *texts, const ql_name_index *index, const label_use *use,
                           int64_t n_uses, ql_labels *out, ql_err *err)
{
    for (int64_t k = 0; k < n_uses; k++) {
        QL_TRY(ql_names_add(&out->names, use[k].text, strlen(use[k].text), err));
        out->code[use[k].first] = (int32_t)k;
    }
    for (int64_t i = 0; i < texts->n; i++) {
        const char *text = ql_name(texts, i);
        out->code[i] = *text ? out->code[ql_name_index_find(index, text)] : -1;
    }
    return QL_OK;
}

ql_status ql_labels_of(const ql_column *column, int64_t n, ql_labels *out, ql_err *err)
{
    ql_names texts = {0};
    ql_name_index *index = NULL;
    label_use *use = NULL;
    int64_t n_uses;
    ql_status st;
    *out = (ql_labels){.n = n};
    QL_GO(QL_NEW(out->code, n, "labels", err));
    QL_GO(QL_NEW(use, n < QL_LABELS_MOST ? n : QL_LABELS_MOST, "labels", err));
    QL_GO(read_texts(column, n, &texts, err));
    QL_GO(ql_name_index_new(&texts, &index, err));
    QL_GO(list_uses(&texts, index, use, &n_uses, err));
    QL_GO(set_codes(&texts, index, use, n_uses, out, err));
out:
    ql_name_index_free(index);
    ql_names_free(&texts);
    ql_free(use);
    if (st != QL_OK) ql_labels_free(out);
    return st;
}

/* ---- from groups ---- */

typedef struct {
    int64_t size, first, group;
} group_size;

static int by_size(const void *a, const void *b)
{
    const group_size *x = a, *y = b;
    if (x->size != y->size) return x->size > y->size ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

static ql_status name_groups(group_size *g, int64_t k, int32_t *number, ql_names *names,
                             ql_err *err)
{
    char text[32];
    qsort(g, (size_t)k, sizeof *g, by_size);
    for (int64_t i = 0; i < k && g[i].size > 0; i++) {
        const int len = snprintf(text, sizeof text, "%" PRId64, i);
        QL_TRY(ql_names_add(names, text, (size_t)len, err));
        number[g[i].group] = (int32_t)i;
    }
    return QL_OK;
}

ql_status ql_labels_number(const int32_t *code, int64_t n, int64_t k, ql_labels *out, ql_err *err)
{
    group_size *g = NULL;
    int32_t *number = NULL;
    ql_status st;
    *out = (ql_labels){.n = n};
    QL_GO(QL_NEW(out->code, n, "labels", err));
    QL_GO(QL_NEW(g, k, "sizes of groups", err));
    QL_GO(QL_NEW(number, k, "sizes of groups", err));
    for (int64_t c = 0; c < k; c++) g[c] = (group_size){0, n, c};
    for (int64_t i = n - 1; i >= 0; i--) {
        if (code[i] < 0) continue;
        g[code[i]].size++;
        g[code[i]].first = i;
    }
    QL_GO(name_groups(g, k, number, &out->names, err));
    for (int64_t i = 0; i < n; i++) out->code[i] = code[i] < 0 ? -1 : number[code[i]];
out:
    ql_free(g);
    ql_free(number);
    if (st != QL_OK) ql_labels_free(out);
    return st;
}

/* ---- points and cells ---- */

ql_status ql_labels_spread(const ql_labels *l, const ql_points *p, ql_labels *out, ql_err *err)
{
    *out = (ql_labels){.n = p->n_cells};
    ql_status st = QL_NEW(out->code, out->n, "labels", err);
    if (st == QL_OK) st = ql_names_copy(&l->names, &out->names, err);
    if (st != QL_OK) {
        ql_labels_free(out);
        return st;
    }
    for (int64_t i = 0; i < out->n; i++) out->code[i] = -1;
    for (int64_t i = 0; i < p->n; i++) out->code[p->cell[i]] = l->code[i];
    return QL_OK;
}

ql_status ql_labels_gather(const ql_labels *l, const ql_points *p, ql_labels *out, ql_err *err)
{
    *out = (ql_labels){.n = p->n};
    ql_status st = QL_NEW(out->code, out->n, "labels", err);
    if (st == QL_OK) st = ql_names_copy(&l->names, &out->names, err);
    if (st != QL_OK) {
        ql_labels_free(out);
        return st;
    }
    for (int64_t i = 0; i < p->n; i++) out->code[i] = l->code[p->cell[i]];
    return QL_OK;
}
