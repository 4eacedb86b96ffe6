/* Kernels: the inner loops of the engine, one table per instruction set, all tables the same bits.
 *
 * Every array dimension that vectors run along is padded to a multiple of QL_PAD; pads hold finite
 * numbers. Every output element is one chain of fused multiply-adds in a fixed order, and
 * horizontal sums use QL_LANES virtual lanes with a fixed fold, so the vector width changes no bit.
 * All functions are pure: no allocation, no global state, callable from any thread. */
#ifndef QUELL_KERN_H
#define QUELL_KERN_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/real.h"
#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define QL_PAD   32
#define QL_LANES 16
static inline int64_t ql_pad(int64_t n)
{
    return (n + QL_PAD - 1) / QL_PAD * QL_PAD;
}

/* What a product starts from. */
typedef enum {
    QL_FROM_ZERO, /* C = A B */
    QL_FROM_C,    /* C = C + A B */
    QL_FROM_BIAS  /* C[i, :] = bias[i] + (A B)[i, :] */
} ql_gemm_start;

/* C [m, n] from A [m, p] and B [p, n]. A's element (i, k) is a[i * a_row + k * a_col] (so A may be
 * a transpose), B and C are row-major with strides ldb, ldc; n is a multiple of QL_PAD. Each C
 * element: one chain of fma over k = 0 .. p-1. */
typedef struct {
    int64_t m, n, p;
    const ql_real *a;
    int64_t a_row, a_col;
    const ql_real *b;
    int64_t ldb;
    ql_real *c;
    int64_t ldc;
    ql_gemm_start start;
    const ql_real *bias; /* [m], for QL_FROM_BIAS */
} ql_gemm;

/* How theta is made from its pre-activation (Eraslan et al. 2019; docs/model.md). */
typedef enum {
    QL_DISP_NONE,     /* the likelihood has no theta */
    QL_DISP_GENE,     /* one free parameter t per gene: theta = clip(exp t, 1e-3, 1e4) */
    QL_DISP_CELL,     /* one per cell and gene: theta = clip(softplus a, 1e-4, 1e4) */
    QL_DISP_EXP_GENE, /* one free parameter t per gene: theta = exp(clip(t, -15, 15)) */
    QL_DISP_EXP_CELL  /* one per cell and gene, made in the same way */
} ql_disp_kind;

/* One tile of a count likelihood. The loss leaves out ln y!, which no parameter changes. */
typedef struct {
    int64_t n;  /* sweep: genes (rows); list: entries, a multiple of QL_PAD */
    int64_t ld; /* sweep: padded cells, the row stride */
    /* in: pre-activations, out: weight * d loss / d pre-activation. Sweep: [n, ld]; list: [n].
     * With one dispersion per gene disp is only written by the sweep, and disp_gene [pad(n)] is
     * read. */
    ql_real *mean, *disp, *pi;
    const ql_real *disp_gene;
    const ql_real *mean_in; /* sweep, link: where the mean's are read instead; NULL: in mean */
    ql_real *product;       /* sweep: [ld] work space of likelihoods of shares with a pi */
    const ql_real *count;   /* list: [n], > 0; where it is not whole and below 4, ln gamma terms
                               take it rounded up */
    const ql_real *size;    /* size factors; sweep: [ld], list: [n] */
    const ql_real *weight;  /* factor of the gradient, 0 for pads; sweep: [ld], list: [n] */
    ql_real *loss;          /* sweep: [ld], loss at count 0 is added;
                               list: [n], set to loss(count) - loss(0) */
    ql_real ridge;          /* penalty factor of pi^2 */
} ql_lik_args;

typedef struct {
    void (*sweep)(const ql_lik_args *args); /* every entry as if its count were 0 */
    void (*list)(const ql_lik_args *args);  /* the entries with counts */
    void (*link)(const ql_lik_args *args); /* pre-activations to mu, theta, pi, layout of a sweep */
} ql_lik_kern;

/* X(name, dispersion kinds): the likelihoods that kernels exist for; src/kern/lik_<name>.h */
#define QL_LIK_MAP(X)                                                                              \
    X(normal, NONE)                                                                                \
    X(poisson, NONE)                                                                               \
    X(nb, GENE)                                                                                    \
    X(nb, CELL)                                                                                    \
    X(zinb, GENE)                                                                                  \
    X(zinb, CELL)

/* The same for means that are shares: src/kern/lik_share.h, lik_share_nb.h. Here `mean` is no
 * pre-activation, but exp(logit - the cell's largest in the tile) in and d loss / d ln mu out, and
 * `size` what makes mu of it (bernoulli: log-odds, and without size). */
#define QL_LIK_SHARE_MAP(X)                                                                        \
    X(share_poisson, NONE)                                                                         \
    X(share_nb, EXP_GENE)                                                                          \
    X(share_nb, EXP_CELL)                                                                          \
    X(share_zinb, EXP_GENE)                                                                        \
    X(share_zinb, EXP_CELL)                                                                        \
    X(share_normal, EXP_GENE)                                                                      \
    X(share_normal, EXP_CELL)                                                                      \
    X(bernoulli, NONE)

/* The entries with counts of one tile and block of cells, as lists. */
typedef struct {
    int32_t *place; /* where in the tile's [genes, ld] arrays the entry is */
    int32_t *row;   /* its gene, counted from the tile's first */
    ql_real *count, *size, *weight;
} ql_entry_lists;

/* Those of one cell, before they are listed. */
typedef struct {
    const int32_t *gene;
    const ql_real *count;
    int32_t first, ld, column; /* first gene of the tile; place = (gene - first) * ld + column */
    ql_real size, weight;
} ql_cell_entries;

/* One step of an optimizer: what its kernel needs beside the arrays, and the kernel. */
typedef struct ql_opt_step ql_opt_step;
typedef void (*ql_opt_kern)(int64_t n, ql_real *w, const ql_real *grad, ql_real *m, ql_real *v,
                            const ql_opt_step *step);
struct ql_opt_step {
    ql_real rate;         /* learning rate of this step (bias corrections included) */
    ql_real decay1;       /* Adam: decay of the first moment */
    ql_real decay2;       /* RMSprop, Adam: decay of the second moment */
    ql_real eps;          /* outside the root; above 0 */
    ql_real clip;         /* elementwise bound on the gradient; 0: none */
    ql_real l1, l2;       /* penalties l1 |w| + l2 w^2 */
    ql_real weight_decay; /* AdamW: w shrinks by rate * weight_decay * w; bias corrections divided
                             out */
    ql_opt_kern update;   /* the rule's kernel in the table in use */
};

/* X(name): the optimizers that kernels exist for; opt_<name> in src/kern/kern_template.h */
#define QL_OPT_MAP(X) X(sgd) X(rmsprop) X(adam)

typedef struct {
    const char *isa;
    void (*gemm)(const ql_gemm *g);

    /* y[i] = sum of x[i * ld .. + n), n a multiple of QL_PAD, in QL_LANES virtual lanes */
    void (*row_sums)(int64_t rows, int64_t n, const ql_real *x, int64_t ld, ql_real *y);

    /* y += x; n a multiple of QL_PAD */
    void (*add)(int64_t n, const ql_real *x, ql_real *y);

    /* acc [h] += sum_i value[i] * w[(index[i] - first) * h ...], even i in one chain, odd
     * i in another; h multiple of QL_PAD */
    void (*gather)(int64_t n, const int32_t *index, int32_t first, const ql_real *value,
                   const ql_real *w, int64_t h, ql_real *acc);
    /* acc [h] += sum_i value[i] * w[i * h ...]: the same for rows 0 .. n-1 */
    void (*gather_all)(int64_t n, const ql_real *value, const ql_real *w, int64_t h, ql_real *acc);
    /* w[(index[i] - first) * h ...] += value[i] * d [h] */
    void (*scatter)(int64_t n, const int32_t *index, int32_t first, const ql_real *value,
                    ql_real *w, int64_t h, const ql_real *d);
    /* w[i * h ...] = value[i] * d [h] for i in [0, n) */
    void (*outer)(int64_t n, const ql_real *value, ql_real *w, int64_t h, const ql_real *d);

    /* y = f(x), n a multiple of QL_PAD, in place allowed */
    void (*exp)(int64_t n, const ql_real *x, ql_real *y);
    void (*log)(int64_t n, const ql_real *x, ql_real *y);
    void (*log1p)(int64_t n, const ql_real *x, ql_real *y);

    /* Append a cell's n entries to the lists of a tile from position `at`. Up to QL_PAD - 1
     * elements beyond n are read and written, whatever they hold. */
    void (*list_cell)(int64_t n, const ql_cell_entries *cell, const ql_entry_lists *to, int64_t at);
    /* to[k] = from[index[k]], n a multiple of QL_PAD */
    void (*take)(int64_t n, const int32_t *index, const ql_real *from, ql_real *to);
    /* to[index[k]] = from[k] */
    void (*put)(int64_t n, const int32_t *index, const ql_real *from, ql_real *to);

    /* y[k] = f(count[k] * inv_size) * inv_sd[gene[k]] with f = log1p if log; n a multiple of
     * QL_PAD; y may be count */
    void (*input_values)(int64_t n, const ql_real *count, const int32_t *gene, ql_real inv_size,
                         const ql_real *inv_sd, int log, ql_real *y);

    /* n a multiple of QL_PAD; moments below 1e-30 become 0 */
#define X(name) ql_opt_kern name;
    QL_OPT_MAP(X)
#undef X

#define X(name, disp) ql_lik_kern name##_##disp;
    QL_LIK_MAP(X)
    QL_LIK_SHARE_MAP(X)
#undef X
    /* Over the columns of x [rows, ld]: most becomes the maximum of most and the column, sum that
     * of sum exp(most - new most) and exp(x - new most), rows in order. Begin with most at a large
     * negative number, sum 0. */
    void (*soft_sums)(int64_t rows, int64_t ld, const ql_real *x, ql_real *most, ql_real *sum);
    /* y [rows, ld] = x + row [ld] */
    void (*add_row)(int64_t rows, int64_t ld, const ql_real *x, const ql_real *row, ql_real *y);
    /* sum [ld] += x [rows, ld], rows in order */
    void (*column_sums)(int64_t rows, int64_t ld, const ql_real *x, ql_real *sum);
    /* Over the columns of x [rows, ld], rows in order: most [ld] their maxima, x = exp(x - most),
     * sum [ld] its sums. rows > 0 */
    void (*soft_exp)(int64_t rows, int64_t ld, ql_real *x, ql_real *most, ql_real *sum);
    /* x [rows, ld] = exp(x - most [ld]): the same x once most is known */
    void (*exp_less)(int64_t rows, int64_t ld, ql_real *x, const ql_real *most);
    /* y [rows, ld] = x - e pull [ld] */
    void (*share_gradient)(int64_t rows, int64_t ld, const ql_real *e, const ql_real *pull,
                           const ql_real *x, ql_real *y);
    ql_lik_kern gaussian; /* squared error; `count` is a scaled input, of any size */
} ql_kern;

/* The best table this processor runs, or the one QUELL_ISA asks for (scalar, avx2, avx512, neon; it
 * can only lower). Fails with QL_EUSAGE when QUELL_ISA names none that runs here. */
QL_MUST_USE ql_status ql_kern_select(const ql_kern **out, ql_err *err);

/* The table of that name, or NULL when it is not built in or does not run here. */
const ql_kern *ql_kern_find(const char *isa);
extern const char *const ql_kern_names[]; /* every name, best first, NULL-terminated */

/* *out = base with products in bfloat16 (operands rounded to 8 bits, sums in float32) and *how it
 * is done ("amx", "avx512-bf16"); false where this processor cannot. The bits of a result then
 * depend on the processor; not on the number of threads. */
QL_MUST_USE bool ql_kern_bf16(const ql_kern *base, ql_kern *out, const char **how);

/* Name of table i of those that are built into the program, best first; NULL past the end. */
const char *ql_kern_built(int i);

/* Name of the table that ql_kern_select would give ("?" when QUELL_ISA is wrong). */
const char *ql_kern_isa_name(void);

#ifdef __cplusplus
}
#endif
#endif
