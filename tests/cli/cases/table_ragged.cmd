printf '%s\n' 'gene,c1,c2' 'CD3E,5,0' 'LYZ,1' > counts.csv
"$QUELL" info counts.csv
