"$QUELL" version --json
