/* quell: entry point. */
#include <errno.h>
#include <stdio.h>

#include "commands.h"
#include "quell/interrupt.h"
#include "quell/kern.h"

/* A disk that fills up may show only when the stream is closed. */
static int close_output(int code)
{
    if (fclose(stdout) == 0 || code != 0 || errno == EBADF) return code; /* EBADF: none was given */
    fputs("quell: standard output could not be written\n", stderr);
    return ql_status_exit_code(QL_EIO);
}

int main(int argc, char **argv)
{
    ql_interrupt_install();
    return close_output(ql_dispatch(argc, argv, ql_commands, ql_kern_isa_name()));
}
