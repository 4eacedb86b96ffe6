"$QUELL" info nothing.h5ad
