QUELL_ISA=mmx "$QUELL" version
