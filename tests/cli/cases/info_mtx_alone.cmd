printf "%s\n" "%%MatrixMarket matrix coordinate integer general" "4 3 5" "1 1 5" "2 1 1" "1 2 3" "4 2 2" "2 3 7" > counts.mtx
"$QUELL" info counts.mtx
