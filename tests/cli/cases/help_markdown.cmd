"$QUELL" help version --format markdown
