/* The kernels in plain C: the reference the others are compared with, bit for bit. */
#include "vec_scalar.h"

#include "kern_tables.h"

#define KERN_NAME  "scalar"
#define KERN_TABLE ql_kern_scalar
#include "kern_template.h"
