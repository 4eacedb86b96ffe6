/* What the format files share among themselves and with the registry. Private to src/io.
 *
 * Formats of HDF5 each open the file, do what is theirs, and close it: that frame repeats from file
 * to file, as what is between is all that they differ in. */
#ifndef QUELL_IO_FORMATS_H
#define QUELL_IO_FORMATS_H

#include <hdf5.h>

#include "quell/reader.h"

/* Replace *dst (owned) by a copy of text. */
QL_MUST_USE ql_status ql_set_text(char **dst, const char *text, ql_err *err);

/* Note that n stored entries were duplicates and have been summed; nothing for 0. */
void ql_note_duplicates(int64_t n, ql_notes *notes);

/* "2,638" into buf, which is returned. */
typedef char ql_grouped[32];
const char *ql_group_digits(int64_t n, ql_grouped buf);

/* Append "a, b, c", escaped. */
void ql_join_names(const ql_names *names, ql_str *out);

/* Append "a, b, c and 4 more"; total: how many there are. "(none)" for none. */
void ql_list_names(const ql_names *names, int64_t total, ql_str *out);

/* One line on the matrix at path: type, layout, size, filters; nothing where there is none. The
 * words for rows and columns may be "". */
void ql_h5_describe_matrix(hid_t file, const char *path, const char *rows, const char *cols,
                           ql_str *out);

/* The same of each matrix in the group layers. */
void ql_h5_describe_layers(hid_t file, const char *rows, const char *cols, ql_str *out);

/* Why path is none of the formats that are read: fails always, naming what it is instead. */
QL_MUST_USE ql_status ql_refuse(const char *path, ql_err *err);

/* The first bytes of a file are text, and not of a known kind that is no table (JSON, reads, ...).
 */
bool ql_is_plain_text(const char *head, size_t n);

/* The checks before any format is tried: exists, readable, not empty. */
QL_MUST_USE ql_status ql_check_input(const char *path, ql_err *err);

#endif
