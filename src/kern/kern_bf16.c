/* Which way of multiplying in bfloat16 this processor and the operating system offer. */
#include "quell/kern.h"

#include <string.h>

#if defined(__x86_64__) && !defined(QL_REAL_IS_DOUBLE)
#include <cpuid.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "gemm_bf16.h"

enum { BIT_AVX512_BF16 = 1 << 5, BIT_AMX_BF16 = 1 << 22, BIT_AMX_TILE = 1 << 24 };

static bool has_dot(void)
{
    unsigned a, b, c, d;
    return ql_kern_find("avx512") && __get_cpuid_count(7, 1, &a, &b, &c, &d) &&
           (a & BIT_AVX512_BF16);
}

/* Linux gives the tile registers (8 KiB of state for each thread) to those who ask. */
static bool may_use_tiles(void)
{
#if defined(__linux__) && defined(SYS_arch_prctl)
    enum { ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18 };
    return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
#else
    return false;
#endif
}

static bool has_amx(void)
{
    const unsigned need = BIT_AMX_BF16 | BIT_AMX_TILE;
    unsigned a, b, c, d;
    return has_dot() && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & need) == need &&
           may_use_tiles();
}

static const struct {
    const char *name;
    bool (*runs)(void);
    void (*gemm)(const ql_gemm *g);
} ways[] = {{"amx", has_amx, ql_gemm_amx}, {"avx512-bf16", has_dot, ql_gemm_dot}};

bool ql_kern_bf16(const ql_kern *base, ql_kern *out, const char **how)
{
    if (!ql_gemm_bf16_built || strcmp(base->isa, "avx512") != 0) return false;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        if (!ways[i].runs()) continue;
        *out = *base;
        out->gemm = ways[i].gemm;
        *how = ways[i].name;
        return true;
    }
    return false;
}
#else
bool ql_kern_bf16(const ql_kern *base, ql_kern *out, const char **how)
{
    (void)base;
    (void)out;
    (void)how;
    return false;
}
#endif
