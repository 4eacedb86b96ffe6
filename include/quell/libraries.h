/* Names and versions of the libraries the program was linked with. */
#ifndef QUELL_LIBRARIES_H
#define QUELL_LIBRARIES_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *name;
    char version[160]; /* as the library reports it at run time; "none" if it is not used */
} ql_library;

enum { QL_N_LIBRARIES = 4 };

/* HDF5, zlib, libdeflate, BLAS. */
void ql_libraries(ql_library out[QL_N_LIBRARIES]);

#ifdef __cplusplus
}
#endif
#endif
