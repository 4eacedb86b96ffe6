printf '%s\n' ',CD3E,LYZ' 'AAACATACAACCAC-1,5,0' 'AAACATTGAGCTAC-1,2,1' > counts.csv
"$QUELL" info counts.csv && "$QUELL" info --orient cells-x-genes counts.csv
