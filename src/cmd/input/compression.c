#include "compression.h"

#include <string.h>

ql_status ql_compression_level(const char *text, int gzip_level, int *level, ql_err *err)
{
    *level = gzip_level;
    if (!strcmp(text, "none"))
        *level = 0;
    else if (!strncmp(text, "gzip:", 5) && text[5] >= '1' && text[5] <= '9' && !text[6])
        *level = text[5] - '0';
    else if (strcmp(text, "gzip") != 0)
        return ql_fail(
            err, QL_EUSAGE,
            "--compression: '%s' is neither none nor gzip[:LEVEL] with a level from 1 to 9", text);
    return QL_OK;
}
