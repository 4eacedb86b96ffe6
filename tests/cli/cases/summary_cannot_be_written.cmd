mkdir folder
printf '%s\n' '%%MatrixMarket matrix coordinate integer general' '1 1 1' '1 1 1' > folder/matrix.mtx
echo a > folder/barcodes.tsv
echo a > folder/genes.tsv
"$QUELL" info --summary nowhere/run.json folder > /dev/null
