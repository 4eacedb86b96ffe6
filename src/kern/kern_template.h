/* Every kernel, written once on the operations of vec_<isa>.h. A file kern_<isa>.c defines
 * KERN_NAME and KERN_TABLE, includes its vector header, and includes this. */
#include <stddef.h>

#include "quell/kern.h"

#define QL_INLINE static inline __attribute__((always_inline))

#include "gemm_template.h"

/* Lane l of QL_LANES takes elements l, l + QL_LANES, ...; the lanes are folded in halves. */
static ql_real virtual_lane_sum(int64_t n, const ql_real *x)
{
    vf acc[QL_LANES / VL];
    for (int v = 0; v < QL_LANES / VL; v++) acc[v] = v_set(0);
    for (int64_t j = 0; j < n; j += QL_LANES)
        for (int v = 0; v < QL_LANES / VL; v++) acc[v] = v_add(acc[v], v_load(x + j + v * VL));
    return v_fold(acc);
}

static void row_sums(int64_t rows, int64_t n, const ql_real *x, int64_t ld, ql_real *y)
{
    for (int64_t i = 0; i < rows; i++) y[i] = virtual_lane_sum(n, x + i * ld);
}

static void add(int64_t n, const ql_real *x, ql_real *y)
{
    for (int64_t i = 0; i < n; i += VL) v_store(y + i, v_add(v_load(y + i), v_load(x + i)));
}

/* Vectors of h handled at a time by gather, so that they stay in registers. */
#define GATHER_VECS 4

QL_INLINE void gather_columns(int64_t n, const int32_t *index, int32_t first, const ql_real *value,
                              const ql_real *w, int64_t h, ql_real *acc, const int vecs)
{
    vf even[GATHER_VECS], odd[GATHER_VECS];
    int64_t i = 0;
#pragma GCC unroll 4
    for (int v = 0; v < vecs; v++) {
        even[v] = v_load(acc + v * VL);
        odd[v] = v_set(0);
    }
    for (; i + 2 <= n; i += 2) {
        const ql_real *row = w + (index ? index[i] - first : i) * h;
        const ql_real *next = w + (index ? index[i + 1] - first : i + 1) * h;
        vf x = v_set(value[i]), y = v_set(value[i + 1]);
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++) {
            even[v] = v_fma(x, v_load(row + v * VL), even[v]);
            odd[v] = v_fma(y, v_load(next + v * VL), odd[v]);
        }
    }
    if (i < n) {
        const ql_real *row = w + (index ? index[i] - first : i) * h;
        vf x = v_set(value[i]);
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++) even[v] = v_fma(x, v_load(row + v * VL), even[v]);
    }
#pragma GCC unroll 4
    for (int v = 0; v < vecs; v++) v_store(acc + v * VL, v_add(even[v], odd[v]));
}

static void gather(int64_t n, const int32_t *index, int32_t first, const ql_real *value,
                   const ql_real *w, int64_t h, ql_real *acc)
{
    int64_t j = 0;
    for (; j + GATHER_VECS * VL <= h; j += GATHER_VECS * VL)
        gather_columns(n, index, first, value, w + j, h, acc + j, GATHER_VECS);
    for (; j < h; j += VL) gather_columns(n, index, first, value, w + j, h, acc + j, 1);
}

static void gather_all(int64_t n, const ql_real *value, const ql_real *w, int64_t h, ql_real *acc)
{
    gather(n, NULL, 0, value, w, h, acc);
}

/* Vectors of d that scatter keeps in registers. */
#define SCATTER_VECS 8

QL_INLINE void scatter_columns(int64_t n, const int32_t *index, int32_t first, const ql_real *value,
                               ql_real *w, int64_t h, const ql_real *d, const int vecs)
{
    vf kept[SCATTER_VECS];
#pragma GCC unroll 8
    for (int v = 0; v < vecs; v++) kept[v] = v_load(d + v * VL);
    for (int64_t i = 0; i < n; i++) {
        ql_real *row = w + (index[i] - first) * h;
        vf x = v_set(value[i]);
#pragma GCC unroll 8
        for (int v = 0; v < vecs; v++)
            v_store(row + v * VL, v_fma(x, kept[v], v_load(row + v * VL)));
    }
}

static void scatter(int64_t n, const int32_t *index, int32_t first, const ql_real *value,
                    ql_real *w, int64_t h, const ql_real *d)
{
    int64_t j = 0;
    for (; j + 8 * VL <= h; j += 8 * VL)
        scatter_columns(n, index, first, value, w + j, h, d + j, 8);
    for (; j + 4 * VL <= h; j += 4 * VL)
        scatter_columns(n, index, first, value, w + j, h, d + j, 4);
    for (; j < h; j += VL) scatter_columns(n, index, first, value, w + j, h, d + j, 1);
}

static void outer(int64_t n, const ql_real *value, ql_real *w, int64_t h, const ql_real *d)
{
    for (int64_t i = 0; i < n; i++) {
        vf x = v_set(value[i]);
        for (int64_t j = 0; j < h; j += VL) v_store(w + i * h + j, v_mul(x, v_load(d + j)));
    }
}

static void list_cell(int64_t n, const ql_cell_entries *cell, const ql_entry_lists *to, int64_t at)
{
    vi first = vi_set(cell->first), ld = vi_set(cell->ld), column = vi_set(cell->column);
    vf size = v_set(cell->size), weight = v_set(cell->weight);
    for (int64_t k = 0; k < n; k += VL) {
        vi row = vi_sub(vi_load(cell->gene + k), first);
        vi_store(to->row + at + k, row);
        vi_store(to->place + at + k, vi_add(vi_mul(row, ld), column));
        v_store(to->count + at + k, v_load(cell->count + k));
        v_store(to->size + at + k, size);
        v_store(to->weight + at + k, weight);
    }
}

static void take(int64_t n, const int32_t *index, const ql_real *from, ql_real *to)
{
    for (int64_t k = 0; k < n; k += VL) v_store(to + k, v_gather(from, index + k));
}

static void put(int64_t n, const int32_t *index, const ql_real *from, ql_real *to)
{
    for (int64_t k = 0; k < n; k++) to[index[k]] = from[k];
}

#ifdef VEC_PAIRS
#include "vec_pair.h"
#endif

#include "vec_math.h"
#include "lik_common.h"
#include "lik_normal.h"
#include "lik_poisson.h"
#include "lik_nb.h"
#include "lik_zinb.h"
#include "lik_gaussian.h"
#include "lik_share.h"
#include "lik_share_nb.h"

/* clang-format off */
#define X(name, kind) LIK_DEFINE(name, kind)
QL_LIK_MAP(X)
QL_LIK_SHARE_MAP(X)
#undef X
/* clang-format on */

/* Running maximum and sum of exp(x - maximum) over the rows of x, for each of its columns: the
 * columns of SOFT_VECS vectors at a time, so that their chains overlap. */
#define SOFT_VECS 4

QL_INLINE void soft_columns(int64_t rows, int64_t ld, const ql_real *x, ql_real *most, ql_real *sum,
                            const int vecs)
{
    vf m[SOFT_VECS], s[SOFT_VECS];
    for (int v = 0; v < vecs; v++) m[v] = v_load(most + v * VL);
    for (int64_t i = 0; i < rows; i++)
        for (int v = 0; v < vecs; v++) m[v] = v_max(m[v], v_load(x + i * ld + v * VL));
    for (int v = 0; v < vecs; v++)
        s[v] = v_mul(v_load(sum + v * VL), v_exp(v_sub(v_load(most + v * VL), m[v])));
    for (int64_t i = 0; i < rows; i++)
        for (int v = 0; v < vecs; v++)
            s[v] = v_add(s[v], v_exp(v_sub(v_load(x + i * ld + v * VL), m[v])));
    for (int v = 0; v < vecs; v++) {
        v_store(most + v * VL, m[v]);
        v_store(sum + v * VL, s[v]);
    }
}

static void soft_sums(int64_t rows, int64_t ld, const ql_real *x, ql_real *most, ql_real *sum)
{
    int64_t j = 0;
    for (; j + SOFT_VECS * VL <= ld; j += SOFT_VECS * VL)
        soft_columns(rows, ld, x + j, most + j, sum + j, SOFT_VECS);
    for (; j < ld; j += VL) soft_columns(rows, ld, x + j, most + j, sum + j, 1);
}

static void add_row(int64_t rows, int64_t ld, const ql_real *x, const ql_real *row, ql_real *y)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < ld; j += VL)
            v_store(y + i * ld + j, v_add(v_load(x + i * ld + j), v_load(row + j)));
}

QL_INLINE void add_columns(int64_t rows, int64_t ld, const ql_real *x, ql_real *sum, const int vecs)
{
    vf s[SOFT_VECS];
    for (int v = 0; v < vecs; v++) s[v] = v_load(sum + v * VL);
    for (int64_t i = 0; i < rows; i++)
        for (int v = 0; v < vecs; v++) s[v] = v_add(s[v], v_load(x + i * ld + v * VL));
    for (int v = 0; v < vecs; v++) v_store(sum + v * VL, s[v]);
}

static void column_sums(int64_t rows, int64_t ld, const ql_real *x, ql_real *sum)
{
    int64_t j = 0;
    for (; j + SOFT_VECS * VL <= ld; j += SOFT_VECS * VL)
        add_columns(rows, ld, x + j, sum + j, SOFT_VECS);
    for (; j < ld; j += VL) add_columns(rows, ld, x + j, sum + j, 1);
}

QL_INLINE void exp_columns(int64_t rows, int64_t ld, ql_real *x, ql_real *most, ql_real *sum,
                           const int vecs)
{
    vf m[SOFT_VECS], s[SOFT_VECS];
    for (int v = 0; v < vecs; v++) m[v] = v_load(x + v * VL);
    for (int64_t i = 1; i < rows; i++)
        for (int v = 0; v < vecs; v++) m[v] = v_max(m[v], v_load(x + i * ld + v * VL));
    for (int v = 0; v < vecs; v++) s[v] = v_set(0);
    for (int64_t i = 0; i < rows; i++)
        for (int v = 0; v < vecs; v++) {
            ql_real *at = x + i * ld + v * VL;
            vf e = v_exp(v_sub(v_load(at), m[v]));
            s[v] = v_add(s[v], e);
            v_store(at, e);
        }
    for (int v = 0; v < vecs; v++) {
        v_store(most + v * VL, m[v]);
        v_store(sum + v * VL, s[v]);
    }
}

static void soft_exp(int64_t rows, int64_t ld, ql_real *x, ql_real *most, ql_real *sum)
{
    int64_t j = 0;
    for (; j + SOFT_VECS * VL <= ld; j += SOFT_VECS * VL)
        exp_columns(rows, ld, x + j, most + j, sum + j, SOFT_VECS);
    for (; j < ld; j += VL) exp_columns(rows, ld, x + j, most + j, sum + j, 1);
}

static void exp_less(int64_t rows, int64_t ld, ql_real *x, const ql_real *most)
{
    for (int64_t i = 0; i < rows * ld; i += ld)
        for (int64_t j = 0; j < ld; j += VL)
            v_store(x + i + j, v_exp(v_sub(v_load(x + i + j), v_load(most + j))));
}

static void share_gradient(int64_t rows, int64_t ld, const ql_real *e, const ql_real *pull,
                           const ql_real *x, ql_real *y)
{
    for (int64_t i = 0; i < rows * ld; i += ld)
        for (int64_t j = 0; j < ld; j += VL) {
            vf minus = v_sub(v_set(0), v_load(pull + j));
            v_store(y + i + j, v_fma(v_load(e + i + j), minus, v_load(x + i + j)));
        }
}

static void map_exp(int64_t n, const ql_real *x, ql_real *y)
{
    for (int64_t i = 0; i < n; i += VL) v_store(y + i, v_exp(v_load(x + i)));
}

static void map_log(int64_t n, const ql_real *x, ql_real *y)
{
    for (int64_t i = 0; i < n; i += VL) v_store(y + i, v_log(v_load(x + i)));
}

static void map_log1p(int64_t n, const ql_real *x, ql_real *y)
{
    for (int64_t i = 0; i < n; i += VL) v_store(y + i, v_log1p(v_load(x + i)));
}

static void input_values(int64_t n, const ql_real *count, const int32_t *gene, ql_real inv_size,
                         const ql_real *inv_sd, int log, ql_real *y)
{
    vf scale = v_set(inv_size);
    for (int64_t k = 0; k < n; k += VL) {
        vf x = v_mul(v_load(count + k), scale);
        v_store(y + k, v_mul(log ? v_log1p(x) : x, v_gather(inv_sd, gene + k)));
    }
}

/* The gradient as an optimizer sees it: penalties added, then clipped. */
static inline vf opt_gradient(vf g, vf w, const ql_opt_step *s)
{
    if (s->l2 != 0) g = v_fma(v_set(2 * s->l2), w, g);
    if (s->l1 != 0) {
        vf zero = v_set(0), plus = v_set(s->l1), minus = v_set(-s->l1);
        g = v_add(g, v_select(v_lt(zero, w), plus, v_select(v_lt(w, zero), minus, zero)));
    }
    if (s->clip > 0) g = clip(g, -s->clip, s->clip);
    return g;
}

/* Moments that fade away (a unit that is never active) would end among the denormal numbers, where
 * processors are many times slower: the first is 0 below TINY, the second never below it, which
 * beside eps is nothing. */
#define TINY (ql_real)1e-30
static inline vf first_moment(vf m)
{
    return v_select(v_lt(v_abs(m), v_set(TINY)), v_set(0), m);
}

static inline vf second_moment(vf v)
{
    return v_max(v_set(TINY), v);
}

static inline vf opt_decay(vf w, const ql_opt_step *s)
{
    return s->weight_decay != 0 ? v_fma(v_set(-s->rate * s->weight_decay), w, w) : w;
}

static void opt_sgd(int64_t n, ql_real *w, const ql_real *grad, ql_real *m, ql_real *v,
                    const ql_opt_step *s)
{
    (void)m;
    (void)v;
    for (int64_t i = 0; i < n; i += VL) {
        vf wi = v_load(w + i), g = opt_gradient(v_load(grad + i), wi, s);
        v_store(w + i, v_fma(v_set(-s->rate), g, opt_decay(wi, s)));
    }
}

static void opt_rmsprop(int64_t n, ql_real *w, const ql_real *grad, ql_real *m, ql_real *v,
                        const ql_opt_step *s)
{
    (void)m;
    vf keep = v_set(s->decay2), take = v_set(1 - s->decay2);
    for (int64_t i = 0; i < n; i += VL) {
        vf wi = v_load(w + i), g = opt_gradient(v_load(grad + i), wi, s);
        vf second = second_moment(v_fma(keep, v_load(v + i), v_mul(take, v_mul(g, g))));
        vf inv = v_inverse(v_add(v_sqrt(second), v_set(s->eps)));
        v_store(v + i, second);
        v_store(w + i, v_fma(v_mul(v_set(-s->rate), g), inv, opt_decay(wi, s)));
    }
}

static void opt_adam(int64_t n, ql_real *w, const ql_real *grad, ql_real *m, ql_real *v,
                     const ql_opt_step *s)
{
    vf keep1 = v_set(s->decay1), take1 = v_set(1 - s->decay1);
    vf keep2 = v_set(s->decay2), take2 = v_set(1 - s->decay2);
    for (int64_t i = 0; i < n; i += VL) {
        vf wi = v_load(w + i), g = opt_gradient(v_load(grad + i), wi, s);
        vf mi = first_moment(v_fma(keep1, v_load(m + i), v_mul(take1, g)));
        vf second = second_moment(v_fma(keep2, v_load(v + i), v_mul(take2, v_mul(g, g))));
        vf inv = v_inverse(v_add(v_sqrt(second), v_set(s->eps)));
        v_store(m + i, mi);
        v_store(v + i, second);
        v_store(w + i, v_fma(v_mul(v_set(-s->rate), mi), inv, opt_decay(wi, s)));
    }
}

const ql_kern KERN_TABLE = {.isa = KERN_NAME,
                            .gemm = gemm,
                            .row_sums = row_sums,
                            .add = add,
                            .gather = gather,
                            .gather_all = gather_all,
                            .scatter = scatter,
                            .outer = outer,
                            .exp = map_exp,
                            .log = map_log,
                            .log1p = map_log1p,
                            .list_cell = list_cell,
                            .take = take,
                            .put = put,
                            .input_values = input_values,
                            .gaussian = {gaussian_sweep, gaussian_list, gaussian_link},
                            .soft_sums = soft_sums,
                            .add_row = add_row,
                            .column_sums = column_sums,
                            .soft_exp = soft_exp,
                            .exp_less = exp_less,
                            .share_gradient = share_gradient,
#define X(name) .name = opt_##name,
                            QL_OPT_MAP(X)
#undef X
#define X(name, kind)                                                                              \
    .name##_##kind = {name##_##kind##_sweep, name##_##kind##_list, name##_##kind##_link},
                                QL_LIK_MAP(X) QL_LIK_SHARE_MAP(X)
#undef X
};
