cp "$ROOT/example_data/pbmc_small.h5" counts.h5
"$QUELL" denoise counts.h5 --tsv text --like dca --epochs 1 --threads 1 2>&1 | grep -e '^model' -e '^trained'
ls text
"$QUELL" denoise --like dca --print-config | grep -e '^type' -e '^hidden' -e '^seed' -e '^estimate'
