#include "decimal.h"

#include <math.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

enum { MAX_DIGITS = 19, MAX_POWER = 400 };

/* Digits as one integer, and the power of ten it is to be multiplied by. */
typedef struct {
    uint64_t digits;
    int n_kept;
    int64_t power;
} mantissa;

static const char *take_digits(const char *s, const char *end, bool fraction, mantissa *m)
{
    for (; s < end && (unsigned char)(*s - '0') < 10; s++) {
        if (m->n_kept < MAX_DIGITS) {
            m->digits = m->digits * 10 + (uint64_t)(*s - '0');
            m->n_kept += m->digits > 0;
            m->power -= fraction;
        } else {
            m->power += !fraction;
        }
    }
    return s;
}

static const char *take_exponent(const char *s, const char *end, mantissa *m)
{
    const char *at = s + 1;
    bool minus = at < end && *at == '-';
    int64_t e = 0;
    if (at < end && (*at == '-' || *at == '+')) at++;
    if (at == end || (unsigned char)(*at - '0') >= 10) return NULL;
    for (; at < end && (unsigned char)(*at - '0') < 10; at++)
        if (e < 100000) e = e * 10 + (*at - '0');
    m->power += minus ? -e : e;
    return at;
}

static double scale(const mantissa *m)
{
    static const double ten[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                 1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    double x = (double)m->digits;
    int64_t p = m->power;
    if (x == 0.0) return 0.0;
    if (p > MAX_POWER) p = MAX_POWER;
    if (p < -MAX_POWER) p = -MAX_POWER;
    for (; p > 0 && isfinite(x); p -= p < 22 ? p : 22) x *= ten[p < 22 ? p : 22];
    for (; p < 0; p += -p < 22 ? -p : 22) x /= ten[-p < 22 ? -p : 22];
    return x;
}

bool ql_decimal(const char *s, size_t n, double *out)
{
    const char *end = s + n;
    mantissa m = {0};
    bool minus = s < end && *s == '-';
    if (s < end && (*s == '-' || *s == '+')) s++;
    const char *whole = s;
    s = take_digits(s, end, false, &m);
    size_t n_digits = (size_t)(s - whole);
    if (s < end && *s == '.') {
        const char *rest = s + 1;
        s = take_digits(rest, end, true, &m);
        n_digits += (size_t)(s - rest);
    }
    if (n_digits == 0) return false;
    if (s < end && (*s == 'e' || *s == 'E')) s = take_exponent(s, end, &m);
    if (s != end) return false;
    double x = scale(&m);
    *out = minus ? -x : x;
    return true;
}

static bool is_word(const char *s, size_t n, const char *const *words)
{
    for (; *words; words++)
        if (strlen(*words) == n && strncasecmp(s, *words, n) == 0) return true;
    return false;
}

const char *ql_decimal_fault(const char *s, size_t n)
{
    static const char *const missing[] = {"NA",   "NaN",  "N/A",  "#N/A", "nan", "null",
                                          "None", "<NA>", "-nan", "-",    ".",   NULL};
    static const char *const infinite[] = {"inf", "-inf", "+inf", "infinity", "-infinity", NULL};
    const char *comma = memchr(s, ',', n);
    double x;
    if (n == 0) return "is empty";
    if (is_word(s, n, missing)) return "is a missing value";
    if (is_word(s, n, infinite)) return "is infinite";
    if (comma && ql_decimal(s, (size_t)(comma - s), &x) &&
        ql_decimal(comma + 1, (size_t)(s + n - comma - 1), &x))
        return "has a decimal comma";
    return "is no number";
}
