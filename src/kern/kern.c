/* Choosing the kernel table: what the processor and the operating system support, best first. */
#include "quell/kern.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "kern_tables.h"

static bool runs_always(void)
{
    return true;
}

#if defined(__x86_64__) && !defined(QL_REAL_IS_DOUBLE)
#include <cpuid.h>

enum { XCR0_AVX = 0x6, XCR0_AVX512 = 0xe6 };

/* Which register files the operating system saves (XGETBV), 0 where it does not say. */
static unsigned saved_state(void)
{
    unsigned a, b, c, d, lo, hi;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE)) return 0;
    __asm__("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
    return lo;
}

static bool runs_avx2(void)
{
    unsigned a, b, c, d;
    if ((saved_state() & XCR0_AVX) != XCR0_AVX) return false;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_FMA) || !(c & bit_AVX)) return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_AVX2);
}

static bool runs_avx512(void)
{
    const unsigned need = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
    unsigned a, b, c, d;
    if (!runs_avx2() || (saved_state() & XCR0_AVX512) != XCR0_AVX512) return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & need) == need;
}
#endif

static const struct {
    const ql_kern *table;
    bool (*runs)(void);
} tables[] = {
#if defined(__x86_64__) && !defined(QL_REAL_IS_DOUBLE)
    {&ql_kern_avx512, runs_avx512},
    {&ql_kern_avx2, runs_avx2},
#endif
#if defined(__aarch64__) && !defined(QL_REAL_IS_DOUBLE)
    {&ql_kern_neon, runs_always},
#endif
    {&ql_kern_scalar, runs_always},
};
enum { N_TABLES = sizeof tables / sizeof *tables };

const char *const ql_kern_names[] = {"avx512", "avx2", "neon", "scalar", NULL};

const ql_kern *ql_kern_find(const char *isa)
{
    for (int i = 0; i < N_TABLES; i++)
        if (!strcmp(tables[i].table->isa, isa)) return tables[i].runs() ? tables[i].table : NULL;
    return NULL;
}

static const ql_kern *best(void)
{
    for (int i = 0; i < N_TABLES; i++)
        if (tables[i].runs()) return tables[i].table;
    return &ql_kern_scalar;
}

ql_status ql_kern_select(const ql_kern **out, ql_err *err)
{
    const char *asked = getenv("QUELL_ISA");
    const ql_kern *table = asked && *asked ? ql_kern_find(asked) : best();
    if (!table)
        return ql_fail(err, QL_EUSAGE,
                       "QUELL_ISA=%s is not a set of kernels that runs here; the best is %s", asked,
                       best()->isa);
    *out = table;
    return QL_OK;
}

const char *ql_kern_built(int i)
{
    return i < N_TABLES ? tables[i].table->isa : NULL;
}

const char *ql_kern_isa_name(void)
{
    const ql_kern *table;
    return ql_kern_select(&table, NULL) == QL_OK ? table->isa : "?";
}
