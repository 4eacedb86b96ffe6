#!/bin/sh
# Golden tests of the command line.
#
#   run.sh [--update] [NAME...]
#
# A case is tests/cli/cases/NAME.cmd, a shell script that is run in an empty folder with $QUELL (the
# program) and $ROOT (the checkout). What it must write lies beside it: NAME.out and NAME.err (absent:
# nothing), NAME.exit (absent: 0). A line of these is compared as it is; "~ PATTERN" is a shell
# pattern for one line, "~~" stands for any number of lines. A script that exits with 77 is skipped.
# --update rewrites what differs, keeping the "~" lines that still match. The last line tells the counts.
# JOBS cases run side by side.
set -u

here=$(cd "$(dirname "$0")" && pwd)
ROOT=$(cd "$here/../.." && pwd)
QUELL=${QUELL:-$ROOT/build/quell}
case $QUELL in /*) ;; *) QUELL=$PWD/$QUELL ;; esac
export ROOT QUELL

update=
[ "${1:-}" = --update ] && { update=1; shift; }
[ -x "$QUELL" ] || { echo "run.sh: $QUELL is no program; set QUELL" >&2; exit 2; }

# Nothing of the caller's environment may change what a case sees.
for name in $(env | sed -n 's/^\(QUELL_[A-Z_]*\|SLURM_[A-Z_]*\|OMP_[A-Z_]*\)=.*/\1/p'); do
    unset "$name"
done
LC_ALL=C TERM=dumb
export LC_ALL TERM

scratch=$(mktemp -d "${TMPDIR:-/tmp}/quell-cli.XXXXXX") || exit 2
trap 'rm -rf "$scratch"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM


# line_matches EXPECTED ACTUAL
line_matches() {
    case $1 in
    "~ "*)
        # shellcheck disable=SC2254
        case $2 in ${1#\~ }) return 0 ;; esac
        return 1 ;;
    esac
    [ "$1" = "$2" ]
}

# next_line: a line of the actual text (descriptor 4) into $actual
next_line() {
    IFS= read -r actual <&4 || [ -n "$actual" ]
}

# same_text EXPECTED-FILE ACTUAL-FILE
same_text() {
    [ -f "$1" ] || { [ ! -s "$2" ]; return; }
    cmp -s "$1" "$2" && return 0
    exec 3< "$1" 4< "$2"
    skipping= verdict=0
    while IFS= read -r wanted <&3; do
        if [ "$wanted" = "~~" ]; then
            skipping=1
            continue
        fi
        while :; do
            next_line || { verdict=1; break 2; }
            line_matches "$wanted" "$actual" && break
            [ "$skipping" ] || { verdict=1; break 2; }
        done
        skipping=
    done
    [ "$verdict" = 0 ] && [ ! "$skipping" ] && next_line && verdict=1
    exec 3<&- 4<&-
    return "$verdict"
}

# pattern_for LINE FILE: the first pattern of FILE that fits LINE, or LINE itself
pattern_for() {
    [ -f "$2" ] || { printf '%s\n' "$1"; return; }
    while IFS= read -r wanted; do
        case $wanted in
        "~ "*) line_matches "$wanted" "$1" && { printf '%s\n' "$wanted"; return; } ;;
        esac
    done < "$2"
    printf '%s\n' "$1"
}

# rewrite EXPECTED-FILE ACTUAL-FILE
rewrite() {
    same_text "$1" "$2" && return
    while IFS= read -r line || [ -n "$line" ]; do pattern_for "$line" "$1"; done < "$2" > "$scratch/new"
    if [ -s "$scratch/new" ]; then mv "$scratch/new" "$1"; else rm -f "$1"; fi
}

# explain WHAT EXPECTED-FILE ACTUAL-FILE
explain() {
    same_text "$2" "$3" && return
    if [ -f "$2" ]; then wanted=$2; else wanted=/dev/null; fi
    echo "  $1 differs:"
    diff "$wanted" "$3" | sed 's/^/    /'
}

# run_case CMD-FILE: leaves out, err, exit in $scratch
run_case() {
    rm -rf "$scratch/work" && mkdir "$scratch/work"
    (cd "$scratch/work" && sh -u "$1") > "$scratch/out" 2> "$scratch/err" < /dev/null
    echo $? > "$scratch/exit"
    chmod -R u+rwx "$scratch/work"
}

# side_by_side NAME...: as many runs of this script as JOBS says, each with its share of the cases
side_by_side() {
    parts=$JOBS part=0
    while [ "$part" -lt "$parts" ]; do
        names=$(printf '%s\n' "$@" | awk -v n="$parts" -v part="$part" 'NR % n == part')
        # shellcheck disable=SC2086 # a list of names
        JOBS=1 sh "$0" $names > "$scratch/part$part" 2>&1 &
        part=$((part + 1))
    done
    wait
    cat "$scratch"/part* | awk -v parts="$parts" '
        /^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { passed += $1; failed += $3; skipped += $5; ended++; next }
        { print }
        END {
            printf "%d passed, %d failed, %d skipped\n", passed, failed + (parts - ended), skipped
            exit failed > 0 || ended < parts
        }'
}

[ $# -gt 0 ] || set -- $(cd "$here/cases" && ls | sed -n 's/\.cmd$//p')
if [ "${JOBS:-1}" -gt 1 ] && [ $# -ge "$JOBS" ] && [ ! "$update" ]; then
    side_by_side "$@"
    exit
fi

passed=0 failed=0 skipped=0
for name in "$@"; do
    case_=$here/cases/$name
    run_case "$case_.cmd"
    code=$(cat "$scratch/exit")
    wanted_code=$(cat "$case_.exit" 2> /dev/null || echo 0)
    if [ "$code" = 77 ]; then
        skipped=$((skipped + 1))
    elif [ "$code" = "$wanted_code" ] && same_text "$case_.out" "$scratch/out" &&
        same_text "$case_.err" "$scratch/err"; then
        passed=$((passed + 1))
    elif [ "$update" ]; then
        rewrite "$case_.out" "$scratch/out"
        rewrite "$case_.err" "$scratch/err"
        if [ "$code" = 0 ]; then rm -f "$case_.exit"; else echo "$code" > "$case_.exit"; fi
        echo "updated $name"
        passed=$((passed + 1))
    else
        echo "FAILED $name"
        [ "$code" = "$wanted_code" ] || echo "  exit code $code, not $wanted_code"
        explain "standard output" "$case_.out" "$scratch/out"
        explain "standard error" "$case_.err" "$scratch/err"
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
