#!/bin/sh
# No function over 80 lines, no file over 800.
#
#   check-sizes.sh [ROOT]
set -u

lint=$(cd "$(dirname "$0")" && pwd)
cd "${1:-.}" || exit 2

find src include tests -name '*.[ch]' | sort | while read -r file; do
    awk -f "$lint/strip.awk" "$file" | awk -v file="$file" '
    # a function starts at a line of its own "{", or at "name(...) {", in the first column
    /^\{/ || /^[A-Za-z_].*\)[ \t]*\{[ \t]*$/ { start = NR }
    /^\}/ {
        if (start && NR - start + 1 > 80) printf "%s:%d: function of %d lines (80 at most)\n", file, start, NR - start + 1
        start = 0
    }
    END { if (NR > 800) printf "%s:1: file of %d lines (800 at most)\n", file, NR }'
done | { out=$(cat); [ -z "$out" ] && echo 'sizes: no function over 80 lines, no file over 800' && exit 0; echo "$out"; exit 1; }
