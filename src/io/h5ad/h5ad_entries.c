#include "h5ad_entries.h"

/* At least level 1, whatever was asked for layers: counts and their indices deflate well. */
ql_chunk_spec ql_h5ad_entries(hid_t group, const char *name, hid_t type, int64_t n,
                              const ql_write_options *opt)
{
    return ql_chunk_list(group, name, type, n, QL_SPARSE_CHUNK, opt->deflate > 1 ? opt->deflate : 1,
                         opt->threads);
}

ql_status ql_h5ad_write_entries(hid_t group, const char *name, hid_t type, int64_t n,
                                const void *values, const ql_write_options *opt, ql_err *err)
{
    const ql_chunk_spec spec = ql_h5ad_entries(group, name, type, n, opt);
    return ql_chunks_write(&spec, values, err);
}
