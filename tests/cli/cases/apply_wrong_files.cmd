# what is no model as a model, a model as counts, no model at all: one line each
data=$ROOT/example_data/pbmc_small.h5
cp "$data" counts.h5
"$QUELL" train counts.h5 -o m.quell.h5 --hidden 4 --epochs 1 --quiet 2> /dev/null
"$QUELL" apply counts.h5 -m counts.h5 -o out.h5ad --quiet; echo $?
"$QUELL" apply m.quell.h5 -m m.quell.h5 -o out.h5ad --quiet; echo $?
head -c 3000 m.quell.h5 > cut.h5
"$QUELL" apply counts.h5 -m cut.h5 -o out.h5ad --quiet; echo $?
"$QUELL" apply counts.h5 -m none.h5 -o out.h5ad --quiet; echo $?
"$QUELL" apply counts.h5 -o out.h5ad; echo $?
ls -A
