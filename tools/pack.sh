#!/bin/sh
# Pack a folder so that the same files give the same bytes: sorted, one date, no owner, no compression time.
#
#   pack.sh PARENT NAME ARCHIVE.tar.gz     packs PARENT/NAME; needs GNU tar (gtar where tar is another)
set -eu

parent=$1 name=$2 archive=$3
tar=$(command -v gtar || command -v tar)
date=$(sh "$(dirname "$0")/source-date.sh")
LC_ALL=C "$tar" -C "$parent" --sort=name --mtime="@$date" --owner=0 --group=0 --numeric-owner \
    --mode=u+rw,go=u-w --format=ustar -cf - "$name" | gzip -9n > "$archive.part"
mv "$archive.part" "$archive"
if command -v sha256sum >/dev/null 2>&1; then sha256sum "$archive"; else shasum -a 256 "$archive"; fi
