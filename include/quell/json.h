/* JSON writer on a ql_str: commas and nesting are kept by the writer, strings are escaped, numbers
 * are printed so that they read back exactly (NaN and infinities become null). Zero-initialise, set
 * out. The text is valid UTF-8 (bytes that are none become U+FFFD) and safe inside an HTML script
 * element. An allocation failure shows in out->failed. */
#ifndef QUELL_JSON_H
#define QUELL_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/strbuf.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    ql_str *out; /* borrowed */
    bool need_comma;
} ql_json;

/* key is NULL inside an array and at the top. */
void ql_json_begin_object(ql_json *j, const char *key);
void ql_json_end_object(ql_json *j);
void ql_json_begin_array(ql_json *j, const char *key);
void ql_json_end_array(ql_json *j);
void ql_json_string(ql_json *j, const char *key, const char *value); /* NULL value: null */
void ql_json_int(ql_json *j, const char *key, int64_t value);
void ql_json_double(ql_json *j, const char *key, double value);
void ql_json_bool(ql_json *j, const char *key, bool value);

#ifdef __cplusplus
}
#endif
#endif
