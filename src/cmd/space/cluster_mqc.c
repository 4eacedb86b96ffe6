/* quell cluster --mqc: two files, a general one and the sizes. */
#include <math.h>

#include "../denoise/mqc_file.h"
#include "cluster.h"
#include "quell/alloc.h"

typedef struct {
    const cluster_job *job;
    const ql_labels *found;
    const int64_t *size; /* of each cluster, the largest first */
} facts;

static const mqc_figure figures[] = {
    {"quell_clusters", "Clusters", "groups that quell cluster found", "{:,.0f}", "Purples"},
    {"quell_largest_cluster", "Largest", "share of the cells in the largest cluster, %", "{:,.1f}",
     "Blues"},
    {"quell_modularity", "Modularity", "of the clusters, in the graph of neighbours", "{:,.3f}",
     "Greens"},
};
enum { N_FIGURES = sizeof figures / sizeof *figures };

static int64_t cells_of(const facts *f)
{
    int64_t n = 0;
    for (int64_t k = 0; k < f->found->names.n; k++) n += f->size[k];
    return n;
}

static ql_status put_figures(const void *what, const char *sample, ql_json *j, ql_err *err)
{
    const facts *f = what;
    const int64_t n = f->found->names.n, cells = cells_of(f);
    (void)err;
    mqc_put_figures(j, figures, N_FIGURES);
    ql_json_begin_object(j, "data");
    ql_json_begin_object(j, sample);
    ql_json_int(j, figures[0].key, n);
    if (cells > 0) ql_json_double(j, figures[1].key, 100 * (double)f->size[0] / (double)cells);
    if (isfinite(f->job->modularity)) ql_json_double(j, figures[2].key, f->job->modularity);
    ql_json_end_object(j);
    ql_json_end_object(j);
    return QL_OK;
}

static ql_status put_sizes(const void *what, const char *sample, ql_json *j, ql_err *err)
{
    const facts *f = what;
    (void)err;
    ql_json_begin_object(j, "data");
    ql_json_begin_object(j, sample);
    for (int64_t k = 0; k < f->found->names.n; k++)
        ql_json_int(j, ql_name(&f->found->names, k), f->size[k]);
    ql_json_end_object(j);
    ql_json_end_object(j);
    return QL_OK;
}

static const mqc_section general = {.id = "quell_cluster_stats", .plot = "generalstats"};
static const mqc_section sizes = {.id = "quell_clusters",
                                  .title = "Sizes of clusters",
                                  .text = "Cells of each cluster, 0 the largest.",
                                  .plot = "bargraph",
                                  .ylab = "cells"};

static ql_status write(const mqc_args *a, const facts *f, const char *sample, ql_err *err)
{
    QL_TRY(mqc_folder(a, err));
    QL_TRY(mqc_file_write(a, &general, sample, put_figures, f, err));
    return mqc_file_write(a, &sizes, sample, put_sizes, f, err);
}

ql_status cluster_mqc(const cluster_job *j, const ql_labels *found)
{
    const mqc_args *a = &j->a->mqc;
    ql_err *err = &j->run->err;
    ql_str sample = {0};
    int64_t *size = NULL;
    ql_status st;
    if (!a->dir) return QL_OK;
    QL_GO(mqc_sample(a, j->run, &sample, err));
    QL_GO(QL_NEW(size, found->names.n, "sizes of clusters", err));
    ql_labels_sizes(found, size);
    const facts f = {j, found, size};
    QL_GO(write(a, &f, ql_str_text(&sample), err));
    ql_log_info(j->run->log, "wrote %s/%s.quell_cluster*_mqc.json", a->dir, ql_str_text(&sample));
out:
    ql_free(size);
    ql_str_free(&sample);
    return st;
}
