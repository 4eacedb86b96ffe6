#!/bin/sh
# Install what building (build), building and testing (all), measuring (bench), or testing the workflows
# (workflows; slurm) needs and is not there.
#
#   install-deps.sh [--hint] build|all|bench|workflows|slurm
#
# Each need is probed first (pkg-config, else by compiling a line), so that a machine that has
# everything sees no package manager at all. With --hint nothing is installed and nothing fails.
set -u

CC=${CC:-cc}
PKG_CONFIG=${PKG_CONFIG:-pkg-config}

# want | package of Debian and Ubuntu | how to probe it: command NAME, lib HEADER LIBRARY PC-NAME..., python
needs() {
    cat <<'TABLE'
build|pkg-config|command pkg-config
build|libhdf5-dev|lib hdf5.h hdf5 hdf5-serial hdf5
build|zlib1g-dev|lib zlib.h z zlib
build|libdeflate-dev|lib libdeflate.h deflate libdeflate
build|libigraph-dev|lib igraph/igraph.h igraph igraph
bench|libopenblas-dev|lib cblas.h openblas openblas
all|libcmocka-dev|cmocka
all|python3|python
all|python3-venv|venv
workflows|openjdk-17-jre-headless|java
workflows|curl|command curl
workflows|snakemake|file /usr/bin/snakemake
workflows|multiqc|file /usr/bin/multiqc
slurm|slurm-wlm|slurm
slurm|munge|munge
TABLE
}

probe_command() { command -v "$1" >/dev/null 2>&1; }

# Does a program that includes the headers compile and link?
compiles() { # headers library
    dir=$(mktemp -d) || return 1
    for header in $1; do echo "#include <$header>"; done > "$dir/probe.c"
    echo 'int main(void) { return 0; }' >> "$dir/probe.c"
    # shellcheck disable=SC2086 # the flags are lists
    $CC ${CPPFLAGS:-} ${CFLAGS:-} ${LDFLAGS:-} "$dir/probe.c" -l"$2" -o "$dir/probe" >/dev/null 2>&1
    found=$?
    rm -rf "$dir"
    return $found
}

probe_lib() { # header library pc-names...
    header=$1 library=$2
    shift 2
    for pc in "$@"; do
        sh -c "$PKG_CONFIG --exists $pc" >/dev/null 2>&1 && return 0
    done
    compiles "$header" "$library"
}

probe_cmocka() {
    sh -c "$PKG_CONFIG --exists cmocka" >/dev/null 2>&1 ||
        compiles 'stdarg.h stddef.h setjmp.h stdint.h cmocka.h' cmocka
}

probe_python() { probe_command python3; }
probe_slurm() { PATH=$PATH:/usr/sbin; probe_command slurmctld && probe_command slurmd && probe_command sbatch; }
probe_munge() { PATH=$PATH:/usr/sbin probe_command munged; }
probe_file() { test -x "$1"; }
probe_java() { java -version 2>&1 | grep -qE 'version "(1[7-9]|[2-9][0-9])'; }
probe_venv() { python3 -c 'import venv, ensurepip' >/dev/null 2>&1; }

missing() { # build|all|bench|workflows|slurm
    wanted=$1
    needs | while IFS='|' read -r want package probe; do
        [ "$want" = build ] || [ "$want" = "$wanted" ] || continue
        # shellcheck disable=SC2086 # the name of a probe and its arguments
        probe_$probe || echo "$package"
    done
}

how_to_install() { # packages
    conda='conda install -c conda-forge hdf5 zlib libdeflate igraph cmocka pkg-config c-compiler python'
    if [ "$(uname -s)" = Darwin ]; then
        echo 'brew install hdf5 libomp zlib libdeflate igraph cmocka pkg-config'
    elif [ -n "${CONDA_PREFIX:-}" ]; then
        echo "$conda"
    elif probe_command apt-get; then
        echo "apt-get install $* (as root)"
    else
        echo "your system's packages for these, or: $conda"
    fi
}

# Run a command as root: directly, through sudo without a question, or with one on a terminal.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

may_be_root() {
    [ "$(id -u)" -eq 0 ] && return 0
    probe_command sudo || return 1
    sudo -n true 2>/dev/null || [ -t 0 ]
}

apt_install() { # packages
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 \
        install --no-install-recommends "$@"
}

# The lists of packages may be absent or too old: fetch them then, once.
install_with_apt() { # packages
    ls /var/lib/apt/lists/*Packages* >/dev/null 2>&1 && apt_install "$@" && return 0
    as_root apt-get -q update && apt_install "$@"
}

main() {
    hint=
    [ "${1:-}" = --hint ] && hint=1 && shift
    what=${1:-all}
    packages=$(missing "$what" | tr '\n' ' ')
    packages=${packages% }
    [ -n "$packages" ] || return 0
    if [ -n "$hint" ]; then
        echo "missing: $packages; run \`make deps\`" >&2
        return 0
    fi
    # shellcheck disable=SC2086 # a list of packages
    if ! probe_command apt-get || ! may_be_root; then
        echo "missing: $packages; install with: $(how_to_install $packages)" >&2
        return 1
    fi
    echo "installing: $packages"
    # shellcheck disable=SC2086
    install_with_apt $packages || return 1
    packages=$(missing "$what" | tr '\n' ' ')
    [ -z "$packages" ] && return 0
    echo "installed, but $CC does not find: $packages" >&2
    return 1
}

main "$@"
