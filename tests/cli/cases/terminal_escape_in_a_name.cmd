"$QUELL" info "$(printf 'a\033[2Jb')"
