"$QUELL" denoise counts.h5 -o out.h5ad
code=$?
ls -A
exit $code
