#!/bin/sh
# Is the source archive all that is needed? Unpack it where no repository is, build, install, denoise.
#
#   distcheck.sh ARCHIVE.tar.gz
set -eu

archive=$1
case $archive in /*) ;; *) archive=$PWD/$archive ;; esac
name=$(basename "$archive" .tar.gz)
version=${name#quell-}
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT

fail() { echo "distcheck: $*" >&2; exit 1; }

tar -xzf "$archive" -C "$work"
cd "$work/$name"
unset QUELL QUELL_TEST_FILES MAKEFLAGS
make -j"${JOBS:-1}" all > "$work/log" 2>&1 || { tail -n 20 "$work/log"; fail "does not build"; }
make install DESTDIR="$work/root" prefix=/usr > "$work/log" 2>&1 || { tail "$work/log"; fail "does not install"; }

quell=$work/root/usr/bin/quell
[ "$("$quell" --version)" = "$version" ] || fail "$("$quell" --version) is not $version"
"$quell" version | grep -q '^source  *release$' || fail "the build does not call itself a release"
"$quell" denoise example_data/pbmc_small.h5 -o "$work/out.h5ad" --epochs 2 --quiet || fail "does not denoise"
sh tests/cli/run.sh version_report program_help print_config > "$work/log" || { cat "$work/log"; fail "tests fail"; }
find "$work/root" -type f | sed "s|$work/root||" | sort > "$work/installed"
for file in usr/lib/libquell.a usr/include/quell/command.h usr/share/man/man1/quell.1 \
    usr/share/bash-completion/completions/quell usr/share/zsh/site-functions/_quell \
    usr/share/fish/vendor_completions.d/quell.fish; do
    grep -qx "/$file" "$work/installed" || fail "$file is not installed"
done
make uninstall DESTDIR="$work/root" prefix=/usr > /dev/null
left=$(find "$work/root" -type f)
[ -z "$left" ] || fail "uninstall leaves $left"
echo "distcheck: $name builds, installs, denoises and uninstalls"
