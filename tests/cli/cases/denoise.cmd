cp "$ROOT/example_data/pbmc_small.h5" counts.h5
"$QUELL" denoise counts.h5 -o out.h5ad --seed 1 --epochs 2 --threads 1
code=$?
ls -A
exit $code
