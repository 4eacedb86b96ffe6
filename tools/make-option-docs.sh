#!/bin/sh
# The option reference, from the tables the program is made of: docs/options.md whole, and the short
# table of README.md between its markers.
#
#   make-option-docs.sh [--check] QUELL
#
# --check writes nothing, says what is out of date, and fails if anything is.
set -u

check=
[ "${1:-}" = --check ] && { check=1; shift; }
quell=${1:?the program}
case $quell in /*) ;; *) quell=$PWD/$quell ;; esac
cd "$(dirname "$0")/.." || exit 2
new=$(mktemp -d) || exit 2
trap 'rm -rf "$new"' EXIT
bad=0

reference() { "$quell" help "$@" --format markdown; }

whole_page() {
    echo '# Options'
    echo
    echo 'Printed by the program itself (`quell help --format markdown`; `make docs` renews this page).'
    echo '`quell COMMAND --help` shows the basic options, `quell help COMMAND --all` all of them.'
    echo
    reference | sed -e :a -e '/^\n*$/{$d;N;ba' -e '}'
}

# The basic options of quell denoise: those its --help shows, each with the first sentence of its
# text and without its range.
short_table() {
    "$quell" denoise --help > "$new/help" || return
    echo '| option | default | meaning |'
    echo '|---|---|---|'
    reference denoise | awk '
    FNR == NR {
        if (match($0, /--(\[no-\])?[a-z-]+/) && $0 ~ /^ +(-[a-z], )?--/) basic[substr($0, RSTART, RLENGTH)] = 1
        next
    }
    /^### / { group = substr($0, 5) }
    !/^\| `/ || group == "Messages" || group ~ /presets/ { next }
    match($0, /--(\[no-\])?[a-z-]+/) && substr($0, RSTART, RLENGTH) in basic {
        if (match($0, /[A-Za-z)]\. [A-Za-z]/)) $0 = substr($0, 1, RSTART) ". |"
        sub(/( \((at |above|below)[^)]*\))?\. \|$/, " |")
        print
    }' "$new/help" -
}

with_table() { # FILE: its text, with the table between the markers made anew
    awk -v table="$new/table" '
    /^<!-- options end/ { inside = 0 }
    !inside { print }
    /^<!-- options begin/ { inside = 1; while ((getline line < table) > 0) print line }' "$1"
}

settle() { # FILE: compare with the new text, or replace
    cmp -s "$1" "$new/text" && return
    if [ "$check" ]; then
        echo "$1 is out of date; \`make docs\` renews it:"
        diff "$1" "$new/text" | head -n 20
        bad=1
    else
        cat "$new/text" > "$1" && echo "renewed $1"
    fi
}

whole_page > "$new/text" || exit 1
settle docs/options.md
short_table > "$new/table" || exit 1
with_table README.md > "$new/text"
settle README.md
exit "$bad"
