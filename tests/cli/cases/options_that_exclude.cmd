touch x.h5ad
"$QUELL" info --use-raw --layer counts x.h5ad
