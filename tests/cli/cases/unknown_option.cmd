"$QUELL" info --thread 4 x.h5ad
