#include "h5_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void ql_h5_init(void)
{
    /* Fails harmlessly once the library is initialised. The handler would crash after a failed
     * flush. */
    (void)H5dont_atexit();
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
}

/* The innermost entry that says something. */
static herr_t first_description(unsigned n, const H5E_error2_t *entry, void *out)
{
    (void)n;
    if (!entry->desc || !entry->desc[0]) return 0;
    (void)snprintf(out, 512, "%s", entry->desc);
    return 1;
}

/* Descriptions of system calls carry "errno = 13, error message = 'Permission denied', ...": the
 * quoted part is what a user understands. */
static void keep_errno_text(char *desc)
{
    static const char mark[] = "error message = '";
    char *from = strstr(desc, mark);
    if (!from) return;
    from += sizeof mark - 1;
    const char *end = strchr(from, '\'');
    if (!end || end == from) return;
    size_t n = (size_t)(end - from);
    memmove(desc, from, n);
    desc[n] = '\0';
}

static void one_line(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20) *text = ' ';
}

ql_status ql_h5_fail(ql_err *err, ql_status code, const char *fmt, ...)
{
    char message[512], desc[512] = "";
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    (void)H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, first_description, desc);
    (void)H5Eclear2(H5E_DEFAULT);
    keep_errno_text(desc);
    one_line(desc);
    if (!desc[0]) return ql_fail(err, code, "%s", message);
    return ql_fail(err, code, "%s: %s", message, desc);
}
