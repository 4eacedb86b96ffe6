[ -c /dev/full ] || exit 77
"$QUELL" version > /dev/full
