printf '%s\n' '# made by hand' 'Geneid,c 1,"c,2",c3' 'CD3E,5,0,0' 'LYZ,0,1e+01,0' 'MT-CO1,0,2,7.0' > counts.csv
"$QUELL" info counts.csv
