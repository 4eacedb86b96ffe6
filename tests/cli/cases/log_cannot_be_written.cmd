"$QUELL" info --log nowhere/log x.h5ad
