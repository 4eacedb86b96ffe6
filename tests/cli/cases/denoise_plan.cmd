cp "$ROOT/example_data/pbmc_small.h5" counts.h5
"$QUELL" denoise counts.h5 --plan=json --threads 2 --memory 4G -q
"$QUELL" denoise counts.h5 --plan --threads 2 --memory 4G -q
"$QUELL" denoise counts.h5 --plan=yaml 2>&1
code=$?
ls -A
exit $code
