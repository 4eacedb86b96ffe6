#!/bin/bash
set -euxo pipefail

# conda's compilers find the libraries of $PREFIX by these; pkg-config is that of the build.
export CPPFLAGS="${CPPFLAGS:-} -I${PREFIX}/include"
export LDFLAGS="${LDFLAGS:-} -L${PREFIX}/lib"
export PKG_CONFIG_PATH="${PREFIX}/lib/pkgconfig:${PREFIX}/share/pkgconfig"

# Homebrew's folders are not conda's: name the OpenMP of clang here.
openmp=()
if [[ "$(uname -s)" == Darwin ]]; then
    openmp=("OPENMP_CFLAGS=-Xpreprocessor -fopenmp" "OPENMP_LIBS=-L${PREFIX}/lib -lomp")
fi

# No -march: the program chooses its kernels when it runs.
settings=(CC="${CC}" AR="${AR:-ar}" CFLAGS="${CFLAGS:-} -O3" prefix="${PREFIX}")
make -j"${CPU_COUNT:-1}" "${settings[@]}" "${openmp[@]+"${openmp[@]}"}" all
make "${settings[@]}" "${openmp[@]+"${openmp[@]}"}" install
