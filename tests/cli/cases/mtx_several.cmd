for name in spliced unspliced; do : > $name.mtx; done
"$QUELL" info .
