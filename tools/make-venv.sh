#!/bin/sh
# Make a virtual environment with the packages of a requirements file, once.
#
#   make-venv.sh [--python PYTHON] [--optional] FOLDER REQUIREMENTS
#
# A stamp in the folder holds the requirements it was made from. With --optional, other Pythons on
# the PATH are tried too (old packages do not run on new Pythons); if none will do, a line says so
# and nothing fails.
set -u

python=python3 optional=
while :; do
    case "${1:-}" in
        --python) python=$2; shift 2 ;;
        --optional) optional=1; shift ;;
        *) break ;;
    esac
done
folder=$1 requirements=$2

cmp -s "$requirements" "$folder/made-from.txt" && exit 0

# --only-binary: a package that has no wheel for this Python fails at once, with its name.
# --no-compile: most modules are never imported.
make_with() { # python
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null || return 1
    rm -rf "$folder"
    mkdir -p "$(dirname "$folder")"
    "$1" -m venv "$folder" > "$folder.log" 2>&1 &&
        "$folder/bin/python" -m pip --disable-pip-version-check -q install --no-compile --only-binary=:all: \
            -r "$requirements" >> "$folder.log" 2>&1 &&
        cp "$requirements" "$folder/made-from.txt"
}

echo "making $folder ($requirements)"
make_with "$python" && exit 0
if [ -z "$optional" ]; then
    tail -n 15 "$folder.log" >&2
    echo "$folder could not be made with $python (3.9 or later is needed, and PyPI)" >&2
    exit 1
fi
for other in python3.11 python3.10 python3.9 python3.12; do
    make_with "$other" && exit 0
done
rm -rf "$folder"
echo "skipped: $requirements cannot be installed with $("$python" --version 2>&1); see $folder.log"
