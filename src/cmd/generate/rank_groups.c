#include "rank_groups.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quell/alloc.h"

#define KEY "uns/rank_genes_groups"

void rank_groups_free(rank_groups *r)
{
    void *const all[] = {r->gene, r->score, r->fold, r->p, r->p_adjusted};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) ql_free(all[i]);
    ql_names_free(&r->groups);
    *r = (rank_groups){0};
}

typedef struct {
    double score, fold, p, adjusted;
    int64_t gene;
} ranked;

static int by_score(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->score != y->score) return x->score > y->score ? -1 : 1;
    if (x->fold != y->fold) return x->fold > y->fold ? -1 : 1;
    return (x->gene > y->gene) - (x->gene < y->gene);
}

static int by_p(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->p != y->p) return x->p < y->p ? -1 : 1;
    return (x->gene > y->gene) - (x->gene < y->gene);
}

static ranked rank_of(const ql_de_result *of, int64_t g, bool vanilla)
{
    const double p = of->of[QL_DE_PROBA_DE][g], fold = of->of[QL_DE_LFC_MEAN][g];
    const double score = vanilla ? 2 * p - 1 : fold < 0 ? -p : p;
    return (ranked){score, fold, vanilla ? 1 - fabs(score) : of->of[QL_DE_PROBA_NOT_DE][g], 0, g};
}

/* Genes of the same p get the same. */
static void adjust(ranked *list, int64_t n)
{
    double sum = 0;
    qsort(list, (size_t)n, sizeof *list, by_p);
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i; end < n && list[end].p == list[i].p; end++) sum += list[end].p;
        for (int64_t k = i; k < end; k++) list[k].adjusted = sum / (double)end;
    }
}

ql_status rank_groups_new(rank_groups *r, int64_t n_groups, int64_t n_genes, ql_err *err)
{
    const int64_t n = n_groups * n_genes;
    r->n_genes = n_genes;
    QL_TRY(QL_NEW(r->gene, n, "genes of groups", err));
    QL_TRY(QL_NEW(r->score, n, "genes of groups", err));
    QL_TRY(QL_NEW(r->fold, n, "genes of groups", err));
    QL_TRY(QL_NEW(r->p, n, "genes of groups", err));
    return QL_NEW(r->p_adjusted, n, "genes of groups", err);
}

static void keep(rank_groups *r, const ranked *list)
{
    const int64_t at = r->groups.n * r->n_genes;
    for (int64_t i = 0; i < r->n_genes; i++) {
        r->gene[at + i] = list[i].gene;
        r->score[at + i] = list[i].score;
        r->fold[at + i] = list[i].fold;
        r->p[at + i] = list[i].p;
        r->p_adjusted[at + i] = list[i].adjusted;
    }
}

ql_status rank_groups_add(rank_groups *r, const char *group, const ql_de_result *of, bool vanilla,
                          ql_err *err)
{
    const int64_t n = of->n_genes;
    ranked *list = NULL;
    QL_TRY(QL_NEW(list, n, "genes of a group", err));
    for (int64_t g = 0; g < n; g++) list[g] = rank_of(of, g, vanilla);
    adjust(list, n);
    qsort(list, (size_t)n, sizeof *list, by_score);
    keep(r, list);
    ql_free(list);
    return ql_names_add(&r->groups, group, strlen(group), err);
}

/* One of the lists: a field for each group. */
static ql_status write_list(const rank_groups *r, const char *name, const double *numbers,
                            const ql_names *genes, ql_h5ad_writer *w, ql_err *err)
{
    char key[64];
    ql_record_field *field;
    QL_TRY(QL_NEW(field, r->groups.n, "genes of groups", err));
    for (int64_t k = 0; k < r->groups.n; k++) {
        const int64_t at = k * r->n_genes;
        field[k] = (ql_record_field){.name = ql_name(&r->groups, k),
                                     .texts = numbers ? NULL : genes,
                                     .at = r->gene + at,
                                     .numbers = numbers ? numbers + at : NULL};
    }
    (void)snprintf(key, sizeof key, KEY "/%s", name);
    ql_status st = ql_h5ad_records(w, key, field, (int)r->groups.n, r->n_genes, err);
    ql_free(field);
    return st;
}

ql_status rank_groups_write(const rank_groups *r, const rank_groups_params *params,
                            ql_h5ad_writer *w, ql_err *err)
{
    QL_TRY(ql_h5ad_claim(w, KEY, err));
    QL_TRY(write_list(r, "names", NULL, params->genes, w, err));
    QL_TRY(write_list(r, "scores", r->score, NULL, w, err));
    QL_TRY(write_list(r, "logfoldchanges", r->fold, NULL, w, err));
    QL_TRY(write_list(r, "pvals", r->p, NULL, w, err));
    QL_TRY(write_list(r, "pvals_adj", r->p_adjusted, NULL, w, err));
    QL_TRY(ql_h5ad_string(w, KEY "/params/groupby", params->groupby, err));
    QL_TRY(ql_h5ad_string(w, KEY "/params/reference", params->reference, err));
    QL_TRY(ql_h5ad_string(w, KEY "/params/method", params->method, err));
    QL_TRY(ql_h5ad_string(w, KEY "/params/corr_method", "expected false discovery rate", err));
    QL_TRY(ql_h5ad_int(w, KEY "/params/use_raw", 0, err));
    return ql_h5ad_string(w, KEY "/params/pvals",
                          "posterior probability that the gene does not differ: no p-value", err);
}
