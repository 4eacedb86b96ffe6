#!/bin/sh
# Every public header compiles alone, in C and in C++; so does every private one, in C, but for the
# kernel templates, which are parts of the file that includes them.
#
#   CC=cc CXX=c++ FLAGS=... check-headers.sh [ROOT]
set -u

cd "${1:-.}" || exit 2
bad=0 n=0
warn='-Wall -Wextra -Werror -Iinclude'

compiles() { # command header
    # shellcheck disable=SC2086 # the command and the flags are lists
    printf '#include "%s"\nextern int ql_not_empty;\n' "$2" | $1 $warn ${FLAGS:-} -fsyntax-only - && return
    echo "$2: does not compile alone ($1)"
    bad=1
}

for header in include/quell/*.h; do
    compiles "${CC:-cc} -std=c11 -D_GNU_SOURCE -x c" "${header#include/}"
    n=$((n + 1))
done
if command -v "${CXX:-c++}" >/dev/null 2>&1; then
    for header in include/quell/*.h; do compiles "${CXX:-c++} -std=c++11 -x c++" "${header#include/}"; done
else
    echo "headers: no C++ compiler here, C only"
fi
for header in src/*/*.h src/*/*/*.h; do
    case $header in src/kern/kern_tables.h) ;; src/kern/*|'src/*/*.h'|'src/*/*/*.h') continue ;; esac
    compiles "${CC:-cc} -std=c11 -D_GNU_SOURCE -I. -I$(dirname "$header") -x c" "$header"
    n=$((n + 1))
done
[ "$bad" -eq 0 ] && echo "headers: $n compile alone"
exit "$bad"
