/* Fields of text tables: names quoted where they must be, numbers in their shortest form. Private
 * to src/io. */
#ifndef QUELL_IO_TEXT_FIELD_H
#define QUELL_IO_TEXT_FIELD_H

#include <stddef.h>
#include <stdint.h>

/* Most bytes that ql_field_put takes for text; most bytes of a number. */
size_t ql_field_room(const char *text);
enum { QL_NUMBER_ROOM = 32 };

/* text as a field of a table with this delimiter: in double quotes, those inside doubled, only when
 * it holds the delimiter, a quote, CR or LF. Returns the bytes written, no terminator. */
size_t ql_field_put(char *out, const char *text, char delimiter);

/* A count: whole numbers without a point, others as the fewest digits that read back the same. */
size_t ql_number_count(char *out, float x);

/* A floating-point value, with a point or an exponent always, so that a reader sees its kind;
 * nothing for NaN. */
size_t ql_number_f32(char *out, float x);
size_t ql_number_f64(char *out, double x);
size_t ql_number_i64(char *out, int64_t x);

#endif
