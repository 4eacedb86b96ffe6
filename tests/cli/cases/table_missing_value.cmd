printf '%s\n' 'gene,c1,c2' 'CD3E,5,0' 'LYZ,NA,1' > counts.csv
"$QUELL" denoise counts.csv -o out.h5ad
code=$?
ls -A
exit $code
