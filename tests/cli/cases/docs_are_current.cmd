sh "$ROOT/tools/make-option-docs.sh" --check "$QUELL"
