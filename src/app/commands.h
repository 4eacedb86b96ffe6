/* The registry of commands. */
#ifndef QL_APP_COMMANDS_H
#define QL_APP_COMMANDS_H

#include "quell/command.h"

extern const ql_command *const ql_commands[]; /* NULL-terminated, in the order of the help */

#endif
