"$QUELL" --versoin
