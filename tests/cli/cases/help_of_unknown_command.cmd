"$QUELL" help inffo
