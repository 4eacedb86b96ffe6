#!/bin/sh
# The date of everything that is packed, in seconds: SOURCE_DATE_EPOCH, else that of the last commit, else
# that of the file VERSION (in a source archive: the same again).
cd "$(dirname "$0")/.." || exit 2
[ -n "${SOURCE_DATE_EPOCH:-}" ] && { echo "$SOURCE_DATE_EPOCH"; exit; }
[ -e .git ] && git log -1 --format=%ct 2>/dev/null && exit
stat -c %Y VERSION 2>/dev/null || stat -f %m VERSION
