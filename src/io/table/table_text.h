/* Lines and fields of text tables. Private to src/io. */
#ifndef QUELL_IO_TABLE_TEXT_H
#define QUELL_IO_TABLE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quell/strbuf.h"

/* The delimiter that stands for runs of blanks. */
#define QL_BLANKS ' '

/* What stands between the delimiters or quotes; borrowed from the text. */
typedef struct {
    const char *s;
    size_t n;
    char quote; /* the quote that was around it, or 0; doubled inside it means one */
} ql_field;

/* Fields of one line, one by one. */
typedef struct {
    const char *s, *end;
    char delim;
    bool more;     /* there is another field, which may be empty */
    bool unclosed; /* a quote was opened and not closed */
} ql_fields;

/* The next line of [*at, end) without its end, "\n" or "\r\n"; *n is its length. NULL at the end.
 */
const char *ql_next_line(const char **at, const char *end, size_t *n);

bool ql_is_blank_line(const char *line, size_t n);

ql_fields ql_fields_of(const char *line, size_t n, char delim);
bool ql_next_field(ql_fields *r, ql_field *f);
int64_t ql_count_fields(const char *line, size_t n, char delim);

/* The field is text, in any case of letters. */
bool ql_field_is(const ql_field *f, const char *text);
bool ql_field_is_number(const ql_field *f);

/* *text = the field without doubled quotes: its own bytes, or buf's. Returns the length. */
size_t ql_field_text(const ql_field *f, ql_str *buf, const char **text);

#endif
