#include "quell/input_terms.h"

#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/rng.h"

static int64_t n_rows(const ql_input_terms *t)
{
    return t->orthogonal > 0 ? 1 + t->n_out : 1;
}

static int64_t stride(const ql_input_terms *t)
{
    return n_rows(t) * ql_pad(t->n_out);
}

static int64_t kept_size(const ql_input_terms *t)
{
    return t->tied ? t->tiling.n_genes * ql_pad(t->n_out) : 0;
}

int64_t ql_input_terms_bytes(const ql_input_terms *t)
{
    int64_t n = kept_size(t);
    if (ql_input_terms_sums(t)) n += (t->tiling.n_strips + 1) * stride(t) + ql_pad(t->n_out);
    return n * (int64_t)sizeof(ql_real);
}

ql_status ql_input_terms_alloc(ql_input_terms *t, ql_err *err)
{
    if (t->tied) QL_TRY(QL_NEW(t->kept, kept_size(t), "gradient of tied weights", err));
    if (!ql_input_terms_sums(t)) return QL_OK;
    QL_TRY(QL_NEW(t->parts, t->tiling.n_strips * stride(t), "weight penalties", err));
    QL_TRY(QL_NEW(t->sums, stride(t), "weight penalties", err));
    return QL_NEW(t->spread, ql_pad(t->n_out), "weight penalties", err);
}

void ql_input_terms_free(ql_input_terms *t)
{
    ql_free(t->parts);
    ql_free(t->sums);
    ql_free(t->spread);
    ql_free(t->kept);
    *t = (ql_input_terms){0};
}

/* Random signs for the genes of a tile, 32 to a word. */
static void draw_signs(const ql_input_terms *t, int64_t tile, ql_real *u)
{
    ql_rng rng = ql_rng_start(t->seed, QL_RNG_PROBE, t->step, (uint64_t)tile);
    for (int first = 0; first < QL_TILE; first += 32) {
        uint32_t word = ql_rng_word(&rng);
        for (int k = 0; k < 32; k++) u[first + k] = word >> k & 1 ? 1 : -1;
    }
}

static void add_squares(int64_t rows, int64_t ld, const ql_real *w, ql_real *acc)
{
    for (int64_t g = 0; g < rows; g++)
        for (int64_t j = 0; j < ld; j++) acc[j] += w[g * ld + j] * w[g * ld + j];
}

void ql_input_terms_strip(const ql_input_terms *t, const ql_params *p, const ql_kern *kern,
                          int64_t strip)
{
    const int64_t ld = ql_pad(t->n_out);
    const ql_span tiles = ql_strip_tiles(&t->tiling, strip);
    ql_real *part = t->parts + strip * stride(t), u[QL_TILE];
    memset(part, 0, (size_t)stride(t) * sizeof *part);
    for (int64_t tile = tiles.first; tile < tiles.first + tiles.count; tile++) {
        ql_span genes = ql_tile_genes(&t->tiling, tile);
        const ql_real *w = ql_param(p, t->weight) + genes.first * ld;
        if (t->jacobian == QL_JACOBIAN_PROBE) {
            draw_signs(t, tile, u);
            kern->gather_all(genes.count, u, w, ld, part);
        }
        if (t->jacobian == QL_JACOBIAN_EXACT) add_squares(genes.count, ld, w, part);
        if (t->orthogonal > 0)
            kern->gemm(&(ql_gemm){.m = t->n_out,
                                  .n = ld,
                                  .p = genes.count,
                                  .a = w,
                                  .a_row = 1,
                                  .a_col = ld,
                                  .b = w,
                                  .ldb = ld,
                                  .c = part + ld,
                                  .ldc = ld,
                                  .start = QL_FROM_C});
    }
}

void ql_input_terms_reduce(const ql_input_terms *t, const ql_kern *kern)
{
    const int64_t ld = ql_pad(t->n_out);
    ql_real *gram = t->sums + ld;
    ql_strip_sum(kern, t->tiling.n_strips, t->parts, stride(t), 0, stride(t), t->sums);
    if (t->jacobian == QL_JACOBIAN_EXACT)
        for (int64_t u = 0; u < t->n_out; u++) t->sums[u] = (ql_real)sqrt((double)t->sums[u]);
    if (!(t->orthogonal > 0)) return;
    for (int64_t u = 0; u < t->n_out; u++) gram[u * ld + u] -= 1;
    for (int64_t i = 0; i < t->n_out * ld; i++) gram[i] *= (ql_real)(4 * t->orthogonal);
}

/* The Jacobian's part: u x spread, or of the lengths |w| each column w times spread / |w|. */
static void add_jacobian(const ql_input_terms *t, const ql_kern *kern, const ql_real *w,
                         int64_t tile, ql_real *dw)
{
    const int64_t ld = ql_pad(t->n_out), rows = ql_tile_genes(&t->tiling, tile).count;
    ql_real u[QL_TILE];
    int32_t index[QL_TILE];
    if (t->jacobian == QL_JACOBIAN_PROBE) {
        for (int32_t g = 0; g < QL_TILE; g++) index[g] = g;
        draw_signs(t, tile, u);
        kern->scatter(rows, index, 0, u, dw, ld, t->spread);
        return;
    }
    for (int64_t g = 0; g < rows; g++)
        for (int64_t j = 0; j < t->n_out; j++)
            if (t->sums[j] > 0) dw[g * ld + j] += t->spread[j] / t->sums[j] * w[g * ld + j];
}

void ql_input_terms_add(const ql_input_terms *t, const ql_params *p, const ql_kern *kern,
                        int64_t tile, ql_real *dw)
{
    const int64_t ld = ql_pad(t->n_out);
    const ql_span genes = ql_tile_genes(&t->tiling, tile);
    const ql_real *w = ql_param(p, t->weight) + genes.first * ld;
    if (t->tied) kern->add(genes.count * ld, t->kept + genes.first * ld, dw);
    if (t->jacobian != QL_JACOBIAN_NONE) add_jacobian(t, kern, w, tile, dw);
    if (t->orthogonal > 0)
        kern->gemm(&(ql_gemm){.m = genes.count,
                              .n = ld,
                              .p = t->n_out,
                              .a = w,
                              .a_row = ld,
                              .a_col = 1,
                              .b = t->sums + ld,
                              .ldb = ld,
                              .c = dw,
                              .ldc = ld,
                              .start = QL_FROM_C});
}

double ql_input_terms_penalty(const ql_input_terms *t)
{
    const int64_t ld = ql_pad(t->n_out);
    double sum = 0;
    if (!(t->orthogonal > 0)) return 0;
    for (int64_t i = ld; i < stride(t); i++) sum += (double)t->sums[i] * (double)t->sums[i];
    return sum / (16 * t->orthogonal);
}
