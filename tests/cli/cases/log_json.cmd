"$QUELL" info --log-json - --log log.txt nothing.h5ad
code=$?
cat log.txt
exit $code
