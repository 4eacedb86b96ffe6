printf ',c1,c2\nA,1,2\nB,3,0\n' > a.csv
cp a.csv b.csv
"$QUELL" convert a.csv ./a.csv -o out.h5ad -q; echo $?
"$QUELL" convert a.csv b.csv -o out.h5ad -q --samples one; echo $?
"$QUELL" convert a.csv b.csv -o out.h5ad -q --samples one,one; echo $?
"$QUELL" convert a.csv -o out.h5ad -q --samples one; echo $?
"$QUELL" convert a.csv b.csv -o out.h5ad -q --join left; echo $?
"$QUELL" convert a.csv b.csv -o b.csv -q --force; echo $?
"$QUELL" convert a.csv b.csv -o out.h5ad -q --obsm-out X_pca=x.csv; echo $?
"$QUELL" denoise a.csv missing.csv -o out.h5ad -q; echo $?
ls
