/* Rows of several option tables looked at as one list. Private to src/cmd. */
#ifndef QL_OPTION_ROWS_H
#define QL_OPTION_ROWS_H

#include "quell/option.h"

/* tables: NULL-terminated. The row whose name is the first n bytes of `name`; NULL: none. */
const ql_option *rows_find(const ql_option *const *tables, const char *name, size_t n);

/* Row i of all of them; NULL: there are not so many. */
const ql_option *rows_at(const ql_option *const *tables, int i);

#endif
