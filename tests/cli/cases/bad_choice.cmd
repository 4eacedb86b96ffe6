"$QUELL" help --format markdwon
