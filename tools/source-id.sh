#!/bin/sh
# What `quell version` calls the source: the commit, with a + when files differ from it; "release" where
# there is no repository, as in a source archive.
cd "$(dirname "$0")/.." || exit 2
[ -e .git ] || { echo release; exit; }
git describe --always --abbrev=12 --dirty=+ --exclude='*' 2>/dev/null || echo unknown
