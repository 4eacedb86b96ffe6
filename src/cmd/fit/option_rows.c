#include "option_rows.h"

#include <string.h>

const ql_option *rows_find(const ql_option *const *tables, const char *name, size_t n)
{
    const ql_option *row;
    for (int i = 0; (row = rows_at(tables, i)) != NULL; i++)
        if (strlen(row->name) == n && strncmp(row->name, name, n) == 0) return row;
    return NULL;
}

const ql_option *rows_at(const ql_option *const *tables, int i)
{
    for (; *tables; tables++)
        for (const ql_option *row = *tables; row->name; row++)
            if (i-- == 0) return row;
    return NULL;
}
