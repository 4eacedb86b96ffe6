/* Status codes and the error record: fixed storage, so that describing a failure cannot fail. */
#include "quell/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "quell/utf8.h"

typedef struct {
    int exit_code;
    const char *text;
} status_info;

static const status_info INFO[] = {
#define X(name, code, text) {code, text},
    QL_STATUS_MAP(X)
#undef X
};

/* A status from outside the enum is a bug of the caller, told as such. */
static const status_info *info_of(ql_status status)
{
    size_t i = (size_t)status;
    return &INFO[i < sizeof INFO / sizeof INFO[0] ? i : QL_EINTERNAL];
}

int ql_status_exit_code(ql_status status)
{
    return info_of(status)->exit_code;
}

const char *ql_status_text(ql_status status)
{
    return info_of(status)->text;
}

/* End a text that did not fit with "...", at the edge of a character. */
static void mark_cut(char *text, size_t size)
{
    size_t n = ql_utf8_cut(text, size - sizeof "...");
    memcpy(text + n, "...", sizeof "...");
}

static void format(char *out, size_t size, const char *fmt, va_list ap) QL_PRINTF(3, 0);
static void format(char *out, size_t size, const char *fmt, va_list ap)
{
    int n = vsnprintf(out, size, fmt, ap);
    if (n < 0) out[0] = '\0';
    if (n >= 0 && (size_t)n >= size) mark_cut(out, size);
}

#undef ql_fail
#undef ql_hint
#undef ql_context

ql_status ql_fail(ql_err *err, ql_status code, const char *fmt, ...)
{
    if (!err) return code;
    /* Through a buffer: an argument may be the message that is being replaced. */
    char text[sizeof err->msg];
    va_list ap;
    va_start(ap, fmt);
    format(text, sizeof text, fmt, ap);
    va_end(ap);
    memcpy(err->msg, text, sizeof text);
    err->code = code;
    err->hint[0] = '\0';
    return code;
}

ql_status ql_hint(ql_err *err, ql_status code, const char *fmt, ...)
{
    if (!err) return code;
    va_list ap;
    va_start(ap, fmt);
    format(err->hint, sizeof err->hint, fmt, ap);
    va_end(ap);
    return err->code = code;
}

ql_status ql_context(ql_err *err, ql_status code, const char *fmt, ...)
{
    if (!err) return code;
    char text[sizeof err->msg];
    va_list ap;
    va_start(ap, fmt);
    format(text, sizeof text, fmt, ap);
    va_end(ap);

    size_t n = strlen(text);
    int rest = snprintf(text + n, sizeof text - n, ": %s", err->msg);
    if (rest < 0 || (size_t)rest >= sizeof text - n) mark_cut(text, sizeof text);
    memcpy(err->msg, text, sizeof text);
    return err->code = code;
}
