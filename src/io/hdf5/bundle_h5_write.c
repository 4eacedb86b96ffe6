/* A bundle to HDF5. */
#include <stdlib.h>
#include <string.h>

#include "chunk_writer.h"
#include "h5_out.h"
#include "h5_result.h"
#include "quell/alloc.h"
#include "quell/bundle_h5.h"
#include "quell/interrupt.h"

enum { CHUNK_BYTES = 1 << 20 };

static hid_t memory_type(ql_elem elem)
{
    switch (elem) {
    case QL_ELEM_F32:
        return H5T_NATIVE_FLOAT;
    case QL_ELEM_F64:
        return H5T_NATIVE_DOUBLE;
    case QL_ELEM_I32:
        return H5T_NATIVE_INT32;
    case QL_ELEM_I64:
        return H5T_NATIVE_INT64;
    case QL_ELEM_U8:
        return H5T_NATIVE_UINT8;
    case QL_N_ELEMS:
        break;
    }
    return H5I_INVALID_HID;
}

static ql_status write_array(hid_t group, const char *name, const ql_entry *e,
                             const ql_bundle_write_options *opt, ql_err *err)
{
    int64_t row = e->n_cols * (int64_t)ql_elem_size(e->elem);
    int64_t rows = row > 0 && row < CHUNK_BYTES ? CHUNK_BYTES / row : 1;
    const ql_chunk_spec spec = {.parent = group,
                                .name = name,
                                .type = memory_type(e->elem),
                                .rank = e->rank,
                                .n_rows = e->n_rows,
                                .n_cols = e->n_cols,
                                .chunk_rows = rows,
                                .chunk_cols = e->n_cols,
                                .level = opt->deflate,
                                .threads = opt->threads};
    return ql_chunks_write(&spec, e->values, err);
}

static ql_status write_entry(hid_t group, const char *name, const ql_entry *e,
                             const ql_bundle_write_options *opt, ql_err *err)
{
    switch (e->kind) {
    case QL_ENTRY_INT:
        return ql_h5out_attr_number(group, name, H5T_NATIVE_INT64, &e->i, err);
    case QL_ENTRY_DOUBLE:
        return ql_h5out_attr_number(group, name, H5T_NATIVE_DOUBLE, &e->d, err);
    case QL_ENTRY_TEXT:
        return ql_h5out_attr_string(group, name, e->text, err);
    case QL_ENTRY_ARRAY:
        return write_array(group, name, e, opt, err);
    case QL_ENTRY_NAMES:
        return ql_h5out_strings(group, name, ql_entry_names(e), err);
    }
    return ql_fail(err, QL_EINTERNAL, "%s: unknown kind %d", name, (int)e->kind);
}

/* The group that a name is in: *out is file itself for one without a group. Groups above are made
 * as they are met. */
static ql_status open_group(hid_t file, const char *name, hid_t *out, const char **last,
                            ql_err *err)
{
    char step[QL_BUNDLE_NAME];
    hid_t at = file;
    const char *slash;
    while ((slash = strchr(name, '/')) != NULL) {
        hid_t next = -1;
        size_t n = (size_t)(slash - name);
        memcpy(step, name, n);
        step[n] = '\0';
        ql_status st = QL_OK;
        if (ql_h5out_exists(at, step))
            next = H5Gopen2(at, step, H5P_DEFAULT);
        else
            st = ql_h5out_group(at, step, NULL, NULL, &next, err);
        if (at != file) H5Gclose(at);
        if (st != QL_OK) return st;
        if (next < 0) return ql_fail(err, QL_EIO, "cannot write %s", step);
        at = next;
        name = slash + 1;
    }
    *out = at;
    *last = name;
    return QL_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const ql_entry *const *)a)->name, (*(const ql_entry *const *)b)->name);
}

static ql_status write_all(hid_t file, const ql_bundle *b, const ql_bundle_write_options *opt,
                           ql_err *err)
{
    const ql_entry **sorted = NULL;
    ql_status st;
    QL_TRY(QL_NEW(sorted, b->n, "the order of the entries", err));
    for (int i = 0; i < b->n; i++) sorted[i] = &b->entries[i];
    if (b->n > 1) qsort((void *)sorted, (size_t)b->n, sizeof *sorted, by_name);
    st = QL_OK;
    for (int i = 0; st == QL_OK && i < b->n; i++) {
        hid_t group = -1;
        const char *name = NULL;
        QL_GO(ql_interrupt_check(err));
        QL_GO(open_group(file, sorted[i]->name, &group, &name, err));
        st = write_entry(group, name, sorted[i], opt, err);
        if (group != file && st == QL_OK)
            st = ql_h5out_close(group, sorted[i]->name, err);
        else if (group != file)
            H5Gclose(group);
    }
out:
    ql_free((void *)sorted);
    return st;
}

ql_status ql_bundle_h5_write(const char *path, const ql_bundle *b,
                             const ql_bundle_write_options *opt, ql_err *err)
{
    ql_h5_result r;
    QL_TRY(ql_h5_result_begin(&r, path, opt->in_path, opt->force, err));
    return ql_h5_result_end(&r, write_all(r.file, b, opt, err), err);
}
