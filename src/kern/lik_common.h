/* What the likelihood kernels share: links with their clips, and the two loops (sweep over a tile
 * as if every count were 0, list of the entries that have counts).
 *
 * A likelihood is a pair of functions in lik_<name>.h:
 *   vf <name>_zero(const lik_heads *h, lik_grad *g)           loss and gradients at count 0
 *   vf <name>_nonzero(const lik_heads *h, vf y, lik_grad *g)  the same at count y >= 1
 * Gradients are with respect to ln mu, theta and the pre-activation of pi. <name>_has_pi (0, or how
 * pi is made) and <name>_mean_link say which heads there are and how mu is made. With PI_GATE the
 * loss at count 0 comes in two parts, a sum and -ln of a ratio between 1/2 and 2: a sweep
 * multiplies the ratios of LIK_GENES genes and takes one logarithm of them. */
enum { PI_PLAIN = 1, PI_GATE };

/* Clips of the reference (MeanAct, DispAct and the constant dispersion); those of the mean, 1e-5
 * and 1e6, as logarithms. The gradient passes between them. */
#define LN_MEAN_LO   (ql_real) - 11.512925464970229
#define LN_MEAN_HI   (ql_real)13.815510557964274
#define DISP_CELL_LO (ql_real)1e-4
#define DISP_GENE_LO (ql_real)1e-3
#define DISP_HI      (ql_real)1e4
#define LIK_EPS      (ql_real)1e-10

/* Bound of ln theta, and epsilon, where they are those of scVI (lik_share.h) */
#define LOG_THETA_MOST (ql_real)15
#define SHARE_EPS      (ql_real)1e-8

typedef struct {
    vf mu, theta;
    vf dmu;        /* d mu / d its pre-activation, of a linear mean only */
    vf dtheta;     /* d theta / d its pre-activation, 0 where clipped */
    vf inv_t;      /* 1 / (theta + SHARE_EPS), of theta = exp(a) only */
    vf pi, not_pi; /* pi and 1 - pi, each to full precision; not with PI_GATE */
    vf gate, fade; /* PI_GATE: the logit p of pi, and exp(-|p|) */
    vf odds, soft; /* logit of a probability mu, and its softplus */
    vmask mean_inside;
    vf ridge;
} lik_heads;

typedef struct {
    vf ln_mu, theta, pi;
    vf ratio; /* PI_GATE, of the loss at count 0 */
} lik_grad;

/* NaN stays NaN, so that it reaches the loss and is noticed there. */
QL_INLINE vf clip(vf x, ql_real lo, ql_real hi)
{
    return v_min(v_set(hi), v_max(v_set(lo), x));
}

QL_INLINE void link_mean(vf a, vf size, lik_heads *h)
{
    vf inside = clip(a, LN_MEAN_LO, LN_MEAN_HI);
    h->mean_inside = v_eq(inside, a);
    h->mu = v_mul(v_exp_inside(inside), size);
}

/* No clip: every a is inside but NaN. */
QL_INLINE void link_linear(vf a, vf size, lik_heads *h)
{
    h->mean_inside = v_eq(a, a);
    h->mu = v_mul(a, size);
    h->dmu = size;
}

QL_INLINE void clip_theta(vf theta, vf slope, ql_real lo, lik_heads *h)
{
    h->theta = clip(theta, lo, DISP_HI);
    h->dtheta = v_select(v_eq(h->theta, theta), slope, v_set(0));
}

QL_INLINE void link_disp_GENE(vf a, lik_heads *h)
{
    vf theta = v_exp(a);
    clip_theta(theta, theta, DISP_GENE_LO, h);
}

QL_INLINE void link_disp_CELL(vf a, lik_heads *h)
{
    vf slope, theta = v_softplus(a, &slope);
    clip_theta(theta, slope, DISP_CELL_LO, h);
}

/* theta = exp(a) within e^-15 and e^15, far outside what counts tell apart */
QL_INLINE void link_disp_EXP_GENE(vf a, lik_heads *h)
{
    vf inside = clip(a, -LOG_THETA_MOST, LOG_THETA_MOST);
    h->theta = v_exp_inside(inside);
    h->dtheta = v_select(v_eq(inside, a), h->theta, v_set(0));
    h->inv_t = v_div(v_set(1), v_add(h->theta, v_set(SHARE_EPS)));
}

QL_INLINE void link_disp_EXP_CELL(vf a, lik_heads *h)
{
    link_disp_EXP_GENE(a, h);
}

QL_INLINE void link_disp_NONE(vf a, lik_heads *h)
{
    (void)a;
    h->theta = h->dtheta = v_set(0);
}

QL_INLINE void link_pi(vf a, lik_heads *h)
{
    vf e = v_exp(v_sub(v_set(0), v_abs(a)));
    vf large = v_div(v_set(1), v_add(v_set(1), e)), small = v_mul(e, large);
    vmask negative = v_lt(a, v_set(0));
    h->pi = v_select(negative, small, large);
    h->not_pi = v_select(negative, large, small);
}

QL_INLINE void link_gate(vf a, lik_heads *h)
{
    h->gate = a;
    h->fade = v_exp_inside(v_max(v_set(-87), v_sub(v_set(0), v_abs(a))));
}

QL_INLINE vf pi_of_gate(const lik_heads *h)
{
    vf large = v_div(v_set(1), v_add(v_set(1), h->fade));
    return v_select(v_lt(h->gate, v_set(0)), v_mul(h->fade, large), large);
}

/* Sum over j < y of ln(theta + j) and of 1 / (theta + j), for whole y >= 1: that is
 * lgamma(theta + y) - lgamma(theta) and its derivative. Products up to RISE_FACTORS factors, then
 * Stirling's series from theta + RISE_FACTORS, arranged so that nothing large cancels. */
#define RISE_FACTORS 4
QL_INLINE vf lgamma_rise(vf theta, vf y, vf *digamma_rise);

#ifdef QL_REAL_IS_DOUBLE
static inline double digamma(double x)
{
    double shift = 0;
    for (; x < 12; x += 1) shift -= 1 / x;
    double i = 1 / (x * x);
    double series = i * (1.0 / 12 - i * (1.0 / 120 - i * (1.0 / 252 - i * (1.0 / 240 - i / 132))));
    return shift + log(x) - 0.5 / x - series;
}

QL_INLINE vf lgamma_rise(vf theta, vf y, vf *digamma_rise)
{
    *digamma_rise = digamma(theta + y) - digamma(theta);
    return lgamma(theta + y) - lgamma(theta);
}
#else
/* What Stirling's series adds to (z - 1/2) ln z - z and to ln z, i being 1 / z and z >= 4. */
QL_INLINE vf stirling_rest(vf i)
{
    vf i2 = v_mul(i, i);
    vf p = v_fma(i2, v_set(1.0f / 1260), v_set(-1.0f / 360));
    return v_mul(i, v_fma(i2, p, v_set(1.0f / 12)));
}

QL_INLINE vf digamma_rest(vf i)
{
    vf i2 = v_mul(i, i);
    vf p = v_fma(i2, v_set(-1.0f / 252), v_set(1.0f / 120));
    p = v_fma(i2, p, v_set(-1.0f / 12));
    return v_fma(i2, p, v_mul(i, v_set(-0.5f)));
}

/* The sums from RISE_FACTORS on, for y above it; anything finite for others. */
QL_INLINE vf lgamma_rise_rest(vf theta, vf y, vf *digamma_rise)
{
    vf d = v_sub(y, v_set(RISE_FACTORS)), z = v_add(theta, v_set(RISE_FACTORS));
    vf w = v_add(theta, y), inv = v_div(v_set(1), v_mul(z, w));
    vf iz = v_mul(inv, w), iw = v_mul(inv, z);
    vf l = v_log1p(v_max(v_mul(d, iz), v_set(0)));
    *digamma_rise = v_add(l, v_sub(digamma_rest(iw), digamma_rest(iz)));
    vf more = v_fma(v_sub(z, v_set(0.5f)), l, v_mul(d, v_sub(v_log(w), v_set(1))));
    return v_add(more, v_sub(stirling_rest(iw), stirling_rest(iz)));
}

QL_INLINE vf lgamma_rise(vf theta, vf y, vf *digamma_rise)
{
    vf product = theta, slope = v_set(1);
#pragma GCC unroll 4
    for (int j = 1; j < RISE_FACTORS; j++) {
        vmask used = v_lt(v_set((ql_real)j), y);
        vf x = v_add(theta, v_set((ql_real)j));
        slope = v_select(used, v_fma(slope, x, product), slope);
        product = v_select(used, v_mul(product, x), product);
    }
    vf rise = v_log(product), drise = v_div(slope, product);
    vmask many = v_lt(v_set(RISE_FACTORS), y);
    if (v_any(many)) {
        vf dmore, more = lgamma_rise_rest(theta, y, &dmore);
        rise = v_select(many, v_add(rise, more), rise);
        drise = v_select(many, v_add(drise, dmore), drise);
    }
    *digamma_rise = drise;
    return rise;
}
#endif

/* Vectors taken through the links and then through the likelihood together. Each step is a loop
 * over them: its chains are short and independent, where one long chain for a vector would leave an
 * out-of-order core waiting. */
#define LIK_CHUNK 8

/* Genes whose theta is made at a time, where there is one per gene; how it is made. */
#define LIK_GENES 64
enum { BY_GENE_CLIPPED = 1, BY_GENE_EXP };

typedef struct {
    int64_t i, j; /* place in the tile, and its cell */
    int64_t row;  /* gene, counted from the group's first */
} lik_at;

typedef struct {
    ql_real theta[LIK_GENES], slope[LIK_GENES], inv_t[LIK_GENES];
} lik_genes;

/* The next places of a sweep, at most LIK_CHUNK; `at` is where the last call ended. */
static inline int next_places(lik_at *at, int64_t ld, int64_t end, lik_at *places)
{
    int n = 0;
    for (; n < LIK_CHUNK && at->i < end; n++) {
        places[n] = *at;
        at->i += VL;
        at->j += VL;
        if (at->j < ld) continue;
        at->j = 0;
        at->row++;
    }
    return n;
}

static inline void link_genes(const ql_real *log_theta, int64_t n, const int by_gene,
                              lik_genes *genes)
{
    for (int64_t g = 0; g < n; g += VL) {
        lik_heads h;
        if (by_gene == BY_GENE_CLIPPED)
            link_disp_GENE(v_load(log_theta + g), &h);
        else
            link_disp_EXP_GENE(v_load(log_theta + g), &h);
        if (by_gene == BY_GENE_EXP) v_store(genes->inv_t + g, h.inv_t);
        v_store(genes->theta + g, h.theta);
        v_store(genes->slope + g, h.dtheta);
    }
}

/* The dispersion of a place of a sweep, and of an entry of a list. */
#define LIK_DISP_AT_NONE(args, genes, at, h) link_disp_NONE(v_set(0), h)
#define LIK_DISP_AT_GENE(args, genes, at, h)                                                       \
    do {                                                                                           \
        (h)->theta = v_set((genes)->theta[(at).row]);                                              \
        (h)->dtheta = v_set((genes)->slope[(at).row]);                                             \
    } while (0)
#define LIK_DISP_AT_CELL(args, genes, at, h) link_disp_CELL(v_load((args)->disp + (at).i), h)
#define LIK_DISP_AT_EXP_GENE(args, genes, at, h)                                                   \
    do {                                                                                           \
        LIK_DISP_AT_GENE(args, genes, at, h);                                                      \
        (h)->inv_t = v_set((genes)->inv_t[(at).row]);                                              \
    } while (0)
#define LIK_DISP_AT_EXP_CELL(args, genes, at, h)                                                   \
    link_disp_EXP_CELL(v_load((args)->disp + (at).i), h)
#define LIK_HAS_NONE         0
#define LIK_HAS_GENE         1
#define LIK_HAS_CELL         1
#define LIK_HAS_EXP_GENE     1
#define LIK_HAS_EXP_CELL     1
#define LIK_BY_GENE_NONE     0
#define LIK_BY_GENE_GENE     BY_GENE_CLIPPED
#define LIK_BY_GENE_CELL     0
#define LIK_BY_GENE_EXP_GENE BY_GENE_EXP
#define LIK_BY_GENE_EXP_CELL 0

#define LIK_STORE(args, i, h, g, w, has_disp, has_pi)                                              \
    do {                                                                                           \
        v_store((args)->mean + (i), v_select((h).mean_inside, v_mul(w, (g).ln_mu), v_set(0)));     \
        if (has_disp) v_store((args)->disp + (i), v_mul(w, v_mul((g).theta, (h).dtheta)));         \
        if (has_pi) v_store((args)->pi + (i), v_mul(w, (g).pi));                                   \
    } while (0)

/* Before the rows of a sweep whose ratios are multiplied, and after them. */
static inline void begin_product(const ql_lik_args *args)
{
    for (int64_t j = 0; j < args->ld; j += VL) v_store(args->product + j, v_set(1));
}

static inline void end_product(const ql_lik_args *args)
{
    for (int64_t j = 0; j < args->ld; j += VL)
        v_store(args->loss + j, v_add(v_load(args->loss + j), v_log(v_load(args->product + j))));
}

/* The three kernels, made for each likelihood and kind of dispersion. */
#define LIK_DEFINE(name, kind)                                                                     \
    QL_INLINE void name##_##kind##_links(const ql_lik_args *args, const lik_genes *genes,          \
                                         const lik_at *at, int n, lik_heads *h)                    \
    {                                                                                              \
        const ql_real *in = args->mean_in ? args->mean_in : args->mean;                            \
        (void)genes;                                                                               \
        for (int c = 0; c < n; c++)                                                                \
            name##_mean_link(v_load(in + at[c].i), v_load(args->size + at[c].j), &h[c]);           \
        for (int c = 0; c < n; c++) LIK_DISP_AT_##kind(args, genes, at[c], &h[c]);                 \
        for (int c = 0; name##_has_pi == PI_PLAIN && c < n; c++)                                   \
            link_pi(v_load(args->pi + at[c].i), &h[c]);                                            \
        for (int c = 0; name##_has_pi == PI_GATE && c < n; c++)                                    \
            link_gate(v_load(args->pi + at[c].i), &h[c]);                                          \
    }                                                                                              \
    QL_INLINE void name##_##kind##_zeros(const ql_lik_args *args, const lik_at *at, int n,         \
                                         lik_heads *h)                                             \
    {                                                                                              \
        for (int c = 0; c < n; c++) {                                                              \
            ql_real *loss = args->loss + at[c].j;                                                  \
            vf w = v_load(args->weight + at[c].j);                                                 \
            lik_grad g;                                                                            \
            h[c].ridge = v_set(args->ridge);                                                       \
            v_store(loss, v_add(v_load(loss), name##_zero(&h[c], &g)));                            \
            if (name##_has_pi == PI_GATE) {                                                        \
                ql_real *product = args->product + at[c].j;                                        \
                v_store(product, v_mul(v_load(product), g.ratio));                                 \
            }                                                                                      \
            LIK_STORE(args, at[c].i, h[c], g, w, LIK_HAS_##kind, name##_has_pi);                   \
        }                                                                                          \
    }                                                                                              \
    QL_INLINE void name##_##kind##_values(const ql_lik_args *args, const lik_at *at, int n,        \
                                          const lik_heads *h)                                      \
    {                                                                                              \
        for (int c = 0; c < n; c++) {                                                              \
            v_store(args->mean + at[c].i, h[c].mu);                                                \
            if (LIK_HAS_##kind) v_store(args->disp + at[c].i, h[c].theta);                         \
            if (name##_has_pi)                                                                     \
                v_store(args->pi + at[c].i,                                                        \
                        name##_has_pi == PI_GATE ? pi_of_gate(&h[c]) : h[c].pi);                   \
        }                                                                                          \
    }                                                                                              \
    QL_INLINE void name##_##kind##_each(const ql_lik_args *args, const int values)                 \
    {                                                                                              \
        for (int64_t row = 0; row < args->n; row += LIK_GENES) {                                   \
            const int64_t left = args->n - row, rows = left < LIK_GENES ? left : LIK_GENES;        \
            lik_at at = {.i = row * args->ld}, places[LIK_CHUNK];                                  \
            lik_heads h[LIK_CHUNK];                                                                \
            lik_genes genes;                                                                       \
            if (LIK_BY_GENE_##kind)                                                                \
                link_genes(args->disp_gene + row, rows, LIK_BY_GENE_##kind, &genes);               \
            if (name##_has_pi == PI_GATE && !values) begin_product(args);                          \
            for (int n; (n = next_places(&at, args->ld, (row + rows) * args->ld, places)) > 0;) {  \
                name##_##kind##_links(args, &genes, places, n, h);                                 \
                if (values)                                                                        \
                    name##_##kind##_values(args, places, n, h);                                    \
                else                                                                               \
                    name##_##kind##_zeros(args, places, n, h);                                     \
            }                                                                                      \
            if (name##_has_pi == PI_GATE && !values) end_product(args);                            \
        }                                                                                          \
    }                                                                                              \
    static void name##_##kind##_sweep(const ql_lik_args *args)                                     \
    {                                                                                              \
        name##_##kind##_each(args, 0);                                                             \
    }                                                                                              \
    static void name##_##kind##_link(const ql_lik_args *args)                                      \
    {                                                                                              \
        name##_##kind##_each(args, 1);                                                             \
    }                                                                                              \
    static void name##_##kind##_list(const ql_lik_args *args)                                      \
    {                                                                                              \
        lik_heads h[LIK_CHUNK];                                                                    \
        for (int64_t i0 = 0; i0 < args->n; i0 += LIK_CHUNK * VL) {                                 \
            const int64_t left = (args->n - i0) / VL, n = left < LIK_CHUNK ? left : LIK_CHUNK;     \
            for (int64_t c = 0, i = i0; c < n; c++, i += VL)                                       \
                name##_mean_link(v_load(args->mean + i), v_load(args->size + i), &h[c]);           \
            for (int64_t c = 0, i = i0; c < n; c++, i += VL)                                       \
                link_disp_##kind(LIK_HAS_##kind ? v_load(args->disp + i) : v_set(0), &h[c]);       \
            for (int64_t c = 0, i = i0; name##_has_pi == PI_PLAIN && c < n; c++, i += VL)          \
                link_pi(v_load(args->pi + i), &h[c]);                                              \
            for (int64_t c = 0, i = i0; name##_has_pi == PI_GATE && c < n; c++, i += VL)           \
                link_gate(v_load(args->pi + i), &h[c]);                                            \
            for (int64_t c = 0, i = i0; c < n; c++, i += VL) {                                     \
                lik_grad g;                                                                        \
                h[c].ridge = v_set(args->ridge);                                                   \
                vf zero = name##_zero(&h[c], &g);                                                  \
                if (name##_has_pi == PI_GATE) zero = v_add(zero, v_log(g.ratio));                  \
                vf loss = name##_nonzero(&h[c], v_load(args->count + i), &g);                      \
                vf w = v_load(args->weight + i);                                                   \
                v_store(args->loss + i, v_sub(loss, zero));                                        \
                LIK_STORE(args, i, h[c], g, w, LIK_HAS_##kind, name##_has_pi);                     \
            }                                                                                      \
        }                                                                                          \
    }
