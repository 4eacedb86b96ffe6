"$QUELL" train "$ROOT/example_data/pbmc_small.h5" -o m.quell.h5 --type zinb --hidden 8,2,8 --epochs 1 --seed 1 --quiet &&
"$QUELL" info m.quell.h5
