/* Orders for qsort; places in what is in order; the lesser and the greater of two numbers. */
#ifndef QUELL_ORDER_H
#define QUELL_ORDER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of doubles, ascending; NaN is equal to anything. */
int ql_by_value(const void *a, const void *b);

/* Of int64_t and of int32_t, ascending. */
int ql_by_int64(const void *a, const void *b);
int ql_by_int32(const void *a, const void *b);

/* Of const char *, by strcmp. */
int ql_by_text(const void *a, const void *b);

/* A value and what has it. */
typedef struct {
    double value;
    int64_t at;
} ql_ranked;

/* Of ql_ranked, ascending by value, then by place: the same order with any qsort. */
int ql_by_rank(const void *a, const void *b);

/* Where in ascending values the first is that is not below `value`; n where there is none. */
int64_t ql_first_from(const int64_t *ascending, int64_t n, int64_t value);

static inline int64_t ql_least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t ql_most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#ifdef __cplusplus
}
#endif
#endif
