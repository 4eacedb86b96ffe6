#!/bin/sh
# Run cmocka programs, one line each; a failing one's output is shown whole.
#
#   run-unit.sh RESULT PROGRAM...
#
# RESULT gets the counts "passed failed skipped", RESULT.skipped the names of the skipped tests.
set -u

result=$1
shift
mkdir -p "$(dirname "$result")"
: > "$result.skipped"
passed=0 failed=0 skipped=0
limit=$(command -v timeout >/dev/null 2>&1 && echo 'timeout 600')

# "passed failed skipped" of one log. A program that ended without its closing lines counts as one
# failure, as does one that ran no test.
count() { # log exit-code
    awk -v code="$2" '
        /^\[  PASSED  \] [0-9]+ test/ { passed += $4 }
        /^\[  FAILED  \] [0-9]+ test/ { failed += $4 }
        /^\[  SKIPPED \] [0-9]+ test/ { skipped += $4 }
        END {
            if (!failed && (code != 0 || passed + skipped == 0)) failed = 1
            print passed + 0, failed + 0, skipped + 0
        }' "$1"
}

for program in "$@"; do
    name=$(basename "$program") log=$program.log
    # shellcheck disable=SC2086 # may be empty
    $limit "$program" > "$log" 2>&1 < /dev/null
    code=$?
    # shellcheck disable=SC2046 # three numbers
    set -- $(count "$log" $code)
    passed=$((passed + $1)) failed=$((failed + $2)) skipped=$((skipped + $3))
    printf '%-28s %3d passed%s%s\n' "$name" "$1" \
        "$([ "$2" -eq 0 ] || echo ", $2 FAILED (exit $code)")" "$([ "$3" -eq 0 ] || echo ", $3 skipped")"
    [ "$2" -eq 0 ] || cat "$log"
    sed -n 's/^\[  SKIPPED \] \([A-Za-z_].*\)/\1/p' "$log" | sort -u | sed "s/^/$name: /" >> "$result.skipped"
done

echo "$passed $failed $skipped" > "$result"
echo "unit tests: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
