#include "quell/text_file.h"

#include "../file/out_file.h"
#include "text_input.h"

ql_status ql_text_file_write(const char *path, const char *in_path, bool force, const ql_str *text,
                             ql_err *err)
{
    ql_out_file file = {0};
    if (text->failed) return ql_fail(err, QL_EMEMORY, "%s: no memory for its text", path);
    QL_TRY(ql_out_begin(&file, path, in_path, force, err));
    ql_status st = ql_out_write(&file, ql_str_text(text), text->len, err);
    if (st == QL_OK) return ql_out_commit(&file, err);
    ql_out_abort(&file);
    return st;
}

ql_status ql_text_file_read(const char *path, int64_t most, ql_str *out, ql_err *err)
{
    const ql_status st = ql_text_slurp(path, most, out, err);
    return st == QL_OK ? st : ql_context(err, st, "%s", path);
}
