#include "report_page.h"

ql_status report_page(const report_data *d, const char *color, ql_str *out, ql_err *err)
{
    ql_str_puts(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                     "style-src 'unsafe-inline'\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width\">\n"
                     "<meta name=\"color-scheme\" content=\"light dark\">\n"
                     "<title>quell report</title><style>");
    ql_str_printf(out, "%s</style></head><body>\n<h1>quell report</h1>\n", report_style);
    report_put_alerts(d, out);
    report_put_cards(d, out);
    QL_TRY(report_put_cells(d, color, out, err));
    QL_TRY(report_put_clusters(d, out, err));
    QL_TRY(report_put_genes(d, out, err));
    report_put_score(d, out);
    report_put_models(d, out);
    report_put_coverage(d, out);
    QL_TRY(report_put_training(d, out, err));
    QL_TRY(report_put_distributions(d, out, err));
    report_put_run(d, out);
    report_put_scales(d, out);
    report_put_next(out);
    report_put_citation(d, out);
    ql_str_puts(out, "</body></html>\n");
    return QL_OK;
}
