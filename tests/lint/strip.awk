# C source with comments removed and the text inside strings and character constants blanked; line
# numbers stay. #include lines keep their names.
FNR == 1 { in_comment = 0 }
{
    if (!in_comment && /^[ \t]*#[ \t]*include/) { sub(/\/[*\/].*/, ""); print; next }
    out = ""
    rest = $0
    while (rest != "") {
        if (in_comment) {
            end = index(rest, "*/")
            if (!end) break
            rest = substr(rest, end + 2)
            in_comment = 0
            out = out " "
        } else if (match(rest, /\/\*|\/\/|"|'/)) {
            mark = substr(rest, RSTART, RLENGTH)
            out = out substr(rest, 1, RSTART - 1)
            rest = substr(rest, RSTART + RLENGTH)
            if (mark == "//") break
            if (mark == "/*") { in_comment = 1; continue }
            match(rest, mark == "\"" ? /^([^"\\]|\\.)*"/ : /^([^'\\]|\\.)*'/)
            rest = RLENGTH > 0 ? substr(rest, RLENGTH + 1) : ""
            out = out mark mark
        } else {
            out = out rest
            rest = ""
        }
    }
    print out
}
