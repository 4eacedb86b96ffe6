"$QUELL" help --format bash > quell.bash
bash -n quell.bash || exit 1
bash -c '. ./quell.bash; COMP_WORDS=(quell inf) COMP_CWORD=1; _quell; echo "${COMPREPLY[@]}"'
bash -c '. ./quell.bash; COMP_WORDS=(quell help --format m) COMP_CWORD=3; _quell; echo "${COMPREPLY[@]}"'
bash -c '. ./quell.bash; COMP_WORDS=(quell help tu) COMP_CWORD=2; _quell; echo "${COMPREPLY[@]}"'
bash -c '. ./quell.bash; COMP_WORDS=(quell info --la) COMP_CWORD=2; _quell; echo "${COMPREPLY[@]}"'
