#!/bin/sh
# Does the static program need nothing but a kernel, and write what the dynamic one writes?
#
#   check-static.sh STATIC DYNAMIC     DYNAMIC is compared with if it is there
set -eu

static=$1 dynamic=$2
case $dynamic in /*) ;; *) dynamic=$PWD/$dynamic ;; esac
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "check-static: $*" >&2; exit 1; }

if readelf -dl "$static" | grep -E 'NEEDED|INTERP' >&2; then fail "$static needs libraries"; fi

# An empty root: by right, by a user namespace, or, where neither is allowed, only an empty environment.
mkdir "$work/root"
cp "$static" "$work/root/quell"
cp example_data/pbmc_small.h5 "$work/root/in.h5"
cp example_data/pbmc_small.h5 "$work/in.h5"
if [ "$(id -u)" -eq 0 ]; then
    in_root() { chroot "$work/root" "$@"; }
elif unshare -r true 2>/dev/null; then
    in_root() { unshare -r chroot "$work/root" "$@"; }
else
    echo "check-static: no empty root could be made here"
    in_root() { (cd "$work/root" && shift && env -i ./quell "$@"); }
fi
in_root /quell denoise in.h5 -o out.h5ad --epochs 3 --quiet || fail "it does not denoise"
in_root /quell convert in.h5 -o out.loom --quiet || fail "it does not convert"

[ -x "$dynamic" ] || { echo "check-static: runs in an empty root; no $dynamic to compare with"; exit; }
for out in out.h5ad out.loom; do
    case $out in *.loom) set -- convert ;; *) set -- denoise --epochs 3 ;; esac
    (cd "$work" && "$dynamic" "$@" in.h5 -o "$out" --quiet)
    cmp "$work/$out" "$work/root/$out" || fail "other bytes than $dynamic"
done
echo "check-static: runs in an empty root, writes the same bytes as the dynamic program"
