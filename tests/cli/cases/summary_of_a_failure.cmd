"$QUELL" info --summary run.json --threads 2 --memory 1G nothing.h5ad
code=$?
cat run.json
ls
exit $code
