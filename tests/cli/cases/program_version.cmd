"$QUELL" --version && "$QUELL" -V
