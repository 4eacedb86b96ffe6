echo 'threads = 2
layer = from-config
genome = from-config' > config
QUELL_THREADS=3 QUELL_LAYER=from-environment "$QUELL" info --config config --threads 4 --print-config |
    grep -E '^(threads|layer|genome) '
QUELL_CONFIG=config "$QUELL" info --print-config | grep '^genome '
