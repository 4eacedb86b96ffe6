"$QUELL" info --config nothing.json x.h5ad
