"$QUELL" info --print-config --threads 3 --memory 2048M --log 'a b ' > once
cat once
"$QUELL" info --print-config --config once | cmp once -
