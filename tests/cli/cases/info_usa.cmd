mkdir alevin && cd alevin
printf "%s\n" "%%MatrixMarket matrix coordinate real general" "2 6 4" "1 1 1" "1 3 10" "1 5 100" "2 6 4" > quants_mat.mtx
printf "%s\n" a b a-U b-U a-A b-A > quants_mat_cols.txt
printf "%s\n" cell1 cell2 > quants_mat_rows.txt
cd ..
"$QUELL" info .
