/* What several formats of help have. */
#include <math.h>
#include <string.h>

#include "help_internal.h"

const char ql_help_about[] = "quell - autoencoders for single-cell counts";

void ql_help_usage(const ql_command *command, ql_str *out)
{
    ql_str_printf(out, "quell %s [OPTIONS]", command->name);
    for (const ql_positional *p = command->positionals; p && p->name; p++)
        ql_str_printf(out, " %s", p->name);
}

bool ql_help_takes_command(const ql_command *command)
{
    const ql_positional *p = command->positionals;
    return p && p->name && strcmp(p->name, "[COMMAND]") == 0;
}

bool ql_help_shows(const ql_option *row, bool all)
{
    return row->level == QL_OPT_BASIC || (all && row->level == QL_OPT_EXPERT);
}

void ql_help_spelling(const ql_option *row, ql_str *out)
{
    bool on = row->type == QL_OPT_FLAG && row->def && strcmp(row->def, "yes") == 0;
    ql_str_printf(out, "--%s%s", on ? "[no-]" : "", row->name);
    if (row->bare)
        ql_str_printf(out, "[=%s]", ql_opt_unit(row));
    else if (row->type != QL_OPT_FLAG)
        ql_str_printf(out, " %s", ql_opt_unit(row));
}

void ql_help_choices(const ql_option *row, ql_str *out)
{
    const char *name;
    if (row->type != QL_OPT_CHOICE) return;
    for (int i = 0; (name = ql_opt_choice(row, i)); i++)
        ql_str_printf(out, "%s%s", i ? ", " : "", name);
}

static void put_range(const ql_option *row, ql_str *out)
{
    const char *low = row->bits & QL_OPT_MIN_EXCLUDED ? "above" : "at least";
    const char *high = row->bits & QL_OPT_MAX_EXCLUDED ? "below" : "at most";
    if ((row->min == 0 && row->max == 0) || row->type == QL_OPT_BYTES) return;
    if (!isinf(row->min)) ql_str_printf(out, "%s %.15g", low, row->min);
    if (!isinf(row->min) && !isinf(row->max)) ql_str_puts(out, ", ");
    if (!isinf(row->max)) ql_str_printf(out, "%s %.15g", high, row->max);
}

void ql_help_facts(const ql_option *row, ql_str *out)
{
    ql_str range = {0};
    put_range(row, &range);
    if (row->type == QL_OPT_CHOICE) ql_str_puts(out, ": ");
    ql_help_choices(row, out);
    if (range.len) ql_str_printf(out, " (%s)", range.text);
    ql_str_free(&range);
}
