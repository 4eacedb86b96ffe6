cp "$ROOT/example_data/pbmc_small.h5" counts.h5
"$QUELL" denoise counts.h5 -o out.h5ad --memory 12M 2> log
code=$?
tail -n 1 log >&2
ls -A
exit $code
