#include "report_parts.h"

#include <math.h>

#include "quell/chart.h"

void report_put_text(const char *text, ql_str *out)
{
    ql_str_puts(out, "<td>");
    ql_html_text(out, text);
    ql_str_puts(out, "</td>");
}

void report_put_number(int decimals, double value, ql_str *out)
{
    ql_str_puts(out, "<td class=\"num\">");
    if (isfinite(value)) ql_str_printf(out, "%.*f", decimals, value);
    ql_str_puts(out, "</td>");
}

void report_put_heading(ql_str *out, const char *title)
{
    ql_str_printf(out, "<section><h2>%s</h2>\n", title);
}

void report_end_section(ql_str *out)
{
    ql_str_puts(out, "</section>\n");
}
