#!/bin/sh
# The counts of every suite that ran, and their sum as the last line.
#
#   report.sh FOLDER...
#
# Each folder holds one file per suite, "passed failed skipped".
set -u

for folder in "$@"; do
    for result in "$folder"/*; do
        case $result in *.*|*'*') ;; *) echo "${folder%/results}/$(basename "$result") $(cat "$result")" ;; esac
    done
done | awk '
    { printf "%-28s %4d passed, %d failed, %d skipped\n", $1, $2, $3, $4; p += $2; f += $3; s += $4 }
    END { printf "%d passed, %d failed, %d skipped\n", p, f, s }'
