/* What readers say alike: numbers, lists of names, duplicates. Private to src/io. */
#ifndef QUELL_IO_WORDING_H
#define QUELL_IO_WORDING_H

#include "quell/names.h"
#include "quell/notes.h"
#include "quell/strbuf.h"

/* Replace *dst (owned) by a copy of text. */
QL_MUST_USE ql_status ql_set_text(char **dst, const char *text, ql_err *err);

/* Note that n stored entries were duplicates and have been summed; nothing for 0. */
void ql_note_duplicates(int64_t n, ql_notes *notes);

/* "2,638" into buf, which is returned. */
typedef char ql_grouped[32];
const char *ql_group_digits(int64_t n, ql_grouped buf);

/* Append "a, b, c", escaped. */
void ql_join_names(const ql_names *names, ql_str *out);

/* Append "a, b, c and 4 more"; total: how many there are. "(none)" for none. */
void ql_list_names(const ql_names *names, int64_t total, ql_str *out);

#endif
