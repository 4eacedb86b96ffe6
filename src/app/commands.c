/* The registry: one line per command, in the order of the help. */
#include "commands.h"

#define COMMANDS(X)                                                                                \
    X(denoise)                                                                                     \
    X(embed)                                                                                       \
    X(tune)                                                                                        \
    X(train)                                                                                       \
    X(apply)                                                                                       \
    X(check)                                                                                       \
    X(merge)                                                                                       \
    X(sample)                                                                                      \
    X(interpolate)                                                                                 \
    X(arithmetic)                                                                                  \
    X(score)                                                                                       \
    X(de)                                                                                          \
    X(impute)                                                                                      \
    X(neighbors)                                                                                   \
    X(cluster)                                                                                     \
    X(layout)                                                                                      \
    X(query)                                                                                       \
    X(compare)                                                                                     \
    X(pseudotime)                                                                                  \
    X(classify)                                                                                    \
    X(report)                                                                                      \
    X(info)                                                                                        \
    X(convert)                                                                                     \
    X(help)                                                                                        \
    X(version)

#define X(name) extern const ql_command ql_cmd_##name;
COMMANDS(X)
#undef X

#define X(name) &ql_cmd_##name,
const ql_command *const ql_commands[] = {COMMANDS(X) NULL};
#undef X
