"$QUELL" --help && "$QUELL" -h > again && "$QUELL" help | cmp - again
