#!/bin/sh
# Make tests/fuzz/corpus anew from the seeds and what `make fuzz` has learnt: few and small inputs
# that reach the same. Regressions stay.
#
#   renew-corpus.sh [FILES-PER-TARGET]
set -eu

most=${1:-40}
build=build-fuzz
python3 tests/fuzz/make-seeds.py "$build/seeds"

for target in $("$build/tests/test_fuzz" --targets); do
    kept=tests/fuzz/corpus/$target
    small=$build/small/$target
    rm -rf "$small"
    mkdir -p "$kept" "$small" "$build/corpus/$target"
    QUELL_FUZZ_TARGET=$target "$build/fuzz/libfuzzer" -merge=1 -max_len=700 -timeout=10 "$small" \
        "$build/seeds/$target" "$build/corpus/$target" > "$build/found/$target.merge.log" 2>&1
    find "$kept" -type f ! -name 'regression-*' -exec rm -f {} +
    # spread over all lengths
    find "$small" -type f -printf '%s %f\n' | sort -n -k 1,1 -k 2,2 |
        awk -v most="$most" '{ name[NR] = $2 } END { step = NR > most ? NR / most : 1
            for (i = NR; i >= 1 && n < most; i -= step) { print name[int(i)]; n++ } }' |
        while read -r name; do cp "$small/$name" "$kept/$name"; done
    printf '%-24s %s files\n' "$target" "$(find "$kept" -type f | wc -l)"
done
