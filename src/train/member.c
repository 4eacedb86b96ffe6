#include "quell/member.h"

#include <string.h>

const ql_member_kind *const ql_member_kinds[] = {&ql_member_network, &ql_member_vae,
                                                 &ql_member_factors, &ql_member_smooth,
                                                 &ql_member_means,   NULL};

const ql_member_kind *ql_member_kind_find(const char *name)
{
    for (int i = 0; ql_member_kinds[i]; i++)
        if (!strcmp(ql_member_kinds[i]->name, name)) return ql_member_kinds[i];
    return NULL;
}
