"$QUELL" version
