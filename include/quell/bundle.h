/* Named values in memory: what a file of its own format holds, between those who know what the
 * values mean (model, train) and those who know the file (quell/bundle_h5.h).
 *
 * A name is a path of groups ("net/hidden0/weights"): printable, no step empty or ".". It is used
 * once, and a group has no value of its own. There are at most QL_BUNDLE_MAX entries. Names are
 * copied. What a look-up gives is valid until the next put.
 *
 * Looking up fails with QL_EDATA and one line that names the entry, what it is and what was
 * expected; putting fails with QL_EINTERNAL for a name that cannot be, or QL_EMEMORY. */
#ifndef QUELL_BUNDLE_H
#define QUELL_BUNDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/frame.h"
#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { QL_BUNDLE_MAX = 4096, QL_BUNDLE_NAME = 200, QL_BUNDLE_DEPTH = 8 };

/* Types of the elements of arrays. X(name, C type, text) */
#define QL_ELEM_MAP(X)                                                                             \
    X(F32, float, "float32")                                                                       \
    X(F64, double, "float64")                                                                      \
    X(I32, int32_t, "int32")                                                                       \
    X(I64, int64_t, "int64")                                                                       \
    X(U8, uint8_t, "uint8")

typedef enum {
#define X(name, type, text) QL_ELEM_##name,
    QL_ELEM_MAP(X)
#undef X
        QL_N_ELEMS
} ql_elem;

size_t ql_elem_size(ql_elem type);

typedef enum {
    QL_ENTRY_INT,
    QL_ENTRY_DOUBLE,
    QL_ENTRY_TEXT,
    QL_ENTRY_ARRAY,
    QL_ENTRY_NAMES
} ql_entry_kind;

typedef struct {
    char *name; /* owned */
    ql_entry_kind kind;
    int64_t i;              /* QL_ENTRY_INT */
    double d;               /* QL_ENTRY_DOUBLE */
    char *text;             /* QL_ENTRY_TEXT; owned */
    ql_elem elem;           /* QL_ENTRY_ARRAY: of rank 1 (n_rows values) or 2, row-major */
    int rank;               /* 1 or 2 */
    int64_t n_rows, n_cols; /* n_cols is 1 with rank 1 */
    const void *values;     /* [n_rows, n_cols] */
    const ql_names *names;  /* QL_ENTRY_NAMES: borrowed, else NULL; ask ql_entry_names */
    void *own;              /* block behind values that the bundle frees; NULL: borrowed */
    ql_names own_names;
} ql_entry;

/* Zero-initialise; release with ql_bundle_free. Entries are in the order in which they were put. */
typedef struct {
    ql_entry *entries; /* owned */
    int n, cap;
} ql_bundle;

void ql_bundle_free(ql_bundle *b);

/* Bytes of all arrays. */
int64_t ql_bundle_bytes(const ql_bundle *b);

/* Put a scalar; text is copied. */
QL_MUST_USE ql_status ql_bundle_put_int(ql_bundle *b, const char *name, int64_t value, ql_err *err);
QL_MUST_USE ql_status ql_bundle_put_double(ql_bundle *b, const char *name, double value,
                                           ql_err *err);
QL_MUST_USE ql_status ql_bundle_put_text(ql_bundle *b, const char *name, const char *text,
                                         ql_err *err);

/* An array: n_cols is -1 for one of rank 1. values may be NULL when it has no elements. */
typedef struct {
    ql_elem elem;
    int64_t n_rows, n_cols;
    const void *values;
} ql_array;

/* Put an array or a list: lend_ borrows (values outlive the bundle), copy_ copies, give_ takes a
 * block of ql_alloc (or the list), also when it fails. */
QL_MUST_USE ql_status ql_bundle_lend_array(ql_bundle *b, const char *name, ql_array a, ql_err *err);
QL_MUST_USE ql_status ql_bundle_copy_array(ql_bundle *b, const char *name, ql_array a, ql_err *err);
QL_MUST_USE ql_status ql_bundle_give_array(ql_bundle *b, const char *name, ql_array a, void *block,
                                           ql_err *err);
QL_MUST_USE ql_status ql_bundle_lend_names(ql_bundle *b, const char *name, const ql_names *names,
                                           ql_err *err);
QL_MUST_USE ql_status ql_bundle_copy_names(ql_bundle *b, const char *name, const ql_names *names,
                                           ql_err *err);
QL_MUST_USE ql_status ql_bundle_give_names(ql_bundle *b, const char *name, ql_names *names,
                                           ql_err *err);

/* The list of an entry of names. */
const ql_names *ql_entry_names(const ql_entry *e);

/* Copy all entries of part into a group; and the entries of a group, by the names they have in it,
 * into a new bundle that borrows arrays and lists of b (release it with ql_bundle_free). */
QL_MUST_USE ql_status ql_bundle_put_part(ql_bundle *b, const char *group, const ql_bundle *part,
                                         ql_err *err);
QL_MUST_USE ql_status ql_bundle_part(const ql_bundle *b, const char *group, ql_bundle *part,
                                     ql_err *err);

/* The entry of this name, or NULL. */
const ql_entry *ql_bundle_find(const ql_bundle *b, const char *name);

/* A whole number; within [least, most]. */
QL_MUST_USE ql_status ql_bundle_int(const ql_bundle *b, const char *name, int64_t least,
                                    int64_t most, int64_t *out, ql_err *err);
/* A finite number; an integer will do. */
QL_MUST_USE ql_status ql_bundle_double(const ql_bundle *b, const char *name, double *out,
                                       ql_err *err);
/* The bundle's own text. */
QL_MUST_USE ql_status ql_bundle_text(const ql_bundle *b, const char *name, const char **out,
                                     ql_err *err);
/* The bundle's own values: want->elem and want->n_rows (-1: any) and n_cols (-1: rank 1, -2: rank 2
 * of any width) must be so; *out is what is there. */
QL_MUST_USE ql_status ql_bundle_array(const ql_bundle *b, const char *name, ql_array want,
                                      ql_array *out, ql_err *err);
/* The same of QL_ELEM_F32 or QL_ELEM_F64, each number in a range; else the first that is not is
 * told. out may be NULL. */
typedef enum { QL_FINITE, QL_FROM_0, QL_ABOVE_0, QL_FROM_0_TO_1 } ql_range;
QL_MUST_USE ql_status ql_bundle_numbers(const ql_bundle *b, const char *name, ql_array want,
                                        ql_range range, ql_array *out, ql_err *err);
/* The same copied to values [n_rows] or [n_rows, n_cols], whose size is known. */
QL_MUST_USE ql_status ql_bundle_load(const ql_bundle *b, const char *name, ql_array want,
                                     void *values, ql_err *err);
/* A list of n names (-1: any number), the bundle's own. */
QL_MUST_USE ql_status ql_bundle_names(const ql_bundle *b, const char *name, int64_t n,
                                      const ql_names **out, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
