/* The tables that are compiled, one per file kern_<isa>.c. Private to src/kern. */
#ifndef QUELL_KERN_TABLES_H
#define QUELL_KERN_TABLES_H

#include "quell/kern.h"

extern const ql_kern ql_kern_scalar;
#if defined(__x86_64__) && !defined(QL_REAL_IS_DOUBLE)
extern const ql_kern ql_kern_avx2;
extern const ql_kern ql_kern_avx512;
#endif
#if defined(__aarch64__) && !defined(QL_REAL_IS_DOUBLE)
extern const ql_kern ql_kern_neon;
#endif

#endif
