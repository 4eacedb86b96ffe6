#include "wording.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "quell/alloc.h"

ql_status ql_set_text(char **dst, const char *text, ql_err *err)
{
    char *copy = NULL;
    QL_TRY(ql_text_copy(text, &copy, err));
    ql_free(*dst);
    *dst = copy;
    return QL_OK;
}

void ql_note_duplicates(int64_t n, ql_notes *notes)
{
    if (n > 0)
        ql_note_add(notes, QL_NOTE_WARNING, "entries given more than once: %" PRId64 ", summed", n);
}

const char *ql_group_digits(int64_t n, ql_grouped buf)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRId64, n), at = 0;
    for (int i = 0; i < len; i++) {
        buf[at++] = digits[i];
        int left = len - 1 - i;
        if (left > 0 && left % 3 == 0 && digits[i] != '-') buf[at++] = ',';
    }
    buf[at] = '\0';
    return buf;
}

void ql_join_names(const ql_names *names, ql_str *out)
{
    for (int64_t i = 0; i < names->n; i++) {
        ql_str_puts(out, i ? ", " : "");
        ql_str_escape(out, ql_name(names, i), strlen(ql_name(names, i)));
    }
}

void ql_list_names(const ql_names *names, int64_t total, ql_str *out)
{
    ql_join_names(names, out);
    if (total > names->n) ql_str_printf(out, " and %" PRId64 " more", total - names->n);
    if (total == 0) ql_str_puts(out, "(none)");
}
