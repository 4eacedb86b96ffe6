/* Smoothing over similar cells: a cell is expected to be like the mean of the training cells that
 * are near it in the space of the leading principal components of log counts.
 *
 * Near are not single cells, whose counts a model should not hold, but landmarks: the training
 * cells are divided among centres (k-means), each of which keeps the sum of its cells' counts; a
 * cell's profile is their mean, weighted by a Gaussian of the distance to the centres. */
#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/fmath.h"
#include "quell/member.h"
#include "quell/pca.h"
#include "quell/special.h"

enum { DIMS = 20, FEWEST_MARKS = 4, MOST_MARKS = 500, MOVES = 5 };
#define TOLERANCE 0.02
/* Molecules that a landmark is given besides its own, of the mean profile. */
#define PRIOR 300.0
/* The Gaussian's variance, in units of the mean squared distance of cells from their centre. */
#define WIDTH 0.25
#define LEAST 1e-4 /* weight of a landmark that is worth adding */

typedef struct {
    int64_t n_genes, dims, n_marks;
    double median;  /* molecules of the median cell: size factor 1 */
    float *axis;    /* [n_genes, dims]; owned */
    float *origin;  /* [dims] what is subtracted; owned */
    float *mark;    /* [n_marks, dims] the centres; owned */
    float *share;   /* [n_marks] of the training cells; owned */
    float *profile; /* [n_genes, n_marks]; columns add up to 1; owned */
    double spread;  /* mean squared distance of a cell from its centre */
} smoother;

static int64_t marks_for(int64_t n_cells, int64_t per_mark)
{
    const int64_t n = n_cells / per_mark;
    return n < FEWEST_MARKS ? FEWEST_MARKS : n > MOST_MARKS ? MOST_MARKS : n;
}

static int64_t bytes(const ql_rows *counts, const ql_member_spec *spec)
{
    const ql_pca_options pca = {.components = DIMS};
    const int64_t marks = marks_for(counts->n_rows, spec->rank);
    return ql_pca_bytes(counts, &pca) + counts->n_cols * (DIMS + marks + 16) * 4 +
           counts->n_rows * (DIMS * 4 + 64) + 4 * ql_cursor_bytes(counts->max_row);
}

static void release(void *state)
{
    smoother *s = state;
    if (!s) return;
    ql_free(s->axis);
    ql_free(s->origin);
    ql_free(s->mark);
    ql_free(s->share);
    ql_free(s->profile);
    ql_free(s);
}

static ql_status make(int64_t genes, int64_t dims, int64_t marks, smoother **out, ql_err *err)
{
    smoother *s;
    ql_status st;
    QL_TRY(QL_NEW(s, 1, "landmarks", err));
    *s = (smoother){.n_genes = genes, .dims = dims, .n_marks = marks};
    QL_GO(QL_NEW(s->axis, genes * dims, "landmarks", err));
    QL_GO(QL_NEW(s->origin, dims, "landmarks", err));
    QL_GO(QL_NEW(s->mark, marks * dims, "landmarks", err));
    QL_GO(QL_NEW(s->share, marks, "landmarks", err));
    QL_GO(QL_NEW(s->profile, genes * marks, "landmarks", err));
    *out = s;
out:
    if (st != QL_OK) release(s);
    return st;
}

/* ---- the space ---- */

static double depth_of(const ql_row_view *row)
{
    double sum = 0;
    for (int64_t e = 0; e < row->n; e++) sum += (double)row->count[e];
    return sum;
}

/* place [dims] of a cell. */
static void project(const smoother *s, const ql_row_view *row, float *place)
{
    const double depth = depth_of(row), scale = depth > 0 ? s->median / depth : 0;
    for (int64_t d = 0; d < s->dims; d++) place[d] = -s->origin[d];
    for (int64_t e = 0; e < row->n; e++) {
        const float v = (float)ql_log1p((double)row->count[e] * scale);
        const float *axis = s->axis + row->gene[e] * s->dims;
        for (int64_t d = 0; d < s->dims; d++) place[d] += v * axis[d];
    }
}

static double distance(const smoother *s, const float *place, int64_t mark)
{
    const float *at = s->mark + mark * s->dims;
    double sum = 0;
    for (int64_t d = 0; d < s->dims; d++) {
        const double step = (double)(place[d] - at[d]);
        sum += step * step;
    }
    return sum;
}

static void find_axes(const ql_pca *pca, const ql_prep *prep, smoother *s)
{
    for (int64_t d = 0; d < s->dims; d++) {
        double origin = 0;
        for (int64_t g = 0; g < s->n_genes; g++) {
            const double x = pca->loading[d * s->n_genes + g];
            s->axis[g * s->dims + d] = (float)x;
            origin += x * (double)prep->mean[g];
        }
        s->origin[d] = (float)origin;
    }
    s->median = prep->median_total;
}

/* ---- landmarks ---- */

typedef struct {
    const ql_member_data *data;
    smoother *s;
    float *place;  /* [n_train, dims] */
    int32_t *mark; /* [n_train] nearest centre */
    double *sum;   /* [n_marks, dims] */
    double *size;  /* [n_marks] cells */
} landmarks;

static void assign(landmarks *l)
{
    smoother *s = l->s;
    s->spread = 0;
    for (int64_t i = 0; i < l->data->n_train; i++) {
        double least = INFINITY;
        for (int64_t k = 0; k < s->n_marks; k++) {
            const double d = distance(s, l->place + i * s->dims, k);
            if (!(d < least)) continue;
            least = d;
            l->mark[i] = (int32_t)k;
        }
        s->spread += least / (double)l->data->n_train;
    }
}

/* Centres to the means of their cells; one without cells stays. */
static void move(landmarks *l)
{
    smoother *s = l->s;
    memset(l->sum, 0, (size_t)(s->n_marks * s->dims) * sizeof *l->sum);
    memset(l->size, 0, (size_t)s->n_marks * sizeof *l->size);
    for (int64_t i = 0; i < l->data->n_train; i++) {
        double *sum = l->sum + l->mark[i] * s->dims;
        l->size[l->mark[i]]++;
        for (int64_t d = 0; d < s->dims; d++) sum[d] += (double)l->place[i * s->dims + d];
    }
    for (int64_t k = 0; k < s->n_marks; k++)
        for (int64_t d = 0; d < s->dims && l->size[k] > 0; d++)
            s->mark[k * s->dims + d] = (float)(l->sum[k * s->dims + d] / l->size[k]);
}

static ql_status start_marks(landmarks *l, uint64_t seed, ql_err *err)
{
    smoother *s = l->s;
    const int64_t n = l->data->n_train;
    int64_t *order;
    QL_TRY(ql_rows_list(n, &order, err));
    ql_rng rng = ql_rng_start(seed, QL_RNG_LANDMARKS, 0, 0);
    ql_rng_shuffle(&rng, order, n);
    for (int64_t k = 0; k < s->n_marks; k++)
        memcpy(s->mark + k * s->dims, l->place + order[k % n] * s->dims,
               (size_t)s->dims * sizeof *s->mark);
    ql_free(order);
    return QL_OK;
}

/* Sums of the counts of each centre's cells, and the mean's part; columns add up to 1. */
static ql_status sum_counts(landmarks *l, ql_row_cursor *c, ql_err *err)
{
    smoother *s = l->s;
    double *mean, all = 0;
    QL_TRY(QL_NEW(mean, s->n_genes, "landmarks", err));
    for (int64_t i = 0; i < l->data->n_train; i++) {
        const ql_row_view row = ql_cursor_row(c, l->data->train[i]);
        for (int64_t e = 0; e < row.n; e++) {
            s->profile[row.gene[e] * s->n_marks + l->mark[i]] += row.count[e];
            mean[row.gene[e]] += (double)row.count[e];
            all += (double)row.count[e];
        }
    }
    for (int64_t k = 0; k < s->n_marks; k++) {
        double sum = 0;
        for (int64_t g = 0; g < s->n_genes; g++) {
            float *p = s->profile + g * s->n_marks + k;
            *p += (float)(PRIOR * mean[g] / all);
            sum += (double)*p;
        }
        for (int64_t g = 0; g < s->n_genes && sum > 0; g++)
            s->profile[g * s->n_marks + k] /= (float)sum;
        s->share[k] = (float)(l->size[k] / (double)l->data->n_train);
    }
    ql_free(mean);
    return QL_OK;
}

static ql_status place_landmarks(const ql_member_data *data, uint64_t seed, smoother *s,
                                 ql_err *err)
{
    landmarks l = {.data = data, .s = s};
    ql_row_cursor c = {0};
    ql_status st;
    QL_GO(QL_NEW(l.place, data->n_train * s->dims, "landmarks", err));
    QL_GO(QL_NEW(l.mark, data->n_train, "landmarks", err));
    QL_GO(QL_NEW(l.sum, s->n_marks * s->dims, "landmarks", err));
    QL_GO(QL_NEW(l.size, s->n_marks, "landmarks", err));
    QL_GO(ql_cursor_open(&c, data->counts, err));
    for (int64_t i = 0; i < data->n_train; i++) {
        const ql_row_view row = ql_cursor_row(&c, data->train[i]);
        project(s, &row, l.place + i * s->dims);
    }
    QL_GO(start_marks(&l, seed, err));
    for (int k = 0; k < MOVES; k++) {
        assign(&l);
        move(&l);
    }
    assign(&l);
    QL_GO(sum_counts(&l, &c, err));
    QL_GO(ql_rows_check(data->counts, err));
out:
    ql_cursor_close(&c);
    ql_free(l.place);
    ql_free(l.mark);
    ql_free(l.sum);
    ql_free(l.size);
    return st;
}

/* Principal components of the training cells: for that long they are the cells there are. */
static ql_status find_components(const ql_member_data *data, uint64_t seed, ql_prep *prep,
                                 ql_pca *pca, ql_err *err)
{
    int64_t *const kept = prep->kept_cell, n_kept = prep->n_kept_cells;
    int64_t *train, dims = DIMS;
    QL_TRY(QL_NEW(train, data->n_train, "training cells", err));
    memcpy(train, data->train, (size_t)data->n_train * sizeof *train);
    ql_rows_sort(train, data->n_train);
    prep->kept_cell = train;
    prep->n_kept_cells = data->n_train;
    if (dims > data->n_train - 1) dims = data->n_train - 1;
    if (dims > prep->n_kept_genes) dims = prep->n_kept_genes;
    const ql_pca_options opt = {
        .components = dims, .tolerance = TOLERANCE, .seed = seed, .threads = 1};
    ql_status st = ql_pca_fit(data->counts, prep, &opt, data->kern, pca, err);
    prep->kept_cell = kept;
    prep->n_kept_cells = n_kept;
    ql_free(train);
    return st;
}

static ql_status fit(const ql_member_data *data, const ql_member_spec *spec, void **state,
                     ql_err *err)
{
    const ql_prep_options inputs = {.log = true, .size_factors = true, .center = true};
    const uint64_t seed = spec->fit.ae.seed;
    ql_rows counts = *data->counts;
    ql_prep prep = {0};
    ql_pca pca = {0};
    smoother *s = NULL;
    ql_status st;
    QL_GO(ql_prep_counts(&counts, inputs, data->kern, 1, &prep, err));
    QL_GO(find_components(data, seed, &prep, &pca, err));
    QL_GO(make(counts.n_cols, pca.n, marks_for(data->n_train, spec->rank), &s, err));
    find_axes(&pca, &prep, s);
    QL_GO(place_landmarks(data, seed, s, err));
    *state = s;
out:
    ql_prep_free(&prep);
    ql_pca_free(&pca);
    if (st != QL_OK) release(s);
    return st;
}

/* ---- rates ---- */

/* weight [n_marks], adding up to 1. */
static void weigh(const smoother *s, const float *place, float *weight)
{
    const double width = 2 * WIDTH * s->spread;
    double least = INFINITY, sum = 0;
    for (int64_t k = 0; k < s->n_marks; k++) {
        const double d = distance(s, place, k);
        if (s->share[k] > 0 && d < least) least = d;
    }
    for (int64_t k = 0; k < s->n_marks; k++) {
        const double d = distance(s, place, k) - least;
        const double w = (double)s->share[k] * (width > 0 ? ql_exp(-d / width) : d <= 0);
        weight[k] = (float)w;
        sum += w;
    }
    for (int64_t k = 0; k < s->n_marks; k++) {
        weight[k] = (float)((double)weight[k] / sum);
        if (weight[k] < (float)LEAST) weight[k] = 0;
    }
}

/* The landmarks that count, one after the other; out [genes, ld], column i. */
static void add_profiles(const smoother *s, const float *weight, double depth, int64_t ld,
                         ql_real *out)
{
    float chosen[MOST_MARKS];
    int64_t which[MOST_MARKS], n = 0;
    double sum = 0;
    for (int64_t k = 0; k < s->n_marks; k++) {
        if (!(weight[k] > 0)) continue;
        which[n] = k;
        chosen[n++] = weight[k];
        sum += (double)weight[k];
    }
    for (int64_t g = 0; g < s->n_genes; g++) {
        const float *profile = s->profile + g * s->n_marks;
        float share = 0;
        for (int64_t k = 0; k < n; k++) share += chosen[k] * profile[which[k]];
        out[g * ld] = (ql_real)(depth / sum * (double)share);
    }
}

static ql_status rates(void *state, const ql_batch_source *source, const int64_t *rows, int64_t n,
                       int64_t ld, ql_real *out, ql_err *err)
{
    const smoother *s = state;
    float place[DIMS], weight[MOST_MARKS];
    ql_row_cursor c;
    QL_TRY(ql_cursor_open(&c, source->counts, err));
    for (int64_t i = 0; i < n; i++) {
        const ql_row_view row = ql_cursor_row(&c, rows[i]);
        project(s, &row, place);
        weigh(s, place, weight);
        add_profiles(s, weight, depth_of(&row), ld, out + i);
    }
    ql_cursor_close(&c);
    return ql_rows_check(source->counts, err);
}

/* ---- in a file ---- */

static ql_status put(const void *state, ql_bundle *b, ql_err *err)
{
    const smoother *s = state;
    const struct {
        const char *name;
        ql_array a;
    } arrays[] = {
        {"axis", {QL_ELEM_F32, s->n_genes, s->dims, s->axis}},
        {"origin", {QL_ELEM_F32, s->dims, -1, s->origin}},
        {"mark", {QL_ELEM_F32, s->n_marks, s->dims, s->mark}},
        {"share", {QL_ELEM_F32, s->n_marks, -1, s->share}},
        {"profile", {QL_ELEM_F32, s->n_genes, s->n_marks, s->profile}},
    };
    for (size_t k = 0; k < sizeof arrays / sizeof *arrays; k++)
        QL_TRY(ql_bundle_copy_array(b, arrays[k].name, arrays[k].a, err));
    QL_TRY(ql_bundle_put_double(b, "median_total", s->median, err));
    return ql_bundle_put_double(b, "spread", s->spread, err);
}

static ql_status check(const ql_bundle *b, const ql_member_spec *spec, int64_t n_genes, ql_err *err)
{
    double median = 0, spread = 0;
    ql_array axis, mark;
    (void)spec;
    QL_TRY(ql_bundle_numbers(b, "axis", (ql_array){QL_ELEM_F32, n_genes, -2, NULL}, QL_FINITE,
                             &axis, err));
    const int64_t dims = axis.n_cols;
    QL_TRY(ql_bundle_numbers(b, "mark", (ql_array){QL_ELEM_F32, -1, dims, NULL}, QL_FINITE, &mark,
                             err));
    const int64_t marks = mark.n_rows;
    if (dims > DIMS || marks < 1 || marks > MOST_MARKS)
        return ql_fail(err, QL_EDATA, "mark is [%lld, %lld]: too large", (long long)marks,
                       (long long)dims);
    QL_TRY(ql_bundle_numbers(b, "origin", (ql_array){QL_ELEM_F32, dims, -1, NULL}, QL_FINITE, NULL,
                             err));
    QL_TRY(ql_bundle_numbers(b, "share", (ql_array){QL_ELEM_F32, marks, -1, NULL}, QL_FROM_0_TO_1,
                             NULL, err));
    QL_TRY(ql_bundle_numbers(b, "profile", (ql_array){QL_ELEM_F32, n_genes, marks, NULL},
                             QL_FROM_0_TO_1, NULL, err));
    QL_TRY(ql_bundle_double(b, "median_total", &median, err));
    QL_TRY(ql_bundle_double(b, "spread", &spread, err));
    if (median > 0 && spread >= 0) return QL_OK;
    return ql_fail(err, QL_EDATA, "median_total is %g and spread %g", median, spread);
}

static ql_status load(const ql_bundle *b, smoother *s, ql_err *err)
{
    const int64_t genes = s->n_genes, dims = s->dims, marks = s->n_marks;
    QL_TRY(ql_bundle_load(b, "axis", (ql_array){QL_ELEM_F32, genes, dims, NULL}, s->axis, err));
    QL_TRY(ql_bundle_load(b, "origin", (ql_array){QL_ELEM_F32, dims, -1, NULL}, s->origin, err));
    QL_TRY(ql_bundle_load(b, "mark", (ql_array){QL_ELEM_F32, marks, dims, NULL}, s->mark, err));
    QL_TRY(ql_bundle_load(b, "share", (ql_array){QL_ELEM_F32, marks, -1, NULL}, s->share, err));
    QL_TRY(
        ql_bundle_load(b, "profile", (ql_array){QL_ELEM_F32, genes, marks, NULL}, s->profile, err));
    QL_TRY(ql_bundle_double(b, "median_total", &s->median, err));
    return ql_bundle_double(b, "spread", &s->spread, err);
}

/* Profiles of the genes that are there add up to 1 again. */
static void lack(smoother *s, const ql_gene_places *genes)
{
    for (int64_t k = 0; k < s->n_marks; k++) {
        double sum = 0;
        for (int64_t g = 0; g < s->n_genes; g++) {
            float *p = s->profile + g * s->n_marks + k;
            if (genes->place[g] < 0) *p = 0;
            sum += (double)*p;
        }
        for (int64_t g = 0; g < s->n_genes && sum > 0; g++)
            s->profile[g * s->n_marks + k] = (float)((double)s->profile[g * s->n_marks + k] / sum);
    }
}

static ql_status take(const ql_bundle *b, const ql_member_spec *spec, const ql_rows *counts,
                      const ql_gene_places *genes, const ql_kern *kern, void **state, ql_err *err)
{
    ql_array axis, mark;
    bool lacking = false;
    smoother *s;
    (void)spec;
    (void)counts;
    (void)kern;
    QL_TRY(
        ql_bundle_array(b, "axis", (ql_array){QL_ELEM_F32, genes->n_genes, -2, NULL}, &axis, err));
    QL_TRY(ql_bundle_array(b, "mark", (ql_array){QL_ELEM_F32, -1, axis.n_cols, NULL}, &mark, err));
    QL_TRY(make(genes->n_genes, axis.n_cols, mark.n_rows, &s, err));
    ql_status st = load(b, s, err);
    if (st != QL_OK) {
        release(s);
        return st;
    }
    for (int64_t g = 0; g < genes->n_genes; g++) lacking |= genes->place[g] < 0;
    if (lacking) lack(s, genes);
    *state = s;
    return QL_OK;
}

const ql_member_kind ql_member_smooth = {
    .name = "smooth",
    .help = "the mean of similar training cells, by landmarks among principal components",
    .most = 10000,
    .bytes = bytes,
    .fit = fit,
    .rates = rates,
    .put = put,
    .check = check,
    .take = take,
    .free = release,
};
