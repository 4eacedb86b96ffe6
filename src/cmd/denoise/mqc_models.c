#include "mqc_models.h"

#include "../fit/auto_choice.h"
#include "quell/coverage.h"

/* ---- --auto ---- */

static const mqc_figure columns[] = {
    {"quell_auto_gain", "Gain", "nats per held-out molecule over the gene means", "{:,.4f}",
     "RdYlGn"},
    {"quell_auto_error", "Error", "standard error of the gain, over cells", "{:,.4f}", "Greys"},
    {"quell_auto_difference", "From the chosen", "gain above that of what was chosen", "{:+,.4f}",
     "RdYlGn"},
    {"quell_auto_difference_error", "Its error", "standard error, over cells in pairs", "{:,.4f}",
     "Greys"},
    {"quell_auto_weight", "Weight", "in the mixture", "{:,.3f}", "Blues"},
    {"quell_auto_chosen", "Chosen", "1: what was written", "{:,.0f}", "Greens"},
};
enum { N_COLUMNS = sizeof columns / sizeof *columns };

bool mqc_has_choice(const denoise_result *r)
{
    return r->choice && r->choice->choice.n > 0;
}

ql_status mqc_put_choice(const void *what, const char *sample, ql_json *j, ql_err *err)
{
    const denoise_result *r = what;
    const ql_choice *c = &r->choice->choice;
    ql_str row = {0};
    (void)err;
    mqc_put_headers(j, columns, N_COLUMNS);
    ql_json_begin_object(j, "data");
    for (int i = 0; i <= c->n; i++) {
        const ql_candidate *k = &c->candidate[i];
        const double values[N_COLUMNS - 1] = {k->report, k->report_error, k->difference,
                                              k->difference_error, i < c->n ? k->weight : 1};
        ql_str_clear(&row);
        ql_str_printf(&row, "%s %s", sample, auto_name(r->choice, i));
        ql_json_begin_object(j, ql_str_text(&row));
        for (int v = 0; v < N_COLUMNS - 1; v++) ql_json_double(j, columns[v].key, values[v]);
        ql_json_int(j, columns[N_COLUMNS - 1].key, i == c->chosen);
        ql_json_end_object(j);
    }
    ql_json_end_object(j);
    j->out->failed |= row.failed;
    ql_str_free(&row);
    return QL_OK;
}

/* ---- ensembles ---- */

bool mqc_has_ensemble(const denoise_result *r)
{
    return r->fitted->others != NULL;
}

static const char *settings_of(const ql_ensemble *e, int i)
{
    return *e->member[i].settings ? e->member[i].settings : "as given";
}

ql_status mqc_put_ensemble(const void *what, const char *sample, ql_json *j, ql_err *err)
{
    const ql_ensemble *e = ((const denoise_result *)what)->fitted->others;
    (void)err;
    ql_json_begin_object(j, "data");
    ql_json_begin_object(j, sample);
    for (int i = 0; i < e->n; i++) ql_json_double(j, settings_of(e, i), 100 * e->facts.share[i]);
    ql_json_end_object(j);
    ql_json_end_object(j);
    return QL_OK;
}

/* ---- coverage ---- */

enum { FEWEST_COUNTS = 200 };

bool mqc_has_coverage(const denoise_result *r)
{
    return r->fitted->coverage.level > 0;
}

/* Levels are half a decade wide from 0.001 on; what is below is drawn as one such level. */
static double middle(int level)
{
    return -3.25 + 0.5 * level;
}

ql_status mqc_put_coverage(const void *what, const char *sample, ql_json *j, ql_err *err)
{
    const ql_coverage *c = &((const denoise_result *)what)->fitted->coverage;
    (void)err;
    ql_json_begin_object(j, "data");
    ql_json_begin_object(j, sample);
    for (int i = 0; i < QL_COVER_LEVELS; i++)
        if (c->at[i].n >= FEWEST_COUNTS) mqc_put_point(j, middle(i), 100 * ql_covered(&c->at[i]));
    ql_json_end_object(j);
    ql_json_end_object(j);
    return QL_OK;
}
