mkdir counts && cd counts
printf "%s\n" "%%MatrixMarket matrix coordinate integer general" "4 3 5" "1 1 5" "2 1 1" "1 2 3" "4 2 2" "2 3 7" > matrix.mtx
printf "cell%d\n" 1 2 3 > barcodes.tsv
printf "id%d\tgene%d\tGene Expression\n" 1 1 2 2 3 3 4 4 > features.tsv
cd ..
"$QUELL" convert counts -o counts.tsv --threads 1 && cat counts.tsv
"$QUELL" convert counts -o counts.h5 -q && "$QUELL" convert counts.h5 -o back --to 10x-mtx --quiet
gzip -dc back/matrix.mtx.gz back/features.tsv.gz back/barcodes.tsv.gz
ls -A . back
