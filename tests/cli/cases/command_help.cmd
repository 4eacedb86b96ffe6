"$QUELL" version --help && "$QUELL" help version > again && "$QUELL" version -h | cmp - again
