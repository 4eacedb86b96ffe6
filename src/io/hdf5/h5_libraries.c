/* Versions of the libraries behind readers, compression and threads. */
#include "quell/libraries.h"

#include <hdf5.h>
#include <stdio.h>
#include <zlib.h>
#ifdef QL_HAVE_LIBDEFLATE
#include <libdeflate.h>
#endif

#include "quell/parallel.h"

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
    snprintf(out, size, "%s", "");
#endif
}

static void openmp_version(char *out, size_t size)
{
    snprintf(out, size, "%s", ql_openmp_version());
}

/* An empty version: not linked. */
static const struct {
    const char *name;
    void (*version)(char *out, size_t size);
} libraries[QL_MAX_LIBRARIES] = {{"HDF5", hdf5_version},
                                 {"zlib", version_of_zlib},
                                 {"libdeflate", libdeflate_version},
                                 {"OpenMP", openmp_version}};

int ql_libraries(ql_library out[QL_MAX_LIBRARIES])
{
    int n = 0;
    for (int i = 0; i < QL_MAX_LIBRARIES; i++) {
        out[n].name = libraries[i].name;
        libraries[i].version(out[n].version, sizeof out[n].version);
        n += *out[n].version != '\0';
    }
    return n;
}
