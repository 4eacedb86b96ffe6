/* How hard an output is compressed. Private to src/io. */
#ifndef QUELL_IO_OUT_LEVEL_H
#define QUELL_IO_OUT_LEVEL_H

#include "quell/out_format.h"

/* opt->deflate, or the format's own level. */
static inline int ql_out_level(const ql_out_options *opt, int own)
{
    return opt->deflate < 0 ? own : opt->deflate;
}

/* The same for what is gzip in any case. */
static inline int ql_out_gzip_level(const ql_out_options *opt)
{
    enum { OWN = 6 }; /* gzip's */
    return opt->deflate > 0 ? opt->deflate : OWN;
}

#endif
