#!/bin/sh
# Run each target for FUZZ_SECONDS. What is found is kept in BUILD/found, what is learnt in
# BUILD/corpus.
#
#   run.sh BUILD [TARGET...]
set -u

build=$1
shift
[ $# -gt 0 ] || set -- $("$build/tests/test_fuzz" --targets)
mkdir -p "$build/found"
bad=

# in memory where that is a folder
TMPDIR=$(mktemp -d "$([ -w /dev/shm ] && echo /dev/shm || echo "${TMPDIR:-/tmp}")/quell-fuzz-XXXXXX") || exit 1
export TMPDIR
trap 'rm -rf "$TMPDIR"' EXIT
trap 'exit 130' INT TERM

for target in "$@"; do
    mkdir -p "$build/corpus/$target"
    log=$build/found/$target.log
    kept=tests/fuzz/corpus/$target
    [ -d "$kept" ] || kept=
    # what the library does not survive, or leaks, ends no run
    more=
    asan=
    if [ "$target" = hdf5-bytes ]; then
        more='-fork=1 -ignore_crashes=1 -ignore_timeouts=1 -ignore_ooms=1 -malloc_limit_mb=0'
        asan=detect_leaks=0:allocator_may_return_null=1
    fi
    # shellcheck disable=SC2086 # may be empty, or several words
    ASAN_OPTIONS=$asan QUELL_FUZZ_TARGET=$target nice -n 19 "$build/fuzz/libfuzzer" -max_total_time="${FUZZ_SECONDS:-60}" \
        -max_len=8192 -timeout=10 -rss_limit_mb=2048 -malloc_limit_mb=1024 -print_final_stats=1 -reload=0 $more \
        -artifact_prefix="$build/found/$target-" "$build/corpus/$target" $kept > "$log" 2>&1
    code=$?
    runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    if [ $code -eq 0 ]; then
        printf '%-24s %9s inputs, nothing found\n' "$target" "$runs"
    else
        printf '%-24s FAILED, see %s\n' "$target" "$log"
        bad=1
    fi
done
[ -z "$bad" ]
