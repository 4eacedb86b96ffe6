#!/bin/sh
# Every relative link of the documentation leads to a file, and every #anchor to a heading; `src/...` and
# `include/...` in the text are there, but for NAME in them and in headings, which say what is to be made.
#
#   check-links.sh [ROOT]
set -u

cd "${1:-.}" || exit 2
find . -type d \( -name '.?*' -o -name 'build*' \) -prune -o -name '*.md' -print | sed 's|^\./||' | sort | awk '
function exists(path) { return system("test -e \"" path "\"") == 0 }

# "docs/../README.md" -> "README.md"
function normal(path) {
    while (match(path, /[^\/]+\/\.\.\//)) path = substr(path, 1, RSTART - 1) substr(path, RSTART + RLENGTH)
    return path
}

# the anchor that a heading gets
function anchor_of(heading) {
    sub(/^#+ +/, "", heading)
    heading = tolower(heading)
    gsub(/[^a-z0-9 _-]/, "", heading)
    gsub(/ /, "-", heading)
    return heading
}

function has_anchor(path, anchor,    line, found) {
    while ((getline line < path) > 0) if (line ~ /^#/ && anchor_of(line) == anchor) found = 1
    close(path)
    return found
}

function check(link,    path, anchor, dir) {
    if (link ~ /^[a-z]+:/) return
    n_links++
    anchor = link
    if (!sub(/^[^#]*#/, "", anchor)) anchor = ""
    path = link
    sub(/#.*/, "", path)
    dir = file
    sub(/[^\/]*$/, "", dir)
    path = path == "" ? file : normal(dir path)
    if (!exists(path)) { printf "%s:%d: no such file: %s\n", file, number, link; bad = 1 }
    else if (anchor != "" && !has_anchor(path, anchor)) { printf "%s:%d: no such heading: %s\n", file, number, link; bad = 1 }
}

function check_sources(line,    path) {
    if (line ~ /^#/) return
    while (match(line, /`(src|include)\/[A-Za-z0-9_\/.-]+`/)) {
        path = substr(line, RSTART + 1, RLENGTH - 2)
        line = substr(line, RSTART + RLENGTH)
        if (path ~ /NAME/ || exists(path)) continue
        printf "%s:%d: no such file: %s\n", file, number, path
        bad = 1
    }
}

{
    file = $0
    fenced = n_lines = 0
    # read whole first: has_anchor may open the same file
    while ((getline line < file) > 0) lines[++n_lines] = line
    close(file)
    for (number = 1; number <= n_lines; number++) {
        line = lines[number]
        if (line ~ /^```/) fenced = !fenced
        if (fenced) continue
        while (match(line, /\]\([^) ]+\)/)) {
            link = substr(line, RSTART + 2, RLENGTH - 3)
            line = substr(line, RSTART + RLENGTH)
            check(link)
        }
        check_sources(lines[number])
    }
    n_files++
}

END {
    if (!bad) printf "links: %d in %d pages, all lead somewhere\n", n_links, n_files
    exit bad
}'
