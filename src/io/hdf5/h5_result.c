#include "h5_result.h"

#include <math.h>
#include <string.h>

#include "h5_error.h"
#include "h5_out.h"

ql_status ql_h5_result_begin(ql_h5_result *r, const char *path, const char *in_path, bool force,
                             ql_err *err)
{
    *r = (ql_h5_result){.file = H5I_INVALID_HID};
    ql_h5_init();
    QL_TRY(ql_out_begin(&r->out, path, in_path, force, err));
    ql_status st = ql_h5out_create_plain(r->out.tmp, &r->file, err);
    return st == QL_OK ? QL_OK : ql_h5_result_end(r, st, err);
}

ql_status ql_h5_result_end(ql_h5_result *r, ql_status st, ql_err *err)
{
    if (st == QL_OK) {
        st = ql_h5out_close_file(r->file, err);
    } else if (r->file >= 0) {
        H5Fclose(r->file);
        H5Eclear2(H5E_DEFAULT);
    }
    r->file = H5I_INVALID_HID;
    if (st == QL_OK) return ql_out_commit(&r->out, err);
    if (st != QL_EINT && st != QL_ETERM) ql_context(err, st, "%s", r->out.path);
    ql_out_abort(&r->out);
    return st;
}

ql_status ql_h5_empty_group(hid_t parent, const char *name, ql_err *err)
{
    hid_t group = -1;
    QL_TRY(ql_h5out_group(parent, name, NULL, NULL, &group, err));
    return ql_h5out_close(group, name, err);
}

hid_t ql_h5_count_type(const ql_csr *m)
{
    float most = 0;
    bool whole = true;
    for (int64_t k = 0; k < ql_csr_nnz(m); k++) {
        float size = fabsf(m->data[k]);
        if (size > most) most = size;
        whole = whole && size == floorf(size);
    }
    return whole && most < 2147483648.0f ? H5T_NATIVE_INT32 : H5T_NATIVE_FLOAT;
}

void ql_h5_convert_counts(hid_t type, const float *values, int64_t n, void *out)
{
    if (type == H5T_NATIVE_INT32) {
        int32_t *to = out;
        for (int64_t i = 0; i < n; i++) to[i] = (int32_t)values[i];
    } else {
        memcpy(out, values, (size_t)n * sizeof *values);
    }
}
