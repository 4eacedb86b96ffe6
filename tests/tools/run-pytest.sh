#!/bin/sh
# Run pytest in a virtual environment that `make deps` made.
#
#   run-pytest.sh RESULT FOLDER TESTS...
#
# With JOBS=N and pytest-xdist in the environment N tests run side by side, 8 at most, with one thread
# each where a test does not say how many.
# RESULT gets the counts "passed failed skipped", RESULT.skipped why tests were skipped. An
# environment that could not be made is a line and counts as one skipped test.
set -u

result=$1 venv=$2
shift 2
mkdir -p "$(dirname "$result")"
: > "$result.skipped"
if [ ! -f "$venv/made-from.txt" ]; then
    echo "skipped: $* ($venv is not there: make deps)"
    echo "0 0 1" > "$result"
    echo "$venv is not there" > "$result.skipped"
    exit 0
fi

side_by_side= jobs=${JOBS:-1}
[ "$jobs" -le 8 ] || jobs=8
if [ "$jobs" -gt 1 ] && "$venv/bin/python" -c 'import xdist' 2>/dev/null; then
    side_by_side="-n $jobs --dist loadgroup"
    export QUELL_THREADS=1 OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 OMP_WAIT_POLICY=passive
fi

# Compiled once for all runs, and kept out of the sources.
PYTHONPYCACHEPREFIX=$(cd "$(dirname "$venv")" && pwd)/pycache
export PYTHONPYCACHEPREFIX

# shellcheck disable=SC2086 # options, or none
{ "$venv/bin/python" -m pytest $side_by_side -c tests/python/pytest.ini -rs "$@"; echo "exit $?"; } 2>&1 < /dev/null |
    tee "$result.log" | sed '/^exit [0-9]*$/d'
code=$(sed -n 's/^exit \([0-9]*\)$/\1/p' "$result.log" | tail -n 1)
sed -n 's/^SKIPPED //p' "$result.log" > "$result.skipped"

# pytest's closing line: "1 failed, 12 passed, 2 skipped in 3.1s"; exit code 5: no test found
awk -v code="$code" '
    / in [0-9.]+s/ { line = $0 }
    function before(words,    part, n, i) {
        n = split(line, part, /[ ,]+/)
        for (i = 2; i <= n; i++) if (part[i] ~ words) return part[i - 1]
        return 0
    }
    END {
        failed = before("^failed$") + before("^errors?$")
        if (!failed && code != 0) failed = 1
        print before("^passed$") + 0, failed + 0, before("^skipped$") + 0
    }' "$result.log" > "$result"
read -r _ failed _ < "$result"
[ "$failed" -eq 0 ]
