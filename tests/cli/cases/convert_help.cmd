"$QUELL" convert --help
