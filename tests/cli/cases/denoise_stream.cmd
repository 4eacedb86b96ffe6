cp "$ROOT/example_data/pbmc_small.h5" counts.h5
mkdir one two cache
"$QUELL" denoise counts.h5 -o one/out.h5ad --seed 1 --epochs 2 -q &&
"$QUELL" denoise counts.h5 -o two/out.h5ad --seed 1 --epochs 2 --stream --tmpdir cache -q &&
cmp one/out.h5ad two/out.h5ad
code=$?
ls -A cache
"$QUELL" denoise counts.h5 -o three.h5ad --stream --tmpdir nowhere -q
code=$code$?
ls -A
exit $code
