#include "quell/fingerprint.h"

#include <string.h>

/* A word is a value of either width: a type cannot be a parameter. */
uint64_t ql_floats_fingerprint(const float *x, int64_t n, uint64_t hash)
{
    for (int64_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        hash = ql_hash_word(hash, bits);
    }
    return hash;
}

uint64_t ql_doubles_fingerprint(const double *x, int64_t n, uint64_t hash)
{
    for (int64_t i = 0; i < n; i++) {
        uint64_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        hash = ql_hash_word(hash, bits);
    }
    return hash;
}

static uint64_t hash_row(uint64_t h, ql_row_view row)
{
    for (int64_t k = 0; k < row.n; k++) {
        uint32_t bits;
        memcpy(&bits, &row.count[k], sizeof bits);
        h = ql_hash_word(ql_hash_word(h, (uint32_t)row.gene[k]), bits);
    }
    return h;
}

ql_status ql_rows_fingerprint(const ql_rows *rows, uint64_t *hash, ql_err *err)
{
    uint64_t h = QL_HASH_START;
    int64_t end = 0;
    ql_row_cursor c;
    QL_TRY(ql_cursor_open(&c, rows, err));
    for (int64_t i = 0; i < rows->n_rows; i++) h = hash_row(h, ql_cursor_row(&c, i));
    h = ql_hash_word(h, 0);
    for (int64_t i = 0; i < rows->n_rows; i++) {
        end += ql_cursor_row(&c, i).n;
        h = ql_hash_word(h, (uint64_t)end);
    }
    ql_cursor_close(&c);
    *hash = h;
    return ql_rows_check(rows, err);
}
