/* Status codes, the error record, and the exit code each status maps to.
 *
 * Every function that can fail returns a ql_status and describes the failure in a caller-owned
 * ql_err: one line that names file, dataset or line, index and value, and optionally a hint.
 * Nothing below src/cmd prints, and only main() exits. */
#ifndef QUELL_STATUS_H
#define QUELL_STATUS_H

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, exit code, meaning). The exit codes are chosen so that workflow engines retry only what a
 * retry can mend: 137, 143 and 130 are retried, 64 to 78 are not. */
#define QL_STATUS_MAP(X)                                                                           \
    X(OK, 0, "ok")                                                                                 \
    X(EUSAGE, 64, "wrong usage")                                                                   \
    X(EDATA, 65, "bad data")                                                                       \
    X(ENOINPUT, 66, "input missing or unreadable")                                                 \
    X(EINTERNAL, 70, "internal error")                                                             \
    X(ECREATE, 73, "output cannot be created")                                                     \
    X(EIO, 74, "input/output error")                                                               \
    X(EDIVERGED, 76, "training diverged")                                                          \
    X(EMISMATCH, 78, "model and data do not fit")                                                  \
    X(EINT, 130, "interrupted")                                                                    \
    X(EMEMORY, 137, "memory budget cannot be met")                                                 \
    X(ETERM, 143, "terminated")

typedef enum {
#define X(name, code, text) QL_##name,
    QL_STATUS_MAP(X)
#undef X
} ql_status;

typedef struct {
    ql_status code;
    char msg[1024];
    char hint[512]; /* empty when there is none */
} ql_err;

#if defined(__GNUC__)
#define QL_PRINTF(fmt_at, args_at) __attribute__((format(printf, fmt_at, args_at)))
#define QL_MUST_USE                __attribute__((warn_unused_result))
#else
#define QL_PRINTF(fmt_at, args_at)
#define QL_MUST_USE
#endif

/* Exit code and short text of a status. */
int ql_status_exit_code(ql_status status);
const char *ql_status_text(ql_status status);

/* Describe a failure and return its code, so that callers write `return ql_fail(...)`.
 * err may be NULL (the description is dropped). Overlong text is cut, never overflows. */
ql_status ql_fail(ql_err *err, ql_status code, const char *fmt, ...) QL_PRINTF(3, 4);

/* Add the sentence that says how to mend a failure of that code, and return the code. */
ql_status ql_hint(ql_err *err, ql_status code, const char *fmt, ...) QL_PRINTF(3, 4);

/* Put what this level knows (file, dataset) in front of the message: "context: message". */
ql_status ql_context(ql_err *err, ql_status code, const char *fmt, ...) QL_PRINTF(3, 4);

/* What they return, told to clang's analyzer, which sees one source file at a time. */
#ifdef __clang_analyzer__
#define ql_fail(err, code, ...)    ((void)ql_fail(err, code, __VA_ARGS__), code)
#define ql_hint(err, code, ...)    ((void)ql_hint(err, code, __VA_ARGS__), code)
#define ql_context(err, code, ...) ((void)ql_context(err, code, __VA_ARGS__), code)
#endif

/* Forward a failure to the caller. Use only where nothing needs cleaning up. */
#define QL_TRY(call)                                                                               \
    do {                                                                                           \
        ql_status ql_try_status_ = (call);                                                         \
        if (ql_try_status_ != QL_OK) return ql_try_status_;                                        \
    } while (0)

/* Forward a failure to the label `out` of a function that has `ql_status st`. */
#define QL_GO(call)                                                                                \
    do {                                                                                           \
        st = (call);                                                                               \
        if (st != QL_OK) goto out;                                                                 \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
