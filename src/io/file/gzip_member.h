/* One gzip member in memory, inflated at once. Private to src/io. */
#ifndef QUELL_IO_GZIP_MEMBER_H
#define QUELL_IO_GZIP_MEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { QL_BGZF_MAX = 1 << 16, QL_BGZF_HEAD = 18 };

typedef enum { QL_GZIP_OK, QL_GZIP_SMALL, QL_GZIP_BAD } ql_gzip_result;

/* Inflate the member at the start of in[0..n) into out[0..cap): *used bytes of in gave *got bytes.
 * The checksum and the length are checked. QL_GZIP_SMALL: out is too small; QL_GZIP_BAD: damaged,
 * cut short, or no gzip. Any thread may call it. */
typedef struct {
    const char *name;
    ql_gzip_result (*inflate)(const void *in, size_t n, void *out, size_t cap, size_t *used,
                              size_t *got);
    bool any_size; /* else for members up to QL_BGZF_MAX bytes */
} ql_gzip_inflater;

extern const ql_gzip_inflater ql_gzip_inflaters[]; /* best first; ends with a NULL name */

bool ql_is_gzip(const void *head, size_t n);

/* Bytes of the BGZF block that begins with head[0..n): block gzip says in each header how long the
 * member is. 0 when it is none. */
size_t ql_bgzf_block_size(const void *head, size_t n);

uint32_t ql_get_u32(const void *bytes); /* little-endian */

#endif
