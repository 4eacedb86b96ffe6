#!/bin/sh
# Includes point down only. The order, and what each layer may use:
#
#   base < mat < kern < nn < model < train < infer < cmd < app;  io above mat;  space above kern,
#   and train above space;
#   cli and draw above base
#   io never sees kern, nn, model, train, infer, space, nor they io.
#
# Inside a layer that has folders, private headers point down too: `floors` lists them from the lowest
# up; what stands beside the folders may see all of them and is seen by none.
#
# A header of include/quell belongs to the layer that has a .c file of its name, or to the row of
# `homeless` below. Some system headers have one place each.
#
#   check-layers.sh [ROOT]
set -u

cd "${1:-.}" || exit 2
{ find include/quell -name '*.h'; find src \( -name '*.c' -o -name '*.h' \); } | sort | awk '
BEGIN {
    may["base"]  = " base "
    may["mat"]   = " base mat "
    may["kern"]  = " base mat kern "
    may["nn"]    = " base mat kern nn "
    may["model"] = " base mat kern nn model "
    may["train"] = " base mat kern nn model space train "
    may["infer"] = " base mat kern nn model train infer "
    may["io"]    = " base mat io "
    may["space"] = " base mat kern space "
    may["cli"]   = " base cli "
    may["draw"]  = " base draw "
    may["cmd"]   = " base mat kern nn model train infer space io draw cli cmd "
    may["app"]   = " base mat kern nn model train infer space io draw cli cmd app "

    floors["io"]  = "file text counts hdf5 mtx table h5ad formats"
    floors["cmd"] = "input fit denoise embed generate space check merge report"

    # headers without a .c file of their name
    homeless["real.h"] = "base"
    homeless["rng_draw.h"] = "base"
    homeless["libraries.h"] = "io"
    homeless["bundle_h5.h"] = "io"
    homeless["option.h"] = "cli"
    homeless["reader.h"] = "io"
    homeless["output_check.h"] = "io"

    # system header -> where alone it may be included (a prefix of the path)
    place["hdf5.h"] = "src/io/"
    place["zlib.h"] = "src/io/"
    place["libdeflate.h"] = "src/io/"
    place["igraph.h"] = "src/space/"
    place["omp.h"] = "src/base/parallel.c"
    place["immintrin.h"] = "src/kern/"
    place["arm_neon.h"] = "src/kern/"
    # system headers that one file alone may include, whichever it is
    single["cblas.h"] = single["lapacke.h"] = 1
}

function base_name(path) { sub(/.*\//, "", path); return path }

function complain(text) { printf "%s:%d: %s\n", file, line_number, text; bad = 1 }

# "src/io/../mat/x.h" -> "src/mat/x.h"
function normal(path) {
    while (match(path, /[^\/]+\/\.\.\//)) path = substr(path, 1, RSTART - 1) substr(path, RSTART + RLENGTH)
    gsub(/(^|\/)\.\//, "/", path)
    return path
}

function layer_of(path,    part, name) {
    if (path ~ /^src\//) { split(path, part, "/"); return part[2] }
    name = base_name(path)
    sub(/\.h$/, ".c", name)
    if (name in home) return home[name]
    name = base_name(path)
    return name in homeless ? homeless[name] : ""
}

# 1, 2, ... by the order of `floors`; above all of them what is in no folder; 0: no such folder.
function floor_of(path,    part, name, n, i) {
    split(path, part, "/")
    n = split(floors[part[2]], name, " ")
    if (part[4] == "") return n + 1
    for (i = 1; i <= n; i++) if (name[i] == part[3]) return i
    return 0
}

function check_floor(target) {
    if (floor_of(file) == 0) complain("the folder of " file " is not in the table of this script")
    else if (floor_of(target) > floor_of(file)) complain(target " is above it in " layer)
}

function check_system(name) {
    if (name in place && index(file, place[name]) != 1)
        complain("<" name "> belongs in " place[name] " only")
    if (!(name in single)) return
    if (name in used_by && used_by[name] != file)
        complain("<" name "> is included by " used_by[name] " already; one file alone may")
    used_by[name] = file
}

function check_include(name,    target, to, dir) {
    if (name ~ /^quell\//) target = "include/" name
    else { dir = file; sub(/[^\/]*$/, "", dir); target = normal(dir name) }
    if (!(target in exists)) { check_system(name); return }
    to = layer_of(target)
    if (to == "") complain("no layer is known for " target ": add it to the table in this script")
    else if (!index(may[layer], " " to " ")) complain(layer " may not include " name " of " to)
    else if (to == layer && target ~ /^src\// && file ~ /^src\//) check_floor(target)
}

function check_file(    line, name) {
    layer = layer_of(file)
    line_number = 0
    if (!(layer in may)) {
        complain(layer == "" ? "belongs to no layer: add it to the table in this script" : "no layer is named " layer)
        return
    }
    while ((getline line < file) > 0) {
        line_number++
        if (line ~ /^[ \t]*#[ \t]*pragma[ \t]+omp/ && file != place["omp.h"]) complain("OpenMP belongs in " place["omp.h"] " only")
        if (line !~ /^[ \t]*#[ \t]*include[ \t]*[<"]/) continue
        name = line
        sub(/^[^<"]*[<"]/, "", name)
        sub(/[>"].*/, "", name)
        if (line ~ /</) check_system(name)
        else check_include(name)
    }
    close(file)
}

{ exists[$0] = 1; files[++n] = $0; if ($0 ~ /^src\/.*\.c$/) { split($0, part, "/"); home[base_name($0)] = part[2] } }

END {
    for (i = 1; i <= n; i++) { file = files[i]; check_file() }
    if (!bad) printf "layers: %d files, every include points down\n", n
    exit bad
}'
