cp "$ROOT/example_data/pbmc_small.h5" counts.h5
"$QUELL" denoise counts.h5 -o out.h5ad --epochs 1 --quiet && ls -A
