printf '\211HDF\r\n\032\n' | "$QUELL" denoise - -o out.h5ad
code=$?
ls -A
exit $code
