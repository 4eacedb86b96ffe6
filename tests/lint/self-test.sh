#!/bin/sh
# The checks themselves can fail: each must reject one file made wrong for it, and accept a right one.
set -u

lint=$(cd "$(dirname "$0")" && pwd)
root=$(mktemp -d) || exit 2
trap 'rm -rf "$root"' EXIT
bad=0

fresh() {
    rm -rf "${root:?}"/*
    mkdir -p "$root/include/quell" "$root/tests" "$root/src/base" "$root/src/mat" "$root/src/nn" "$root/src/io/text" "$root/src/io/hdf5"
    echo 'int ql_csr(void);' > "$root/include/quell/csr.h"
    printf '#include "quell/csr.h"\n\nint ql_csr(void)\n{\n    return 0;\n}\n' > "$root/src/mat/csr.c"
    mkdir -p "$root/docs" "$root/packaging/conda" "$root/packaging/debian" "$root/packaging/homebrew"
    echo 1.2.3 > "$root/VERSION"
    echo 'version: 1.2.3' > "$root/CITATION.cff"
    printf '# Changes\n\n## 1.2.3\n\n## 1.2.2\n' > "$root/docs/CHANGELOG.md"
    echo '{% set version = "1.2.3" %}' > "$root/packaging/conda/meta.yaml"
    echo 'quell (1.2.3-1) unstable; urgency=medium' > "$root/packaging/debian/changelog"
    echo 'url "https://x/quell-1.2.3.tar.gz"' > "$root/packaging/homebrew/quell.rb"
    printf '#include <hdf5.h>\n#include "quell/csr.h"\n/* printf("x") */\n' > "$root/src/io/reader.c"
    echo 'int ql_h5(void);' > "$root/src/io/hdf5/h5.h"
    echo '#include "../text/line.h"' > "$root/src/io/hdf5/h5.c"
    echo 'int ql_line(void);' > "$root/src/io/text/line.h"
}

expect() { # 0|1 check
    out=$(sh "$lint/$2" "$root" 2>&1)
    code=$?
    [ "$code" -ne 0 ] && code=1
    [ "$code" -eq "$1" ] && return
    echo "self-test: $2 gave $code where $1 is right:"
    echo "$out" | sed 's/^/    /'
    bad=1
}

wrong() { # check file text
    fresh
    mkdir -p "$(dirname "$root/$2")"
    printf '%b\n' "$3" > "$root/$2"
    expect 1 "$1"
}

fresh
for check in check-layers.sh check-banned.sh check-sizes.sh check-headers.sh check-links.sh check-version.sh; do expect 0 "$check"; done

wrong check-layers.sh src/base/log.c '#include "quell/csr.h"'
wrong check-layers.sh src/base/log.c '#include "../mat/csr.h"\n#include <omp.h>'
wrong check-layers.sh src/nn/tile.c '#include <hdf5.h>'
wrong check-layers.sh src/nn/tile.c '#pragma omp parallel for'
wrong check-layers.sh src/misc.c 'int x;'
wrong check-layers.sh src/io/text/line.c '#include "../hdf5/h5.h"'
wrong check-layers.sh src/io/other/line.c 'int x;\n#include "../hdf5/h5.h"'
wrong check-layers.sh include/quell/orphan.h 'int x;'
wrong check-banned.sh src/nn/tile.c 'void f(void)\n{\n    printf("x");\n}'
wrong check-banned.sh src/nn/tile.c 'void f(char *s)\n{\n    /* no\n */ free (s);\n}'
wrong check-sizes.sh src/nn/tile.c "void f(void)\n{\n$(awk 'BEGIN { for (i = 0; i < 80; i++) printf "    ;\\n" }')}"
wrong check-sizes.sh src/nn/tile.c "$(awk 'BEGIN { for (i = 0; i < 801; i++) printf "int x;\\n" }')"
wrong check-links.sh README.md '[a page](docs/missing.md)'
wrong check-links.sh README.md 'see `src/base/gone.c`'
wrong check-links.sh README.md '# One\n\n[two](#two)'
wrong check-version.sh VERSION 1.2.4
wrong check-version.sh CITATION.cff 'version: 1.2.2'
wrong check-version.sh docs/CHANGELOG.md '## 1.3.0\n\n## 1.2.3'
wrong check-version.sh packaging/conda/meta.yaml '{% set version = "1.2" %}'
wrong check-version.sh packaging/debian/changelog 'quell (1.2.30-1) unstable'
wrong check-version.sh packaging/homebrew/quell.rb 'url "https://x/quell.tar.gz"'
wrong check-headers.sh include/quell/csr.h 'size_t ql_csr(void);'
command -v "${CXX:-c++}" >/dev/null 2>&1 && wrong check-headers.sh include/quell/csr.h 'int ql_csr(int class);'

[ "$bad" -eq 0 ] && echo 'lint: every check rejects what it should'
exit "$bad"
