"$QUELL" help version --format man
