/* Lists of names: of cells, genes, columns, members of a file. */
#ifndef QUELL_NAMES_H
#define QUELL_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Functions that return a status fail with QL_EMEMORY, and with nothing else where nothing else is
 * said. A list or frame that an addition failed on is as before it; one that was to be filled may
 * be filled in part, and is released as ever. */

/* A list of strings in one block. Zero-initialise; release with ql_names_free. */
typedef struct {
    int64_t n;
    char *bytes;     /* NUL-terminated strings back to back; owned */
    int64_t *offset; /* n + 1 (offset[n] = bytes used); owned */
    int64_t cap_bytes, cap_n;
} ql_names;

/* Name i, from 0 to n - 1; borrowed, valid until the list changes. */
static inline const char *ql_name(const ql_names *names, int64_t i)
{
    return names->bytes + names->offset[i];
}

/* Append a copy. Bytes that are no valid UTF-8 are taken as Latin-1; NUL ends the string. */
QL_MUST_USE ql_status ql_names_add(ql_names *names, const char *bytes, size_t len, ql_err *err);
void ql_names_free(ql_names *names);
/* Into a zero-initialised *out. */
QL_MUST_USE ql_status ql_names_copy(const ql_names *names, ql_names *out, ql_err *err);
void ql_names_move(ql_names *from, ql_names *to); /* to is released first, from is empty then */

/* Append n names "<what>_1" .. "<what>_n". */
QL_MUST_USE ql_status ql_names_number(const char *what, int64_t n, ql_names *out, ql_err *err);

/* Replace each empty name by "unnamed_<position>", counted from 1; *n_empty is how many there were.
 */
QL_MUST_USE ql_status ql_names_fill_empty(ql_names *names, int64_t *n_empty, ql_err *err);

/* Hash index of a list: position of a name (the first, if it repeats), or -1. names is borrowed and
 * must outlive the index; what is appended to it later is not found. */
typedef struct ql_name_index ql_name_index;
QL_MUST_USE ql_status ql_name_index_new(const ql_names *names, ql_name_index **out, ql_err *err);
int64_t ql_name_index_find(const ql_name_index *index, const char *name);
void ql_name_index_free(ql_name_index *index);

/* Make the names unique the way anndata does: the second and later uses of a name get "-1", "-2",
 * ..., skipping suffixes that are taken. *n_changed (may be NULL): how many were renamed;
 * *example (may be NULL): index of the first renamed one, or -1. */
QL_MUST_USE ql_status ql_names_make_unique(ql_names *names, int64_t *n_changed, int64_t *example,
                                           ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
