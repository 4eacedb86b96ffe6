#!/bin/sh
# Functions that may not be called, and where the exceptions are.
#
#   check-banned.sh [ROOT]
set -u

lint=$(cd "$(dirname "$0")" && pwd)
cd "${1:-.}" || exit 2

find src include -name '*.[ch]' | sort | while read -r file; do
    awk -f "$lint/strip.awk" "$file" | awk -v file="$file" '
    BEGIN {
        # rule: functions | path that may (a pattern; empty: none) | why
        add("alloca sprintf vsprintf strcpy strcat stpcpy gets strtok", "", "cannot be bounded")
        add("atoi atol atoll atof", "", "does not report errors")
        add("rand srand random srandom drand48 lrand48", "", "use quell/rng.h")
        add("setjmp longjmp system popen tmpnam mktemp", "", "not in this program")
        # lzf.c: a filter hands HDF5 a block that HDF5 frees; folder.c: scandir allocates
        add("malloc calloc realloc aligned_alloc posix_memalign free strdup strndup", "^src/(base/alloc|io/hdf5/lzf|io/file/folder)\\.c$", "use quell/alloc.h")
        add("abort exit quick_exit", "^src/app/", "return a ql_status")
        add("printf puts putchar perror", "^src/(cmd|app)/", "only commands print")
    }
    function add(names, where, why,    list, n, i) {
        n = split(names, list, " ")
        for (i = 1; i <= n; i++) { reason[list[i]] = why; allowed[list[i]] = where }
    }
    {
        rest = $0
        while (match(rest, /[A-Za-z_][A-Za-z_0-9]*[ \t]*\(/)) {
            name = substr(rest, RSTART, RLENGTH)
            sub(/[ \t]*\($/, "", name)
            before = substr(rest, 1, RSTART - 1)
            rest = substr(rest, RSTART + RLENGTH)
            # a member called like a function (x->free()) and a number glued in front are no calls
            if (!(name in reason) || before ~ /(->|\.|[0-9])$/ || (allowed[name] != "" && file ~ allowed[name])) continue
            printf "%s:%d: %s: %s\n", file, NR, name, reason[name]
            bad = 1
        }
    }
    END { exit bad }' || echo 'found'
done | { out=$(cat); [ -z "$out" ] && echo 'banned functions: none' && exit 0; echo "$out" | grep -v '^found$'; exit 1; }
