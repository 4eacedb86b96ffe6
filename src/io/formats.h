/* What the format files share among themselves and with the registry. Private to src/io. */
#ifndef QUELL_IO_FORMATS_H
#define QUELL_IO_FORMATS_H

#include <hdf5.h>

#include "quell/reader.h"

/* One per format file; format_registry.c lists them in order of detection. */
extern const ql_format ql_format_h5mu;
extern const ql_format ql_format_h5ad;
extern const ql_format ql_format_h5ad_old;
extern const ql_format ql_format_loom;
extern const ql_format ql_format_hdf5; /* never detected: chosen by --dataset */
extern const ql_format ql_format_10x_h5;
extern const ql_format ql_format_10x_h5_v2;
extern const ql_format ql_format_10x_mtx;
extern const ql_format ql_format_alevin;
extern const ql_format ql_format_alevin_eds;
extern const ql_format ql_format_kallisto;
extern const ql_format ql_format_mtx;
extern const ql_format ql_format_parse;
extern const ql_format ql_format_long_table;
extern const ql_format ql_format_table;

/* Replace *dst (owned) by a copy of text. */
ql_status ql_set_text(char **dst, const char *text, ql_err *err);

/* Note that n stored entries were duplicates and have been summed; nothing for 0. */
void ql_note_duplicates(int64_t n, ql_notes *notes);

/* "2,638" into buf, which is returned. */
typedef char ql_grouped[32];
const char *ql_group_digits(int64_t n, ql_grouped buf);

/* 10x HDF5, both generations: the shape dataset of a group [features, barcodes]; its comparison
 * with the names found; one line that describes the group's matrix. */
ql_status ql_10x_shape(hid_t file, const char *group, int64_t shape[2], ql_err *err);
ql_status ql_10x_check_lengths(const char *group, const int64_t shape[2], int64_t n_features,
                               int64_t n_cells, ql_err *err);
ql_status ql_10x_describe_group(hid_t file, const char *group, const int64_t shape[2], ql_str *out,
                                ql_err *err);

/* The group of a file of Cell Ranger 1 or 2 that opt picks, if it is one; else nothing. */
ql_status ql_10x_v2_single(hid_t file, const ql_read_options *opt, ql_str *group, ql_err *err);

/* Did CellBender write it? Its latent variables are beside the matrix. */
bool ql_10x_is_cellbender(hid_t file);

/* "feature types  32,738 Gene Expression, 12 Custom" of the strings at path; nothing if absent. */
ql_status ql_describe_counts_of(hid_t file, const char *path, const char *label, ql_str *out,
                                ql_err *err);

/* "a, b, c and 4 more" and a newline, escaped; total: how many there are. "(none)" for none. */
void ql_append_list(const ql_names *names, int64_t total, ql_str *out);

/* One line on the matrix at path: type, layout, size, filters; nothing where there is none. The
 * words for rows and columns may be "". */
void ql_h5_describe_matrix(hid_t file, const char *path, const char *rows, const char *cols,
                           ql_str *out);

/* Why path is none of the formats that are read: fails always, naming what it is instead. */
ql_status ql_refuse(const char *path, ql_err *err);

/* The first bytes of a file are text, and not of a known kind that is no table (JSON, reads, ...).
 */
bool ql_is_plain_text(const char *head, size_t n);

/* The checks before any format is tried: exists, readable, not empty. */
ql_status ql_check_input(const char *path, ql_err *err);

#endif
