/* One file of custom content for MultiQC: a section of one sample. Files of the same id make one
 * section of all samples. Private to src/cmd. */
#ifndef QL_MQC_FILE_H
#define QL_MQC_FILE_H

#include "../fit/mqc_args.h"
#include "quell/json.h"

typedef struct {
    const char *id, *title, *text; /* title NULL: columns of the general statistics */
    const char *plot;              /* plot_type of MultiQC */
    const char *xlab, *ylab;       /* NULL: none */
} mqc_section;

/* A column of a table or of the general statistics. */
typedef struct {
    const char *key, *title, *text, *format, *scale;
} mqc_figure;

/* Writes the members that follow the common ones: "data", and "pconfig" of general statistics. */
typedef ql_status mqc_put(const void *what, const char *sample, ql_json *j, ql_err *err);

/* DIR/SAMPLE.ID_mqc.json. */
QL_MUST_USE ql_status mqc_file_write(const mqc_args *a, const mqc_section *s, const char *sample,
                                     mqc_put *put, const void *what, ql_err *err);

/* The folder, made if it is missing. */
QL_MUST_USE ql_status mqc_folder(const mqc_args *a, ql_err *err);

/* "pconfig" of general statistics, "headers" of a table: n columns. */
void mqc_put_figures(ql_json *j, const mqc_figure *f, int n);
void mqc_put_headers(ql_json *j, const mqc_figure *f, int n);

/* A point of a line: x is its key. Left out where y is not finite. */
void mqc_put_point(ql_json *j, double x, double y);

#endif
