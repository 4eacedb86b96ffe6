"$QUELL" info -- --help
