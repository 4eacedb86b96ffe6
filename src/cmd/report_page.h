/* The page of `quell report`. Private to src/cmd. */
#ifndef QL_REPORT_PAGE_H
#define QL_REPORT_PAGE_H

#include "report_data.h"

/* Append the HTML. color: a column of obs that colours the cells; NULL: their depth. */
QL_MUST_USE ql_status report_page(const report_data *d, const char *color, ql_str *out,
                                  ql_err *err);

#endif
