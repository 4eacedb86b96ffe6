#include "text_field.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const float WHOLE_MAX = 1e15f; /* above, %g is shorter */

size_t ql_field_room(const char *text)
{
    return 2 * strlen(text) + 2;
}

static int needs_quotes(const char *text, char delimiter)
{
    const char special[] = {'"', '\r', '\n', delimiter, '\0'};
    return text[strcspn(text, special)] != '\0';
}

size_t ql_field_put(char *out, const char *text, char delimiter)
{
    size_t n = 0;
    if (!needs_quotes(text, delimiter)) {
        n = strlen(text);
        memcpy(out, text, n);
        return n;
    }
    out[n++] = '"';
    for (; *text; text++) {
        if (*text == '"') out[n++] = '"';
        out[n++] = *text;
    }
    out[n++] = '"';
    return n;
}

size_t ql_number_i64(char *out, int64_t x)
{
    char digits[24];
    size_t n = 0, len = 0;
    uint64_t left = x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
    do digits[n++] = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (x < 0) out[len++] = '-';
    while (n > 0) out[len++] = digits[--n];
    return len;
}

static size_t shortest_f32(char *out, float x)
{
    int n = 0;
    for (int digits = 6; digits <= 9; digits++) {
        n = snprintf(out, QL_NUMBER_ROOM, "%.*g", digits, (double)x);
        if (strtof(out, NULL) == x) break;
    }
    return (size_t)n;
}

static size_t shortest_f64(char *out, double x)
{
    int n = 0;
    for (int digits = 15; digits <= 17; digits++) {
        n = snprintf(out, QL_NUMBER_ROOM, "%.*g", digits, x);
        if (strtod(out, NULL) == x) break;
    }
    return (size_t)n;
}

size_t ql_number_count(char *out, float x)
{
    if (x == floorf(x) && fabsf(x) < WHOLE_MAX) return ql_number_i64(out, (int64_t)x);
    return shortest_f32(out, x);
}

/* "1" becomes "1.0"; "inf" and "1e+20" say themselves that they are no integers. */
static size_t with_point(char *out, size_t n)
{
    out[n] = '\0';
    if (out[strcspn(out, ".ein")] != '\0') return n;
    memcpy(out + n, ".0", 2);
    return n + 2;
}

size_t ql_number_f32(char *out, float x)
{
    return isnan(x) ? 0 : with_point(out, shortest_f32(out, x));
}

size_t ql_number_f64(char *out, double x)
{
    return isnan(x) ? 0 : with_point(out, shortest_f64(out, x));
}
