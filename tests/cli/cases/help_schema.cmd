"$QUELL" help version --format json
