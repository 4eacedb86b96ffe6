echo mine > counts.csv
"$QUELL" convert "$ROOT/example_data/pbmc_small.h5" -o counts.csv -q
code=$?
cat counts.csv
ls -A
exit $code
