"$QUELL" info --threads many x.h5ad
