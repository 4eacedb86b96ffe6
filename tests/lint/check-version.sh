#!/bin/sh
# One version: the file VERSION, and all that repeat it.
#
#   check-version.sh [ROOT]
set -u

cd "${1:-.}" || exit 2
version=$(cat VERSION)
bad=0
n=0

# says FILE 'sed expression that prints the version in it': the first line it prints counts
says() {
    n=$((n + 1))
    found=$(sed -n "$2" "$1" 2>/dev/null | head -n 1)
    [ "$found" = "$version" ] && return
    echo "$1: version '$found', but VERSION is $version"
    bad=1
}

says CITATION.cff 's/^version: *"\{0,1\}\([^" ]*\).*/\1/p'
says docs/CHANGELOG.md 's/^## \([0-9][^ ]*\).*/\1/p'
says packaging/conda/meta.yaml 's/.*set version = "\([^"]*\)".*/\1/p'
says packaging/debian/changelog 's/^quell (\([^-)]*\).*/\1/p'
says packaging/homebrew/quell.rb 's/.*quell-\([0-9.]*\)\.tar\.gz".*/\1/p'

[ "$bad" -eq 0 ] && echo "version: $version in all $((n + 1)) places"
exit "$bad"
