#include "query_search.h"

#include "quell/alloc.h"
#include "quell/codes.h"
#include "quell/knn.h"

void search_answer_free(search_answer *s)
{
    ql_free(s->index);
    ql_free(s->distance);
    *s = (search_answer){0};
}

static ql_status answer_new(search_answer *s, int64_t n, int k, ql_err *err)
{
    *s = (search_answer){.k = k, .recall = 1};
    QL_TRY(QL_NEW(s->index, n * k, "answers", err));
    return QL_NEW(s->distance, n * k, "answers", err);
}

/* Of `wide` answers of a query the first k that are not the query itself. */
static void drop_self(const search_question *q, int64_t query, int wide, const int32_t *index,
                      const double *distance, search_answer *out)
{
    int at = 0;
    for (int e = 0; e < wide && at < out->k; e++) {
        if (q->self && index[e] == q->self[query]) continue;
        out->index[query * out->k + at] = index[e];
        out->distance[query * out->k + at++] = distance[e];
    }
}

/* ---- exact ---- */

static ql_status search_exactly(space_job *j, const search_args *a, const search_question *q,
                                search_answer *out)
{
    ql_err *err = &j->run->err;
    ql_knn knn = {0};
    const ql_knn_options opt = {.metric = ql_metric_find(a->metric),
                                .k = out->k + (q->self != NULL),
                                .threads = j->run->threads,
                                .kern = j->kern};
    QL_TRY(ql_knn_queries(q->points->x, q->points->n, q->queries, q->n, q->points->n_dims, &opt,
                          &knn, err));
    for (int64_t i = 0; i < q->n; i++)
        drop_self(q, i, knn.k, knn.index + i * knn.k, knn.distance + i * knn.k, out);
    ql_knn_free(&knn);
    return QL_OK;
}

/* ---- by codes ---- */

typedef struct {
    float *threshold;
    ql_codes points, queries;
    int wide; /* answers of a search, the query itself among them */
    int32_t *index, *bits;
} by_codes;

static void free_codes(by_codes *c)
{
    ql_free(c->threshold);
    ql_free(c->index);
    ql_free(c->bits);
    ql_codes_free(&c->points);
    ql_codes_free(&c->queries);
}

static ql_status make_codes(space_job *j, const search_question *q, by_codes *c)
{
    ql_err *err = &j->run->err;
    const ql_points *p = q->points;
    int medians;
    int64_t different;
    double saturated, alone;
    QL_TRY(QL_NEW(c->threshold, p->n_dims, "codes", err));
    QL_TRY(ql_codes_threshold(p->x, p->n, p->n_dims, c->threshold, &medians, &saturated, err));
    QL_TRY(ql_codes_of(p->x, p->n, p->n_dims, c->threshold, &c->points, err));
    QL_TRY(ql_codes_of(q->queries, q->n, p->n_dims, c->threshold, &c->queries, err));
    QL_TRY(ql_codes_count(&c->points, &different, &alone, err));
    ql_log_info(j->run->log, "codes of %lld bits: %lld different ones among %lld cells",
                (long long)p->n_dims, (long long)different, (long long)p->n);
    if (medians)
        ql_log_warn(j->run->log, "the space is no sigmoid's (values outside 0 to 1): bits are cut "
                                 "at each dimension's median");
    else
        ql_log_info(j->run->log, "%.1f %% of the values are within 0.1 of 0 or 1", 100 * saturated);
    ql_summary_int(j->run->summary, "code_bits", p->n_dims);
    ql_summary_int(j->run->summary, "codes", different);
    ql_summary_double(j->run->summary, "code_saturated", saturated);
    return QL_OK;
}

/* Is a point at distance d behind one at distance e? */
static bool is_behind(double e, int32_t other, double d, int32_t point)
{
    return d > e || (d == e && point > other);
}

/* Measure the shortlist of a query [wide] and keep the nearest of it, in order, in the first `keep`
 * places of index and distance. */
static void measure(const search_args *a, const search_question *q, int64_t query, int wide,
                    int keep, int32_t *index, double *distance)
{
    const ql_metric *m = ql_metric_find(a->metric);
    const int64_t n = q->points->n_dims;
    for (int e = 0; e < wide; e++) {
        const int32_t point = index[e];
        const double d = ql_metric_distance(m, q->queries + query * n, q->points->x + point * n, n);
        int at = e < keep ? e : keep;
        if (at == keep && is_behind(distance[at - 1], index[at - 1], d, point)) continue;
        if (at == keep) at--;
        for (; at > 0 && !is_behind(distance[at - 1], index[at - 1], d, point); at--) {
            distance[at] = distance[at - 1];
            index[at] = index[at - 1];
        }
        distance[at] = d;
        index[at] = point;
    }
}

static ql_status take_answers(const search_args *a, const search_question *q, by_codes *c,
                              search_answer *out, ql_err *err)
{
    double *distance;
    QL_TRY(QL_NEW(distance, c->wide, "answers", err));
    for (int64_t i = 0; i < q->n; i++) {
        int32_t *index = c->index + i * c->wide;
        for (int e = 0; e < c->wide; e++) distance[e] = c->bits[i * c->wide + e];
        const int asked = out->k + (q->self != NULL), keep = asked < c->wide ? asked : c->wide;
        if (a->shortlist > 0) measure(a, q, i, c->wide, keep, index, distance);
        drop_self(q, i, keep, index, distance, out);
    }
    ql_free(distance);
    return QL_OK;
}

static ql_status search_codes(space_job *j, const search_args *a, const search_question *q,
                              search_answer *out)
{
    ql_err *err = &j->run->err;
    by_codes c = {0};
    ql_status st;
    const int64_t n = q->points->n;
    const int64_t wide = (a->shortlist > out->k ? a->shortlist : out->k) + (q->self != NULL);
    c.wide = (int)(wide < n ? wide : n);
    QL_GO(make_codes(j, q, &c));
    QL_GO(QL_NEW(c.index, q->n * c.wide, "answers", err));
    QL_GO(QL_NEW(c.bits, q->n * c.wide, "answers", err));
    QL_GO(ql_codes_search(&c.points, &c.queries, c.wide, j->run->threads, c.index, c.bits, err));
    QL_GO(take_answers(a, q, &c, out, err));
out:
    free_codes(&c);
    return st;
}

/* Share of the exact answers among those found. */
static double recall_of(const search_answer *exact, const search_answer *found, int64_t n)
{
    int64_t hits = 0;
    const int k = exact->k;
    for (int64_t i = 0; i < n; i++)
        for (int e = 0; e < k; e++)
            for (int f = 0; f < k; f++) hits += exact->index[i * k + e] == found->index[i * k + f];
    return (double)hits / (double)(n * k);
}

/* ---- either ---- */

static ql_status search_both(space_job *j, const search_args *a, const search_question *q,
                             search_answer *out)
{
    search_answer exact = {0};
    ql_status st;
    QL_GO(answer_new(&exact, q->n, out->k, &j->run->err));
    QL_GO(search_exactly(j, a, q, &exact));
    QL_GO(search_codes(j, a, q, out));
    out->recall = recall_of(&exact, out, q->n);
    ql_log_info(j->run->log, "recall: %.1f %% of the %d nearest by exact distance (%s) were found",
                100 * out->recall, out->k, a->metric);
    ql_summary_double(j->run->summary, "recall", out->recall);
out:
    search_answer_free(&exact);
    return st;
}

ql_status query_search(space_job *j, const search_args *a, const search_question *q,
                       search_answer *out)
{
    const int64_t most = q->points->n - (q->self != NULL);
    if (most < 1) return ql_fail(&j->run->err, QL_EDATA, "%s: there is no other cell", j->path);
    if (a->k > most) ql_log_warn(j->run->log, "there are %lld other cells only", (long long)most);
    QL_TRY(answer_new(out, q->n, (int)(a->k < most ? a->k : most), &j->run->err));
    return a->hash ? search_both(j, a, q, out) : search_exactly(j, a, q, out);
}
