/* A page of HTML about one result. Private to src/cmd. */
#ifndef QL_REPORT_PAGE_H
#define QL_REPORT_PAGE_H

#include "report_data.h"
#include "report_parts.h"

/* Append the whole page to out. It is UTF-8, needs no network and no script, and depends on d and
 * color alone. color: column of obs that colours the cells at first, or NULL. QL_EUSAGE for a
 * column that is not there. */
QL_MUST_USE ql_status report_page(const report_data *d, const char *color, ql_str *out,
                                  ql_err *err);

/* Where a file has what it says of the run. */
#define REPORT_RUN "uns/quell/denoise"

/* Its parts, each a section or nothing where the file has nothing for it. */
void report_put_alerts(const report_data *d, ql_str *out); /* report_score.c */
void report_put_cards(const report_data *d, ql_str *out);
void report_put_score(const report_data *d, ql_str *out);
QL_MUST_USE ql_status report_put_training(const report_data *d, ql_str *out,
                                          ql_err *err); /* report_charts.c */
QL_MUST_USE ql_status report_put_distributions(const report_data *d, ql_str *out, ql_err *err);
void report_put_run(const report_data *d, ql_str *out); /* report_about.c */
void report_put_scales(const report_data *d, ql_str *out);
void report_put_next(ql_str *out);
void report_put_citation(const report_data *d, ql_str *out);

QL_MUST_USE ql_status report_put_cells(const report_data *d, const char *color, ql_str *out,
                                       ql_err *err);
QL_MUST_USE ql_status report_put_clusters(const report_data *d, ql_str *out, ql_err *err);
void report_put_models(const report_data *d, ql_str *out);
void report_put_coverage(const report_data *d, ql_str *out);
QL_MUST_USE ql_status report_put_gains(const report_data *d, ql_str *out, ql_err *err);
QL_MUST_USE ql_status report_put_genes(const report_data *d, ql_str *out, ql_err *err);
QL_MUST_USE ql_status report_put_dispersion(const report_data *d, ql_str *out, ql_err *err);

/* The column of obs with clusters: of quell cluster, else one that is called as scanpy calls it;
 * NULL: none. */
const ql_column *report_clustering(const report_data *d);

extern const char report_style[];

#endif
