cp "$ROOT/example_data/pbmc_small.h5" counts.h5
"$QUELL" train counts.h5 --save-model m.quell.h5 --seed 1 --epochs 2 --threads 1 &&
"$QUELL" apply counts.h5 --load-model m.quell.h5 -o out.h5ad --threads 1
code=$?
ls -A
exit $code
