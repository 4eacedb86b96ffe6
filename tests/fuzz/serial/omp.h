/* OpenMP of one thread, for builds with a compiler that has none. */
#ifndef QUELL_FUZZ_SERIAL_OMP_H
#define QUELL_FUZZ_SERIAL_OMP_H

static inline int omp_get_num_threads(void)
{
    return 1;
}

static inline int omp_get_thread_num(void)
{
    return 0;
}

#endif
