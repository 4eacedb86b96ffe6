printf 'name\tc1\tc2\nCD3D\t1\t2\nLYZ\t3\t0\n' > a.tsv
printf 'name\td1\td2\nENSG00000167286\t1\t2\nENSG00000090382\t3\t0\n' > b.tsv
"$QUELL" convert a.tsv b.tsv -o out.h5ad -q --join outer
code=$?
ls out.h5ad 2>/dev/null
exit $code
