# every command line of the documentation has options the program takes
grep -hE '^ *(build/)?quell (apply|convert|denoise|info|train) ' "$ROOT"/README.md "$ROOT"/docs/*.md "$ROOT"/example_data/README.md |
    grep -v -e '--type geometric' | # the example of docs/add-a-likelihood.md
    sed -E 's/^ *(build\/)?quell //; s/ +#.*//' | sort -u > commands
[ "$(wc -l < commands)" -gt 5 ] || { echo 'too few commands found'; exit 1; }
while read -r line; do
    # shellcheck disable=SC2086
    "$QUELL" $line --print-config > /dev/null 2> said && continue
    echo "quell $line"
    cat said
done < commands
