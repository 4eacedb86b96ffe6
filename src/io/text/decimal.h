/* Decimal numbers in text, without locale. Private to src/io. */
#ifndef QUELL_IO_DECIMAL_H
#define QUELL_IO_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>

/* The number that s[0..n) is as a whole: sign, digits with a point, exponent. False when it is
 * none; "NaN" and "inf" are none. Numbers of up to 15 digits and exponents up to 22 are exact, the
 * rest is within a few units of the last place; too large a number is HUGE_VAL. */
bool ql_decimal(const char *s, size_t n, double *out);

/* Why s[0..n), which is no number, is none: "is empty", "is a missing value", ... */
const char *ql_decimal_fault(const char *s, size_t n);

#endif
