/* The kernels on AVX2 with FMA; compiled with -mavx2 -mfma. */
#include "vec_avx2.h"

#include "kern_tables.h"

#define KERN_NAME  "avx2"
#define KERN_TABLE ql_kern_avx2
#include "kern_template.h"
