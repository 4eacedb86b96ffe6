echo '{"threads": 2, "thread": 3}' > config.json
"$QUELL" info --config config.json x.h5ad
