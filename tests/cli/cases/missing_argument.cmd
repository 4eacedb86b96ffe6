"$QUELL" info
