#include "duration.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

ql_status duration_read(const char *option, const char *text, double *seconds, ql_err *err)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}};
    size_t digits = strspn(text, "0123456789.");
    char *end = NULL;
    double value = digits > 0 ? strtod(text, &end) : NAN;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        *seconds = value * units[i].seconds;
        if (end == text + digits && !strcmp(end, units[i].unit) && *seconds <= 1e9) return QL_OK;
    }
    ql_fail(err, QL_EUSAGE, "--%s: '%s' is no time", option, text);
    return ql_hint(err, QL_EUSAGE, "such as 90s, 10m or 2h");
}
