#!/bin/sh
# Run cmocka programs, JOBS at a time, a line each as they end; failing ones' output is shown whole.
#
#   run-unit.sh RESULT PROGRAM...
#
# RESULT gets the counts "passed failed skipped", RESULT.skipped the names of the skipped tests.
set -u

# Counts of one log, "passed failed skipped". A program that ended without its closing lines counts as
# one failure, as does one that ran no test.
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

run_one() { # program: leaves PROGRAM.log and PROGRAM.counts
    program=$1 log=$1.log
    limit=$(command -v timeout >/dev/null 2>&1 && echo 'timeout 600')
    # shellcheck disable=SC2086 # may be empty
    $limit "$program" > "$log" 2>&1 < /dev/null
    code=$?
    # shellcheck disable=SC2046 # three numbers
    set -- $(count "$log" $code)
    echo "$1 $2 $3" > "$program.counts"
    printf '%-28s %3d passed%s%s\n' "$(basename "$program")" "$1" \
        "$([ "$2" -eq 0 ] || echo ", $2 FAILED (exit $code)")" "$([ "$3" -eq 0 ] || echo ", $3 skipped")"
}

if [ "$1" = --one ]; then
    run_one "$2"
    exit 0
fi

result=$1
shift
mkdir -p "$(dirname "$result")"
: > "$result.skipped"
for program in "$@"; do rm -f "$program.counts" "$program.log"; done

# Side by side, a thread that waits must not take the other program's processor.
printf '%s\n' "$@" | OMP_WAIT_POLICY=passive xargs -n 1 -P "${JOBS:-1}" sh "$0" --one

passed=0 failed=0 skipped=0
for program in "$@"; do
    read -r p f s < "$program.counts" || { p=0 f=1 s=0; }
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    [ "$f" -eq 0 ] || { echo "--- $program"; cat "$program.log"; }
    sed -n 's/^\[  SKIPPED \] \([A-Za-z_].*\)/\1/p' "$program.log" | sort -u |
        sed "s/^/$(basename "$program"): /" >> "$result.skipped"
done

echo "$passed $failed $skipped" > "$result"
echo "unit tests: $passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
