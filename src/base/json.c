/* JSON writer. */
#include "quell/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quell/utf8.h"

/* Characters with an escape of their own. */
static const char SHORT_FROM[] = "\"\\\b\f\n\r\t";
static const char SHORT_TO[] = "\"\\bfnrt";

/* Besides what JSON demands: what could end a script element or, as a line separator, a string of
 * older JavaScript. */
static bool needs_escape(uint32_t code)
{
    return code < 0x20 || code == 0x7f || code == '<' || code == '>' || code == '&' ||
           code == 0x2028 || code == 0x2029;
}

static void put_char(ql_str *out, const char *bytes, size_t n, uint32_t code)
{
    const char *known = code != 0 && code < 0x80 ? strchr(SHORT_FROM, (int)code) : NULL;
    if (known) {
        ql_str_printf(out, "\\%c", SHORT_TO[known - SHORT_FROM]);
    } else if (needs_escape(code)) {
        ql_str_printf(out, "\\u%04x", (unsigned)code);
    } else {
        ql_str_bytes(out, bytes, n);
    }
}

static void put_string(ql_str *out, const char *text)
{
    size_t n = strlen(text);
    ql_str_puts(out, "\"");
    for (size_t i = 0; i < n;) {
        uint32_t code;
        size_t step = ql_utf8_char(text + i, n - i, &code);
        if (step > 0) {
            put_char(out, text + i, step, code);
        } else {
            ql_str_puts(out, "\xef\xbf\xbd");
            step = 1;
        }
        i += step;
    }
    ql_str_puts(out, "\"");
}

/* What stands in front of a value: the comma and the key. */
static void begin_value(ql_json *j, const char *key)
{
    if (j->need_comma) ql_str_puts(j->out, ",");
    j->need_comma = true;
    if (!key) return;
    put_string(j->out, key);
    ql_str_puts(j->out, ":");
}

static void open_nest(ql_json *j, const char *key, const char *bracket)
{
    begin_value(j, key);
    ql_str_puts(j->out, bracket);
    j->need_comma = false;
}

static void close_nest(ql_json *j, const char *bracket)
{
    ql_str_puts(j->out, bracket);
    j->need_comma = true;
}

void ql_json_begin_object(ql_json *j, const char *key)
{
    open_nest(j, key, "{");
}

void ql_json_end_object(ql_json *j)
{
    close_nest(j, "}");
}

void ql_json_begin_array(ql_json *j, const char *key)
{
    open_nest(j, key, "[");
}

void ql_json_end_array(ql_json *j)
{
    close_nest(j, "]");
}

void ql_json_string(ql_json *j, const char *key, const char *value)
{
    begin_value(j, key);
    if (value) {
        put_string(j->out, value);
    } else {
        ql_str_puts(j->out, "null");
    }
}

void ql_json_int(ql_json *j, const char *key, int64_t value)
{
    begin_value(j, key);
    ql_str_printf(j->out, "%lld", (long long)value);
}

/* The shortest of 15, 16 and 17 digits that reads back as the same number; 17 always do. */
void ql_json_double(ql_json *j, const char *key, double value)
{
    char text[32];

    begin_value(j, key);
    if (!isfinite(value)) {
        ql_str_puts(j->out, "null");
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) break;
    }
    ql_str_puts(j->out, text);
}

void ql_json_bool(ql_json *j, const char *key, bool value)
{
    begin_value(j, key);
    ql_str_puts(j->out, value ? "true" : "false");
}
