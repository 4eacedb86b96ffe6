#include "mqc_args.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../input/sample_names.h"
#include "quell/utf8.h"

enum { LONGEST = 200 };

#define S mqc_args
/* clang-format off */
const ql_option mqc_rows[] = {
    {.name = "mqc", QL_STRING_AT(S, dir), .unit = "DIR", .group = "Output", .bits = QL_OPT_VOLATILE,
     .help = "also write files that MultiQC shows, into DIR",
     .more = "SAMPLE.quell_*_mqc.json (docs/multiqc.md); those of an earlier run are replaced."},
    {.name = "sample-id", QL_STRING_AT(S, sample_id), .unit = "NAME", .group = "Output",
     .bits = QL_OPT_VOLATILE, .unset = "by the name of the first input",
     .help = "what the sample is called in these files"},
    {.name = NULL},
};
/* clang-format on */
#undef S

static bool can_name_a_file(const char *name)
{
    const size_t n = strlen(name);
    if (n == 0 || n > LONGEST || *name == '.' || strchr(name, '/')) return false;
    for (size_t i = 0, len; i < n; i += len) {
        uint32_t code;
        len = ql_utf8_char(name + i, n - i, &code);
        if (len == 0 || ql_utf8_unsafe(code)) return false;
    }
    return true;
}

ql_status mqc_sample(const mqc_args *a, const ql_run *run, ql_str *out, ql_err *err)
{
    ql_names names = {0};
    if (a->sample_id) {
        ql_str_puts(out, a->sample_id);
    } else {
        QL_TRY(ql_sample_names(run->args, 1, NULL, &names, err));
        ql_str_puts(out, ql_name(&names, 0));
        ql_names_free(&names);
    }
    return out->failed ? ql_fail(err, QL_EMEMORY, "no memory for the name of the sample") : QL_OK;
}

static ql_status check_folder(const char *dir, ql_err *err)
{
    struct stat info;
    if (stat(dir, &info) == 0 && !S_ISDIR(info.st_mode))
        return ql_fail(err, QL_ECREATE, "--mqc %s: is no folder", dir);
    if (mkdir(dir, 0777) == 0) {
        rmdir(dir); /* it could be made, and will be */
        return QL_OK;
    }
    if (errno != EEXIST) return ql_fail(err, QL_ECREATE, "--mqc %s: %s", dir, strerror(errno));
    if (access(dir, W_OK) == 0) return QL_OK;
    return ql_fail(err, QL_ECREATE, "--mqc %s: %s", dir, strerror(errno));
}

ql_status mqc_check(const mqc_args *a, ql_run *run)
{
    ql_str name = {0};
    if (!a->dir)
        return a->sample_id ? ql_fail(&run->err, QL_EUSAGE, "--sample-id is of use with --mqc only")
                            : QL_OK;
    ql_status st = mqc_sample(a, run, &name, &run->err);
    if (st == QL_OK && !can_name_a_file(ql_str_text(&name)))
        st = ql_fail(&run->err, QL_EUSAGE, "--sample-id: '%s' cannot be part of a file's name",
                     ql_str_text(&name));
    ql_str_free(&name);
    return st == QL_OK ? check_folder(a->dir, &run->err) : st;
}
