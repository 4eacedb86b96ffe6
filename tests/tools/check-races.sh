#!/usr/bin/env bash
# The engine with threads under the thread sanitizer: no data race in barriers, loops, training and inference.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build}/races
flags="-std=c11 -D_GNU_SOURCE -DQL_VERSION=\"0\" -Iinclude -Isrc/base -Itests/unit -O1 -g -ffp-contract=off -fno-math-errno
       -fsanitize=thread -Wno-unknown-pragmas"
libraries='-lcmocka -lm -lpthread'
mkdir -p "$build"
rm -f "$build"/*.o
for file in src/base/*.c src/mat/*.c src/kern/kern.c src/kern/kern_bf16.c src/kern/kern_scalar.c src/nn/*.c src/model/*.c src/space/*.c src/train/*.c \
    tests/tools/team_pthread.c; do
    [ "$file" = src/base/parallel.c ] || ${CC:-cc} $flags -c "$file" -o "$build/$(basename "$file" .c).o"
done
case $(uname -m) in
x86_64)
    ${CC:-cc} $flags -mavx2 -mfma -c src/kern/kern_avx2.c -o "$build/kern_avx2.o"
    ${CC:-cc} $flags -c src/kern/gemm_bf16_avx512.c -o "$build/gemm_bf16_avx512.o"
    ${CC:-cc} $flags -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma -c src/kern/kern_avx512.c \
        -o "$build/kern_avx512.o" ;;
aarch64) ${CC:-cc} $flags -c src/kern/kern_neon.c -o "$build/kern_neon.o" ;;
esac
for test in test_parallel test_autoencoder test_train_state test_visitors; do
    ${CC:-cc} $flags "tests/unit/$test.c" "$build"/*.o $libraries -o "$build/$test"
    # the sanitizer wants addresses where it expects them
    setarch -R "$build/$test" > "$build/$test.log" 2>&1 || { cat "$build/$test.log"; exit 1; }
    echo "$test: no race"
done
