QUELL_THREADS=some "$QUELL" info x.h5ad
