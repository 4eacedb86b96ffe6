#!/bin/sh
# Run a test script whose last line of the form "N passed, N failed[, N skipped]" tells its counts.
#
#   run-script.sh RESULT COMMAND...
set -u

result=$1
shift
mkdir -p "$(dirname "$result")"
{ "$@"; echo "exit $?"; } 2>&1 < /dev/null | tee "$result.log" | sed '/^exit [0-9]*$/d'
sed -n 's/^exit \([0-9]*\)$/\1/p' "$result.log" | tail -n 1 > "$result.code"
code=$(cat "$result.code")

awk -v code="$code" '
    /[0-9]+ passed, [0-9]+ failed/ { line = $0 }
    function before(word,    part, n, i) {
        n = split(line, part, /[ ,]+/)
        for (i = 2; i <= n; i++) if (part[i] == word) return part[i - 1]
        return 0
    }
    END {
        failed = before("failed")
        if (!failed && (code != 0 || before("passed") == 0)) failed = 1
        print before("passed") + 0, failed + 0, before("skipped") + 0
    }' "$result.log" > "$result"
read -r _ failed _ < "$result"
[ "$failed" -eq 0 ]
