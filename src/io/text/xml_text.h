/* Character references in names: Cell Ranger writes what is not ASCII as "&#294;". Private to
 * src/io. */
#ifndef QUELL_IO_XML_TEXT_H
#define QUELL_IO_XML_TEXT_H

#include "quell/names.h"

/* Decode &#N; and &#xN; in all names to UTF-8. */
QL_MUST_USE ql_status ql_xml_decode_names(ql_names *names, ql_err *err);

/* The reverse, appended to out: pure ASCII that decodes to the names, references included. */
QL_MUST_USE ql_status ql_xml_encode_names(const ql_names *names, ql_names *out, ql_err *err);

#endif
