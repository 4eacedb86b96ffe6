"$QUELL" info --memory 12Q x.h5ad
