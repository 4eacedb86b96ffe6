"$QUELL" info x.h5ad --threads
