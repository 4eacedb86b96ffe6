#!/usr/bin/env bash
# The 64-bit Arm kernels, cross-compiled and run under an emulator, against this machine's: same bits.
# Needs aarch64-linux-gnu-gcc and qemu-aarch64 (Debian: gcc-aarch64-linux-gnu, qemu-user).
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build}/neon
flags='-std=c11 -D_GNU_SOURCE -Iinclude -O3 -ffp-contract=off -fno-math-errno'
common='tests/tools/kern_hash.c src/kern/kern.c src/kern/kern_scalar.c src/base/status.c src/base/utf8.c'
mkdir -p "$build"
${CC:-cc} $flags -c src/kern/kern_avx2.c -mavx2 -mfma -o "$build/avx2.o"
${CC:-cc} $flags -c src/kern/kern_avx512.c -mavx512f -mavx512dq -mavx512bw -mavx512vl -mavx2 -mfma -o "$build/avx512.o"
${CC:-cc} $flags $common "$build/avx2.o" "$build/avx512.o" -lm -o "$build/kern_hash"
aarch64-linux-gnu-gcc $flags $common src/kern/kern_neon.c -static -lm -o "$build/kern_hash_arm"
want=$("$build/kern_hash" scalar)
failed=0
same() {
    echo "$1: $2"
    [ "$want" = "$2" ] || failed=1
}
echo "scalar here: $want"
for isa in avx2 avx512; do # those this processor has
    if got=$("$build/kern_hash" $isa 2> "$build/$isa.log"); then same $isa "$got"; else echo "$isa: does not run here"; fi
done
for isa in scalar neon; do
    same "64-bit Arm, $isa" "$(qemu-aarch64 "$build/kern_hash_arm" $isa)"
done
[ "$failed" = 0 ]
