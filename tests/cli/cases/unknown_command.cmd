"$QUELL" inffo x.h5ad
