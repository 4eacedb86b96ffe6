/* A ql_csr where a ql_rows is wanted. */
#ifndef FIXTURE_ROWS_H
#define FIXTURE_ROWS_H

#include "quell/rows.h"

/* Lives as long as the block it is in. */
#define ROWS_OF(m) (&(ql_rows[]){ql_rows_of_csr(m)}[0])

#endif
