"$QUELL" convert "$ROOT/example_data/pbmc_small.h5"
