"$QUELL" denoise counts.h5
