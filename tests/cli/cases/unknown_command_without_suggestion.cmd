"$QUELL" transmogrify
