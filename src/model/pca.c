/* Block Lanczos on A'A with full orthogonalisation and restarts.
 *
 * The basis Q grows by a block of vectors a pass over the rows: A'A Q = Q T + next R, T small and
 * symmetric. An eigenvector y of T gives the vector Q y, whose error |A'A Q y - t Q y| is that of R
 * times the last block of y: known without another pass. When the basis is full, it is replaced by
 * its best vectors, and T by their values. */
#include "quell/pca.h"

#include <math.h>
#include <string.h>

#include "centred_rows.h"
#include "quell/alloc.h"
#include "quell/eigen.h"
#include "quell/interrupt.h"
#include "quell/parallel.h"

enum {
    BLOCK = QL_PCA_BLOCK,
    CHUNK = 64,     /* genes rotated at a time on a restart */
    ROTATE_MOST = 8 /* of these at a time */
};

/* What is left of a vector after the others are taken out is rounding below this share of the
 * matrix. */
#define NOTHING 1e-11

typedef struct {
    ql_centred rows;
    int64_t genes, wanted, room; /* room: most vectors of the basis */
    int64_t n, last;             /* vectors of the basis; of its last block */
    int64_t next;                /* vectors of the block to come */
    double *basis;               /* [room + BLOCK, genes]; the block to come follows the basis */
    double *t;                   /* [room, room] */
    double r[BLOCK * BLOCK];     /* [next, last] */
    double *packed, *product;    /* [genes, BLOCK] */
    double *h;                   /* [room + BLOCK, BLOCK] */
    double *copy, *vectors, *value, *work; /* of the eigenvalue problem */
    double *chunks;                        /* [ROTATE_MOST, room, CHUNK] */
    int64_t n_keep;                        /* vectors kept on a restart */
    double scale;                          /* largest eigenvalue so far */
    uint64_t seed;
} krylov;

static int64_t room_for(int64_t components)
{
    return 2 * components + 10 * BLOCK;
}

int64_t ql_pca_bytes(const ql_rows *counts, const ql_pca_options *opt)
{
    int64_t room = room_for(opt->components), genes = counts->n_cols;
    return ql_centred_bytes(counts) +
           8 * ((room + 3 * BLOCK + opt->components) * genes + 3 * room * room +
                (BLOCK + 4 + ROTATE_MOST * CHUNK) * room);
}

static void krylov_free(krylov *k)
{
    double *const owned[] = {k->basis, k->t,       k->packed, k->product, k->h,
                             k->copy,  k->vectors, k->value,  k->work,    k->chunks};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) ql_free(owned[i]);
    ql_centred_close(&k->rows);
}

static ql_status krylov_new(krylov *k, const ql_rows *counts, const ql_prep *prep,
                            const ql_pca_options *opt, const ql_kern *kern, ql_err *err)
{
    const int64_t room = room_for(opt->components), genes = prep->n_kept_genes;
    *k = (krylov){
        .genes = genes, .wanted = opt->components, .room = room, .next = BLOCK, .seed = opt->seed};
    QL_TRY(ql_centred_open(&k->rows, counts, prep, kern, opt->threads, err));
    QL_TRY(QL_NEW(k->basis, (room + BLOCK) * genes, "principal components", err));
    QL_TRY(QL_NEW(k->t, room * room, "principal components", err));
    QL_TRY(QL_NEW(k->packed, genes * BLOCK, "principal components", err));
    QL_TRY(QL_NEW(k->product, genes * BLOCK, "principal components", err));
    QL_TRY(QL_NEW(k->h, (room + BLOCK) * BLOCK, "principal components", err));
    QL_TRY(QL_NEW(k->copy, room * room, "principal components", err));
    QL_TRY(QL_NEW(k->vectors, room * room, "principal components", err));
    QL_TRY(QL_NEW(k->value, room, "principal components", err));
    QL_TRY(QL_NEW(k->work, 2 * room, "principal components", err));
    return QL_NEW(k->chunks, ROTATE_MOST * room * CHUNK, "principal components", err);
}

static double *vector(const krylov *k, int64_t i)
{
    return k->basis + i * k->genes;
}

/* In four chains: shorter than one, and the same everywhere. */
static double dot(int64_t n, const double *x, const double *y)
{
    double s[4] = {0};
    int64_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (int c = 0; c < 4; c++) s[c] += x[i + c] * y[i + c];
    for (; i < n; i++) s[i % 4] += x[i] * y[i];
    return (s[0] + s[1]) + (s[2] + s[3]);
}

static void subtract(int64_t n, double factor, const double *x, double *y)
{
    for (int64_t i = 0; i < n; i++) y[i] -= factor * x[i];
}

/* ---- the block to come ---- */

static void start_vector(void *ctx, int64_t j)
{
    krylov *k = ctx;
    double *x = vector(k, j);
    for (int64_t g = 0; g < k->genes; g++) {
        ql_rng_block b = ql_rng_at(k->seed, QL_RNG_PCA, (uint64_t)g, (uint64_t)j, 0);
        x[g] = ql_rng_normal(b.word[0]);
    }
}

/* Take the basis out of vector j of the block to come, twice, for what rounding leaves of it the
 * first time; h gets the coefficients. */
static void project(void *ctx, int64_t j)
{
    krylov *k = ctx;
    double *x = vector(k, k->n + j);
    for (int64_t i = 0; i < k->n; i++) k->h[i * BLOCK + j] = 0;
    for (int again = 0; again < 2; again++)
        for (int64_t i = 0; i < k->n; i++) {
            double c = dot(k->genes, vector(k, i), x);
            k->h[i * BLOCK + j] += c;
            subtract(k->genes, c, vector(k, i), x);
        }
}

static void project_block(krylov *k)
{
    ql_parallel_for(k->rows.threads, k->next, project, k);
}

/* Make the block to come orthonormal; r [kept, columns] is what it was made of. Vectors of which no
 * more than `nothing` is left are dropped. */
static void orthonormalise(krylov *k, double nothing, double r[BLOCK * BLOCK])
{
    int64_t kept = 0;
    memset(r, 0, BLOCK * BLOCK * sizeof *r);
    for (int64_t j = 0; j < k->next; j++) {
        double *x = vector(k, k->n + j), *to = vector(k, k->n + kept);
        for (int again = 0; again < 2; again++)
            for (int64_t i = 0; i < kept; i++) {
                double c = dot(k->genes, vector(k, k->n + i), x);
                r[i * BLOCK + j] += c;
                subtract(k->genes, c, vector(k, k->n + i), x);
            }
        double norm = sqrt(dot(k->genes, x, x));
        if (!(norm > nothing)) continue;
        r[kept * BLOCK + j] = norm;
        for (int64_t g = 0; g < k->genes; g++) to[g] = x[g] / norm;
        kept++;
    }
    k->next = kept;
}

/* The block to come joins the basis; its product with A'A, cleared of the basis, becomes the next
 * one. */
static ql_status expand(krylov *k, ql_err *err)
{
    const int64_t first = k->n, columns = k->next;
    memset(k->packed, 0, (size_t)(k->genes * BLOCK) * sizeof *k->packed);
    for (int64_t j = 0; j < columns; j++)
        for (int64_t g = 0; g < k->genes; g++) k->packed[g * BLOCK + j] = vector(k, first + j)[g];
    QL_TRY(ql_centred_square(&k->rows, k->packed, k->product, err));
    k->n += columns;
    k->last = columns;
    for (int64_t j = 0; j < columns; j++)
        for (int64_t g = 0; g < k->genes; g++) vector(k, k->n + j)[g] = k->product[g * BLOCK + j];
    project_block(k);
    for (int64_t i = 0; i < k->n; i++)
        for (int64_t j = 0; j < columns; j++)
            k->t[i * k->room + first + j] = k->t[(first + j) * k->room + i] = k->h[i * BLOCK + j];
    return QL_OK;
}

/* Twice: the first makes unit vectors of remainders that may be small, and the basis shows in them
 * again. */
static void finish_block(krylov *k)
{
    double unused[BLOCK * BLOCK];
    orthonormalise(k, NOTHING * k->scale, k->r);
    project_block(k);
    orthonormalise(k, 0, unused);
}

/* ---- its eigenvectors ---- */

static ql_status solve(krylov *k, ql_err *err)
{
    for (int64_t i = 0; i < k->n; i++)
        for (int64_t j = 0; j < k->n; j++)
            k->copy[i * k->n + j] = (k->t[i * k->room + j] + k->t[j * k->room + i]) / 2;
    QL_TRY(ql_eigen_symmetric(k->n, k->copy, k->vectors, k->value, k->work, err));
    if (k->value[0] > k->scale) k->scale = k->value[0];
    return QL_OK;
}

/* |A'A x - t x| / t of the i-th vector. */
static double error_of(const krylov *k, int64_t i)
{
    const double *y = k->vectors + i * k->n + (k->n - k->last);
    double sum = 0;
    for (int64_t a = 0; a < k->next; a++) {
        double x = 0;
        for (int64_t j = 0; j < k->last; j++) x += k->r[a * BLOCK + j] * y[j];
        sum += x * x;
    }
    return sum > 0 ? sqrt(sum) / k->value[i] : 0;
}

/* Components of which there is something: their number, and the largest error of them. */
static int64_t found(const krylov *k, double *worst)
{
    int64_t n = k->n < k->wanted ? k->n : k->wanted, i = 0;
    *worst = 0;
    for (; i < n && k->value[i] > NOTHING * k->scale; i++) *worst = fmax(*worst, error_of(k, i));
    return i;
}

/* The genes of every ROTATE_MOST-th chunk, in all vectors: basis <- eigenvectors times basis. */
static void rotate_chunks(void *ctx, int64_t item)
{
    krylov *k = ctx;
    double *to = k->chunks + item * k->room * CHUNK;
    for (int64_t g0 = item * CHUNK; g0 < k->genes; g0 += ROTATE_MOST * CHUNK) {
        const int64_t n = k->genes - g0 < CHUNK ? k->genes - g0 : CHUNK;
        memset(to, 0, (size_t)(k->n_keep * CHUNK) * sizeof *to);
        for (int64_t i = 0; i < k->n_keep; i++)
            for (int64_t j = 0; j < k->n; j++)
                subtract(n, -k->vectors[i * k->n + j], vector(k, j) + g0, to + i * CHUNK);
        for (int64_t i = 0; i < k->n_keep; i++)
            memcpy(vector(k, i) + g0, to + i * CHUNK, (size_t)n * sizeof *to);
    }
}

static void rotate(krylov *k, int64_t keep)
{
    k->n_keep = keep;
    ql_parallel_for(k->rows.threads, ROTATE_MOST, rotate_chunks, k);
}

/* Keep the best vectors; the block to come moves up behind them. */
static void restart(krylov *k)
{
    const int64_t keep = k->wanted + 2 * BLOCK < k->n ? k->wanted + 2 * BLOCK : k->n;
    rotate(k, keep);
    memmove(vector(k, keep), vector(k, k->n), (size_t)(k->next * k->genes) * sizeof *k->basis);
    memset(k->t, 0, (size_t)(k->room * k->room) * sizeof *k->t);
    for (int64_t i = 0; i < keep; i++) k->t[i * k->room + i] = k->value[i];
    k->n = keep;
}

static ql_status iterate(krylov *k, const ql_pca_options *opt, ql_pca *out, ql_err *err)
{
    const int most = opt->max_passes > 0 ? opt->max_passes : QL_PCA_PASSES;
    ql_parallel_for(opt->threads, k->next, start_vector, k);
    orthonormalise(k, NOTHING * sqrt((double)k->genes), k->r);
    while (k->next > 0 && out->passes < most) {
        if (k->n + k->next > k->room) restart(k);
        QL_TRY(expand(k, err));
        out->passes++;
        QL_TRY(solve(k, err));
        finish_block(k);
        out->n = found(k, &out->residual);
        out->converged = out->residual <= opt->tolerance && (out->n == k->wanted || k->next == 0);
        if (out->converged) break;
        QL_TRY(ql_interrupt_check(err));
    }
    rotate(k, out->n);
    return QL_OK;
}

/* ---- what is handed out ---- */

/* The direction of a component is arbitrary: its entry of largest size is made positive. */
static void fix_sign(int64_t n, double *x)
{
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (fabs(x[i]) > fabs(x[best])) best = i;
    if (x[best] < 0)
        for (int64_t i = 0; i < n; i++) x[i] = -x[i];
}

static ql_status take_components(krylov *k, ql_pca *out, ql_err *err)
{
    const double freedom = (double)(k->rows.prep->n_kept_cells - 1);
    out->n_genes = k->genes;
    QL_TRY(QL_NEW(out->variance, out->n, "principal components", err));
    QL_TRY(QL_NEW(out->loading, out->n * k->genes, "principal components", err));
    memcpy(out->loading, k->basis, (size_t)(out->n * k->genes) * sizeof *out->loading);
    for (int64_t i = 0; i < out->n; i++) {
        out->variance[i] = k->value[i] / freedom;
        fix_sign(k->genes, out->loading + i * k->genes);
    }
    QL_TRY(ql_centred_norm(&k->rows, &out->total_variance, err));
    out->total_variance /= freedom;
    return QL_OK;
}

ql_status ql_pca_fit(const ql_rows *counts, const ql_prep *prep, const ql_pca_options *opt,
                     const ql_kern *kern, ql_pca *out, ql_err *err)
{
    const int64_t cells = prep->n_kept_cells, genes = prep->n_kept_genes;
    const int64_t most = cells - 1 < genes ? cells - 1 : genes;
    krylov k;
    ql_status st;
    *out = (ql_pca){0};
    if (opt->components > most)
        return ql_fail(err, QL_EUSAGE,
                       "%lld components asked for: %lld cells and %lld genes with counts have "
                       "%lld at most",
                       (long long)opt->components, (long long)cells, (long long)genes,
                       (long long)most);
    QL_GO(krylov_new(&k, counts, prep, opt, kern, err));
    QL_GO(iterate(&k, opt, out, err));
    QL_GO(take_components(&k, out, err));
out:
    krylov_free(&k);
    if (st != QL_OK) ql_pca_free(out);
    return st;
}

void ql_pca_free(ql_pca *p)
{
    ql_free(p->variance);
    ql_free(p->loading);
    *p = (ql_pca){0};
}

ql_status ql_pca_scores(const ql_pca *p, const ql_rows *counts, const ql_prep *prep, int threads,
                        const ql_kern *kern, float *out, ql_err *err)
{
    ql_centred rows;
    double *packed = NULL;
    ql_status st;
    QL_GO(ql_centred_open(&rows, counts, prep, kern, threads, err));
    QL_GO(QL_NEW(packed, p->n_genes * BLOCK, "principal components", err));
    for (int64_t i = 0; i < counts->n_rows * p->n; i++) out[i] = NAN;
    for (int64_t first = 0; first < p->n; first += BLOCK) {
        const int64_t n = p->n - first < BLOCK ? p->n - first : BLOCK;
        memset(packed, 0, (size_t)(p->n_genes * BLOCK) * sizeof *packed);
        for (int64_t j = 0; j < n; j++)
            for (int64_t g = 0; g < p->n_genes; g++)
                packed[g * BLOCK + j] = p->loading[(first + j) * p->n_genes + g];
        QL_GO(ql_centred_scores(&rows, packed, out, p->n, first, n, err));
    }
out:
    ql_free(packed);
    ql_centred_close(&rows);
    return st;
}
