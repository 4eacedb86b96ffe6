/* What the output formats share. Private to src/io. */
#ifndef QUELL_IO_OUT_FORMATS_H
#define QUELL_IO_OUT_FORMATS_H

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

/* The text column of the genes of this name, or NULL. */
const ql_names *ql_out_gene_text(const ql_dataset *ds, const char *column);

#endif
