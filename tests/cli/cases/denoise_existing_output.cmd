cp "$ROOT/example_data/pbmc_small.h5" counts.h5
echo mine > out.h5ad
"$QUELL" denoise counts.h5 -o out.h5ad
code=$?
cat out.h5ad
ls -A
exit $code
