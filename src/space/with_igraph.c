#include "quell/with_igraph.h"

#ifdef QL_HAVE_IGRAPH
#include <igraph.h>
#endif

const char *ql_igraph_version(void)
{
#ifdef QL_HAVE_IGRAPH
    const char *text = "";
    igraph_version(&text, NULL, NULL, NULL);
    return text;
#else
    return "";
#endif
}

ql_status ql_igraph_check(const char *what, ql_err *err)
{
#ifdef QL_HAVE_IGRAPH
    (void)what;
    (void)err;
    return QL_OK;
#else
    ql_fail(err, QL_EUSAGE, "%s needs igraph, and this program was built without it", what);
    return ql_hint(err, QL_EUSAGE,
                   "install igraph 0.10 (libigraph-dev of Debian, igraph of conda-forge and "
                   "Homebrew) and build quell again; quell version says what it has");
#endif
}
