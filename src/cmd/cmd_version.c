/* quell version: how this program was built. */
#include <string.h>

#include "quell/command.h"
#include "quell/json.h"
#include "quell/kern.h"
#include "quell/libraries.h"
#include "quell/with_igraph.h"

typedef struct {
    ql_common_args common;
    bool json;
} version_args;

static const ql_option version_rows[] = {
    {.name = "json",
     QL_FLAG_AT(version_args, json),
     .group = "Output",
     .help = "print one JSON object"},
    {.name = NULL},
};

static const ql_opt_table version_tables[] = {{version_rows, 0}, {NULL, 0}};

#if defined(__clang__)
static const char *const compiler = "clang " __clang_version__;
#elif defined(__GNUC__)
static const char *const compiler = "gcc " __VERSION__;
#else
static const char *const compiler = "unknown";
#endif

/* The program has the strong one (src/app/source_id.c): tests are not linked anew for a commit. */
__attribute__((weak)) const char *const ql_source_id = "unknown";

#if defined(__SANITIZE_ADDRESS__)
static const char *const build_type = "sanitized";
#elif defined(__OPTIMIZE__)
static const char *const build_type = "release";
#else
static const char *const build_type = "debug";
#endif

#ifdef QL_STATIC
static const char *const linking = "static";
#else
static const char *const linking = "dynamic";
#endif

#if defined(__x86_64__)
static const char *const processor = "x86_64";
#elif defined(__aarch64__)
static const char *const processor = "aarch64";
#else
static const char *const processor = "other";
#endif

/* Instructions that --precision bf16 would use. */
static const char *bf16_name(void)
{
    const ql_kern *kern = ql_kern_find(ql_kern_isa_name());
    ql_kern bf16;
    const char *how = NULL;
    return kern && ql_kern_bf16(kern, &bf16, &how) ? how : "none";
}

/* What the build was told, in the order it is printed. */
static const struct {
    const char *name;
    const char *const *value;
} facts[] = {{"source", &ql_source_id},
             {"build", &build_type},
             {"linking", &linking},
             {"compiler", &compiler},
             {"processor", &processor}};
enum { N_FACTS = sizeof facts / sizeof *facts };

static void as_text(ql_str *out)
{
    ql_library lib[QL_MAX_LIBRARIES];
    int n_lib = ql_libraries(lib);
    ql_str_printf(out, "quell %s\n", QL_VERSION);
    for (int i = 0; i < N_FACTS; i++)
        ql_str_printf(out, "%-12s %s\n", facts[i].name, *facts[i].value);
    ql_str_printf(out, "%-12s %s (of", "SIMD path", ql_kern_isa_name());
    for (int i = 0; ql_kern_built(i); i++) ql_str_printf(out, " %s", ql_kern_built(i));
    ql_str_printf(out, ")\n%-12s %s\n", "bfloat16", bf16_name());
    for (int i = 0; i < n_lib; i++) ql_str_printf(out, "%-12s %s\n", lib[i].name, lib[i].version);
    if (*ql_igraph_version()) ql_str_printf(out, "%-12s %s\n", "igraph", ql_igraph_version());
}

static void as_json(ql_str *out)
{
    ql_library lib[QL_MAX_LIBRARIES];
    int n_lib = ql_libraries(lib);
    ql_json j = {.out = out};
    ql_json_begin_object(&j, NULL);
    ql_json_string(&j, "version", QL_VERSION);
    for (int i = 0; i < N_FACTS; i++) ql_json_string(&j, facts[i].name, *facts[i].value);
    ql_json_string(&j, "simd", ql_kern_isa_name());
    ql_json_begin_array(&j, "simd_built");
    for (int i = 0; ql_kern_built(i); i++) ql_json_string(&j, NULL, ql_kern_built(i));
    ql_json_end_array(&j);
    ql_json_string(&j, "bfloat16", bf16_name());
    ql_json_begin_object(&j, "libraries");
    for (int i = 0; i < n_lib; i++) ql_json_string(&j, lib[i].name, lib[i].version);
    if (*ql_igraph_version()) ql_json_string(&j, "igraph", ql_igraph_version());
    ql_json_end_object(&j);
    ql_json_end_object(&j);
    ql_str_puts(out, "\n");
}

static ql_status version_run(const void *args, ql_run *run)
{
    const version_args *a = args;
    const ql_kern *kern;
    ql_str text = {0};
    QL_TRY(ql_kern_select(&kern, &run->err)); /* QUELL_ISA may be wrong */
    (a->json ? as_json : as_text)(&text);
    fputs(ql_str_text(&text), run->out);
    bool failed = text.failed;
    ql_str_free(&text);
    return failed ? ql_fail(&run->err, QL_EMEMORY, "no memory for the report") : QL_OK;
}

const ql_command ql_cmd_version = {
    .name = "version",
    .group = "About",
    .summary = "describe this build: compiler, libraries, SIMD path",
    .examples = {{"quell version", "the build report, for people"},
                 {"quell version --json", "the same for programs"}},
    .tables = version_tables,
    QL_ARGS(version_args),
    .bits = QL_CMD_PLAIN,
    .run = version_run,
};
