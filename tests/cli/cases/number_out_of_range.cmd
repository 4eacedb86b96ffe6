"$QUELL" info --threads=0 x.h5ad
