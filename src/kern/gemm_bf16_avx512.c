/* Products in bfloat16 with sums in float32, for processors that have them: on AMX tiles, or with
 * AVX-512's dot products. Operands are packed as both want them: A in rows of pairs along k, B in
 * rows of pairs of its rows. */
#include "gemm_bf16.h"

#if defined(__AMX_BF16__) && defined(__AVX512BF16__)

#include <immintrin.h>
#include <string.h>

#include "quell/order.h"

const bool ql_gemm_bf16_built = true;

enum {
    LANES = 16,    /* floats of a vector, pairs of a packed row's vector */
    K_STEP = 32,   /* k of one tile product */
    ROWS = 32,     /* rows of C at a time */
    COLS = 32,     /* columns of C at a time */
    K_BLOCK = 256, /* k packed at a time */
    N_BLOCK = 128, /* columns of B packed at a time */
    PAIRS = K_BLOCK / 2
};

typedef struct {
    uint32_t a[ROWS][PAIRS];    /* bf16 of k (low) and k + 1 (high) */
    uint32_t b[PAIRS][N_BLOCK]; /* bf16 of rows k (low) and k + 1 (high) */
    float c[ROWS][COLS];
} packed;

/* bf16 of two rows, paired lane by lane. */
static inline __m512i pair_rows(__m512 low, __m512 high)
{
    const __m512i order =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(high, low));
}

static inline __m512 row_or_zero(const float *p, bool there, __mmask16 lanes)
{
    return there ? _mm512_maskz_loadu_ps(lanes, p) : _mm512_setzero_ps();
}

/* B's rows k0 .. k0 + nk - 1 (zeros up to a multiple of K_STEP), columns j0 .. j0 + nj - 1. */
static void pack_b(const ql_gemm *g, int64_t k0, int64_t nk, int64_t j0, int64_t nj, packed *p)
{
    for (int64_t k = 0; k < nk; k += 2) {
        const float *row = g->b + (k0 + k) * g->ldb + j0;
        for (int64_t j = 0; j < nj; j += LANES) {
            __m512 high = row_or_zero(row + g->ldb + j, k + 1 < nk, 0xffff);
            _mm512_store_si512(&p->b[k / 2][j], pair_rows(_mm512_loadu_ps(row + j), high));
        }
    }
    for (int64_t k = (nk + 1) / 2; k % (K_STEP / 2); k++) memset(p->b[k], 0, sizeof p->b[k]);
}

/* A's rows where k is contiguous. */
static void pack_a_rows(const ql_gemm *g, int64_t i0, int64_t rows, int64_t k0, int64_t nk,
                        packed *p)
{
    for (int64_t i = 0; i < rows; i++) {
        const float *row = g->a + (i0 + i) * g->a_row + k0;
        for (int64_t k = 0; k < nk; k += K_STEP) {
            int64_t left = nk - k;
            __mmask16 low = (__mmask16)(left < 16 ? (1u << left) - 1 : 0xffff);
            __mmask16 high =
                (__mmask16)(left < 32 ? (left > 16 ? (1u << (left - 16)) - 1 : 0) : 0xffff);
            __m512bh both = _mm512_cvtne2ps_pbh(_mm512_maskz_loadu_ps(high, row + k + 16),
                                                _mm512_maskz_loadu_ps(low, row + k));
            _mm512_store_si512(&p->a[i][k / 2], (__m512i)both);
        }
    }
}

/* In place: 16 vectors of 16 lanes. */
static inline void transpose16(__m512i r[LANES])
{
    __m512i t[LANES];
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    for (int i = 0; i < 4; i++) {
        t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
        t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
        t[i + 8] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0x88);
        t[i + 12] = _mm512_shuffle_i32x4(r[i + 8], r[i + 12], 0xdd);
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
        r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
        r[i + 4] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0x88);
        r[i + 12] = _mm512_shuffle_i32x4(t[i + 4], t[i + 12], 0xdd);
    }
}

/* A's rows where they are contiguous: pairs along k are made of two source rows and transposed. */
static void pack_a_columns(const ql_gemm *g, int64_t i0, int64_t rows, int64_t k0, int64_t nk,
                           packed *p)
{
    for (int64_t i = 0; i < rows; i += LANES) {
        int64_t left = rows - i;
        __mmask16 lanes = (__mmask16)(left < 16 ? (1u << left) - 1 : 0xffff);
        for (int64_t k = 0; k < nk; k += K_STEP) {
            const float *at = g->a + (i0 + i) * g->a_row + (k0 + k) * g->a_col;
            __m512i r[LANES];
            for (int q = 0; q < LANES; q++) {
                __m512 low = row_or_zero(at + 2 * q * g->a_col, k + 2 * q < nk, lanes);
                __m512 high = row_or_zero(at + (2 * q + 1) * g->a_col, k + 2 * q + 1 < nk, lanes);
                r[q] = pair_rows(low, high);
            }
            transpose16(r);
            for (int q = 0; q < LANES; q++) _mm512_store_si512(&p->a[i + q][k / 2], r[q]);
        }
    }
}

/* Rows [i0, i0 + rows) of the columns j0 + [0, COLS) of C take p->c: set at the first block of k,
 * added to later. */
static void finish(const ql_gemm *g, int64_t i0, int64_t rows, int64_t j0, bool first,
                   const packed *p)
{
    for (int64_t i = 0; i < rows; i++) {
        float *c = g->c + (i0 + i) * g->ldc + j0;
        for (int64_t j = 0; j < COLS; j += LANES) {
            __m512 x = _mm512_load_ps(&p->c[i][j]);
            if (!first || g->start == QL_FROM_C)
                x = _mm512_add_ps(x, _mm512_loadu_ps(c + j));
            else if (g->start == QL_FROM_BIAS)
                x = _mm512_add_ps(x, _mm512_set1_ps(g->bias[i0 + i]));
            _mm512_storeu_ps(c + j, x);
        }
    }
}

typedef void (*block_fn)(packed *p, int64_t nk, int64_t j);

/* p->c = rows of p->a times columns j .. j + COLS - 1 of p->b */
static void block_amx(packed *p, int64_t nk, int64_t j)
{
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    for (int64_t k = 0; k < nk; k += K_STEP) {
        _tile_loadd(4, &p->a[0][k / 2], sizeof p->a[0]);
        _tile_loadd(5, &p->a[16][k / 2], sizeof p->a[0]);
        _tile_loadd(6, &p->b[k / 2][j], sizeof p->b[0]);
        _tile_loadd(7, &p->b[k / 2][j + 16], sizeof p->b[0]);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    _tile_stored(0, &p->c[0][0], sizeof p->c[0]);
    _tile_stored(1, &p->c[0][16], sizeof p->c[0]);
    _tile_stored(2, &p->c[16][0], sizeof p->c[0]);
    _tile_stored(3, &p->c[16][16], sizeof p->c[0]);
}

static void block_dot(packed *p, int64_t nk, int64_t j)
{
    enum { AT_ONCE = 8 };
    for (int i = 0; i < ROWS; i += AT_ONCE) {
        __m512 c[AT_ONCE][2];
        for (int r = 0; r < AT_ONCE; r++) c[r][0] = c[r][1] = _mm512_setzero_ps();
        for (int64_t k = 0; k < (nk + 1) / 2; k++) {
            __m512bh b0 = (__m512bh)_mm512_load_si512(&p->b[k][j]);
            __m512bh b1 = (__m512bh)_mm512_load_si512(&p->b[k][j + LANES]);
            for (int r = 0; r < AT_ONCE; r++) {
                __m512bh a = (__m512bh)_mm512_set1_epi32((int)p->a[i + r][k]);
                c[r][0] = _mm512_dpbf16_ps(c[r][0], a, b0);
                c[r][1] = _mm512_dpbf16_ps(c[r][1], a, b1);
            }
        }
        for (int r = 0; r < AT_ONCE; r++) {
            _mm512_store_ps(&p->c[i + r][0], c[r][0]);
            _mm512_store_ps(&p->c[i + r][LANES], c[r][1]);
        }
    }
}

static void products(const ql_gemm *g, block_fn block)
{
    _Alignas(64) packed p;
    for (int64_t k0 = 0; k0 == 0 || k0 < g->p; k0 += K_BLOCK) {
        const int64_t nk = ql_least(K_BLOCK, g->p - k0);
        for (int64_t j0 = 0; j0 < g->n; j0 += N_BLOCK) {
            const int64_t nj = ql_least(N_BLOCK, g->n - j0);
            pack_b(g, k0, nk, j0, nj, &p);
            for (int64_t i0 = 0; i0 < g->m; i0 += ROWS) {
                const int64_t rows = ql_least(ROWS, g->m - i0);
                (g->a_col == 1 ? pack_a_rows : pack_a_columns)(g, i0, rows, k0, nk, &p);
                for (int64_t j = 0; j < nj; j += COLS) {
                    block(&p, nk, j);
                    finish(g, i0, rows, j0 + j, k0 == 0, &p);
                }
            }
        }
    }
}

static void configure_tiles(void)
{
    struct {
        uint8_t palette, start_row, reserved[14];
        uint16_t row_bytes[16];
        uint8_t rows[16];
    } config = {.palette = 1};
    for (int t = 0; t < 8; t++) {
        config.row_bytes[t] = 64;
        config.rows[t] = 16;
    }
    _tile_loadconfig(&config);
}

void ql_gemm_amx(const ql_gemm *g)
{
    configure_tiles();
    products(g, block_amx);
    _tile_release();
}

void ql_gemm_dot(const ql_gemm *g)
{
    products(g, block_dot);
}

#else

const bool ql_gemm_bf16_built = false;

void ql_gemm_amx(const ql_gemm *g)
{
    (void)g;
}

void ql_gemm_dot(const ql_gemm *g)
{
    (void)g;
}

#endif
