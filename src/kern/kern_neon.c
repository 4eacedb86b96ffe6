/* The kernels on 64-bit Arm. */
#include "vec_neon.h"

#include "kern_tables.h"

#define KERN_NAME  "neon"
#define KERN_TABLE ql_kern_neon
#include "kern_template.h"
