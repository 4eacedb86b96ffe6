cp "$ROOT/example_data/pbmc_small.h5" counts.h5
"$QUELL" denoise counts.h5 --tsv text --epochs 2 --threads 1 --mcv 2> log || { cat log >&2; exit 1; }
sed -n '/^how good/,/raw counts/p' log
ls text
