"$QUELL" version now
