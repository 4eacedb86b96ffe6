"$QUELL" --version >&-
