"$QUELL" version --nonsense --help > /dev/null
