"$QUELL" info -Z x.h5ad
