/* Checked reading of HDF5 objects: nothing a file says about kinds, sizes or types is believed
 * before it is compared with what was asked for. Private to src/io.
 *
 * Messages start with the object's path ("/X/data: ..."); the caller puts the file in front. All
 * functions run on the one thread that calls HDF5. */
#ifndef QUELL_IO_H5_READ_H
#define QUELL_IO_H5_READ_H

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

#include "../counts/numbers.h"
#include "quell/frame.h"
#include "quell/status.h"
#include "quell/strbuf.h"

/* Bytes that a stored one can stand for: deflate's limit is 1032. */
#define QL_DEFLATE_RATIO 1100.0

typedef enum { QL_H5R_NONE, QL_H5R_GROUP, QL_H5R_DATASET } ql_h5r_kind;

/* Open read-only and without locks. QL_ENOINPUT: cannot be opened; QL_EDATA: no HDF5 file, damaged
 * or truncated. Close with ql_h5r_close. */
QL_MUST_USE ql_status ql_h5r_open(const char *path, hid_t *file, ql_err *err);
hid_t ql_h5r_try_open(const char *path); /* for detection: negative when it is no HDF5 file */
void ql_h5r_close(hid_t id);             /* any kind of id; negative is allowed */

/* What a path leads to ("." is the group that was given for the file itself). Dangling links and
 * links to other files lead to nothing. */
ql_h5r_kind ql_h5r_kind_of(hid_t file, const char *path);

/* Is there a string attribute (one value, fixed or variable length) of that text at path? Allocates
 * nothing. */
bool ql_h5r_attr_is(hid_t file, const char *path, const char *name, const char *value);

/* What the next three ask for may not be there, which is no failure; QL_EMEMORY is the only one.
 *
 * The text of a string attribute of the object at path, in place of what out holds; *has: there is
 * one. */
QL_MUST_USE ql_status ql_h5r_attr_string(hid_t file, const char *path, const char *name,
                                         ql_str *out, bool *has, ql_err *err);

/* The strings of a list are added to out. */
QL_MUST_USE ql_status ql_h5r_attr_strings(hid_t file, const char *path, const char *name,
                                          ql_names *out, ql_err *err);

/* Path of the object in this file that an attribute (one object reference) points to, in place of
 * what out holds; *has: there is such an attribute and it points somewhere. */
QL_MUST_USE ql_status ql_h5r_attr_object(hid_t file, const char *path, const char *name,
                                         ql_str *out, bool *has, ql_err *err);

/* Exactly n integers of an attribute. */
QL_MUST_USE ql_status ql_h5r_attr_ints(hid_t file, const char *path, const char *name, int64_t *out,
                                       int n, ql_err *err);

/* Names of a group's members in name order, at most max of them; *total (may be NULL) is how many
 * there are. */
QL_MUST_USE ql_status ql_h5r_members(hid_t file, const char *path, int64_t max, ql_names *out,
                                     int64_t *total, ql_err *err);

/* As many of them as can be listed, for messages. Returns how many there are, 0 when there is no
 * such group. */
int64_t ql_h5r_list(hid_t file, const char *path, int64_t max, ql_names *out);

/* A dataset open for reading, checked: stored in this file, its filters available, its extent
 * possible for the bytes it occupies. */
typedef struct {
    hid_t id;
    char path[256]; /* for messages */
    int rank;       /* 0 (one value), 1 or 2 */
    int64_t dim[2];
    int64_t n;          /* elements */
    H5T_class_t class_; /* of the file's type */
    bool numeric;       /* integers, floats, bool enum */
    ql_num num;         /* numeric: type of an element read with mem_type */
    hid_t mem_type;     /* numeric: owned */
    bool as_stored;     /* numeric: mem_type is the file's own representation */
    bool is_bool, is_half;
    size_t raw_size;    /* not 0: elements are so many bytes, taken as stored whatever they mean */
    int64_t file_bytes; /* size of the file */
} ql_h5r_array;

/* rank 1 or 2, or -1 for any up to 2. Fails with QL_EDATA when it is missing, no dataset, of
 * another rank, not readable. Close with ql_h5r_array_close. */
QL_MUST_USE ql_status ql_h5r_array_open(hid_t file, const char *path, int rank, ql_h5r_array *a,
                                        ql_err *err);
void ql_h5r_array_close(ql_h5r_array *a); /* harmless on a zeroed or closed one */

/* From now on HDF5 keeps so many bytes of the dataset's chunks, those read last; of few bytes
 * nothing changes, as it keeps some anyway. Nothing else may have the dataset open. */
QL_MUST_USE ql_status ql_h5r_array_keep(ql_h5r_array *a, int64_t bytes, ql_err *err);

/* The block of count[] elements from start[] on (a->rank of each) of type a->mem_type into out.
 * QL_EDATA says where the damage is: near a value of a list, else by the rows (told = 0) or columns
 * (1) of the block. */
QL_MUST_USE ql_status ql_h5r_read_block(const ql_h5r_array *a, const hsize_t *start,
                                        const hsize_t *count, int told, void *out, ql_err *err);

/* Elements first .. first + n - 1 of a list. */
QL_MUST_USE ql_status ql_h5r_read_list(const ql_h5r_array *a, int64_t first, int64_t n, void *out,
                                       ql_err *err);

/* Name of the stored type as users know it: "float16", "bool", "uint8", ... */
const char *ql_h5r_type_text(const ql_h5r_array *a);

/* Fails unless the elements are numbers (or integers). */
QL_MUST_USE ql_status ql_h5r_need_numbers(const ql_h5r_array *a, ql_err *err);
QL_MUST_USE ql_status ql_h5r_need_integers(const ql_h5r_array *a, ql_err *err);

#endif
