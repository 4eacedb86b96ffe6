/* The kernels on AVX-512 (F, DQ, BW, VL). */
#include "vec_avx512.h"

#include "kern_tables.h"

#define KERN_NAME  "avx512"
#define KERN_TABLE ql_kern_avx512
#include "kern_template.h"
