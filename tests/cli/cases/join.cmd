# a, b: other orders of genes, a cell of the same name; c: other names; d: ids of a
printf ',c1,c2\nA,1,2\nB,3,0\nC,0,4\n' > a.csv
printf ',c1,d2\nC,5,6\nX,7,8\nA,0,9\n' > b.csv
"$QUELL" convert a.csv b.csv -o inner.tsv --threads 1 && cat inner.tsv
"$QUELL" convert a.csv b.csv -o outer.tsv --join outer --samples left,right --obs-out cells.csv -q
cat outer.tsv cells.csv
