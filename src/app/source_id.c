/* Where the source is from, as tools/source-id.sh found it when the program was built. */
#include "quell/command.h"

#ifndef QL_SOURCE_ID
#define QL_SOURCE_ID "unknown"
#endif

const char *const ql_source_id = QL_SOURCE_ID;
