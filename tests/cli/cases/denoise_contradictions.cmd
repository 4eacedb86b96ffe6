"$QUELL" denoise "$ROOT/example_data/pbmc_small.h5" --quiet -o out.h5ad --tied
test $? = 64 || echo "not a usage error"
"$QUELL" denoise "$ROOT/example_data/pbmc_small.h5" --quiet -o out.h5ad --dropout 0,0,0.2
test $? = 64 || echo "not a usage error"
"$QUELL" denoise "$ROOT/example_data/pbmc_small.h5" --quiet -o out.h5ad --code-kl 1 --code-activation relu
test $? = 64 || echo "not a usage error"
"$QUELL" denoise "$ROOT/example_data/pbmc_small.h5" --quiet -o out.h5ad --code-k 33
