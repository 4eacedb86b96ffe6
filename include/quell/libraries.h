/* Names and versions of the libraries the program was linked with. */
#ifndef QUELL_LIBRARIES_H
#define QUELL_LIBRARIES_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *name;
    char version[64]; /* as the library reports it at run time, where it does */
} ql_library;

enum { QL_MAX_LIBRARIES = 4 };

/* HDF5, zlib, libdeflate, OpenMP: those of them that are linked. Returns their number. */
int ql_libraries(ql_library out[QL_MAX_LIBRARIES]);

#ifdef __cplusplus
}
#endif
#endif
