/* What the sections of the page are made of. Private to src/cmd. */
#ifndef QL_REPORT_PARTS_H
#define QL_REPORT_PARTS_H

#include "quell/strbuf.h"

/* What a section begins and ends with. */
void report_put_heading(ql_str *out, const char *title);
void report_end_section(ql_str *out);

/* Cells of a table: a text, escaped. */
void report_put_text(const char *text, ql_str *out);
/* A number with so many decimals; nothing where it is not finite. */
void report_put_number(int decimals, double value, ql_str *out);

#endif
