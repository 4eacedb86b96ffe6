/* Versions of the libraries behind the readers and the linear algebra. */
#include "quell/libraries.h"

#include <hdf5.h>
#include <stdio.h>
#include <zlib.h>
#ifdef QL_HAVE_LIBDEFLATE
#include <libdeflate.h>
#endif

/* BLAS is switchable: only OpenBLAS has this function. */
extern char *openblas_get_config(void) __attribute__((weak));

static void hdf5_version(char *out, size_t size)
{
    unsigned major = 0, minor = 0, release = 0;
    if (H5get_libversion(&major, &minor, &release) < 0)
        snprintf(out, size, "unknown");
    else
        snprintf(out, size, "%u.%u.%u", major, minor, release);
}

static void version_of_zlib(char *out, size_t size)
{
    snprintf(out, size, "%s", zlibVersion());
}

static void libdeflate_version(char *out, size_t size)
{
#ifdef QL_HAVE_LIBDEFLATE
    snprintf(out, size, "%s", LIBDEFLATE_VERSION_STRING);
#else
    snprintf(out, size, "none");
#endif
}

static void blas_version(char *out, size_t size)
{
    snprintf(out, size, "%s", openblas_get_config ? openblas_get_config() : "no OpenBLAS");
}

static const struct {
    const char *name;
    void (*version)(char *out, size_t size);
} libraries[QL_N_LIBRARIES] = {{"HDF5", hdf5_version},
                               {"zlib", version_of_zlib},
                               {"libdeflate", libdeflate_version},
                               {"BLAS", blas_version}};

void ql_libraries(ql_library out[QL_N_LIBRARIES])
{
    for (int i = 0; i < QL_N_LIBRARIES; i++) {
        out[i].name = libraries[i].name;
        libraries[i].version(out[i].version, sizeof out[i].version);
    }
}
