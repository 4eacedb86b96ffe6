/* Gradients of a whole network in float64 against central differences of its loss.
 *
 * Plain gradient descent at rate 1 turns one epoch of one minibatch into the gradient: weights
 * before minus weights after. The loss that an epoch returns is that of the weights before it. */
#ifndef FIXTURE_GRADIENT_H
#define FIXTURE_GRADIENT_H

#include <stdio.h>

#include "fixture_model.h"
#include "sanitized.h"

/* Of central differences. Where a smaller step says something else there is a kink or a clip; such
 * points are left out, and counted. */
#define STEP 1e-5
/* Of the largest gradient of the tensor, which is taken to be SMALL at least: that is where the
 * rounding of the loss shows. */
#define TOLERANCE 2e-6
#define SMALL     1e-4

/* Looked at in each tensor: a random direction, which sees every element; in small models, where it
 * costs little, single elements too, whose share of a direction may be small. In large ones whole
 * tiles, blocks or strips would be wrong. Under a sanitizer, which asks what memory is touched and
 * not what the numbers are, the direction alone runs the same code. */
#ifdef QL_SANITIZED
enum { ELEMENTS = 0, ONE_SKIPPED_OF = 4 };
#else
enum { ELEMENTS = 3, ONE_SKIPPED_OF = 20 };
#endif

typedef struct {
    model_fixture model;
    ql_rows rows;
    ql_batch_source source;
    double *before, *gradient, *weights, *keep, *direction; /* [params.size] */
} probe;

/* Loss of the mean over cells and genes, penalties included; weights and step are put back. */
static inline double loss_of(probe *p)
{
    ql_ae *ae = &p->model.ae;
    ql_err err = {0};
    double loss, penalty = ql_ae_penalty(ae), *keep = p->weights;
    memcpy(keep, ae->params.w, (size_t)ae->params.size * sizeof *keep);
    ql_status st =
        ql_ae_train_epoch(ae, &p->source, p->model.rows, p->model.n, p->model.n, &loss, &err);
    if (st != QL_OK) fail_msg("%s", err.msg);
    for (int64_t i = 0; i < ae->params.size; i++) p->gradient[i] = keep[i] - ae->params.w[i];
    memcpy(ae->params.w, keep, (size_t)ae->params.size * sizeof *keep);
    ae->step = 0;
    return loss + penalty;
}

/* Slope of the loss along a direction, which has an entry for each element of a tensor. */
static inline double slope(probe *p, const ql_tensor *t, const double *direction, double h)
{
    double *w = p->model.ae.params.w + t->offset, loss[2];
    for (int side = 0; side < 2; side++) {
        memcpy(p->keep, w, (size_t)(t->rows * t->ld) * sizeof *w);
        for (int64_t i = 0; i < t->rows * t->ld; i++) w[i] += (side ? -h : h) * direction[i];
        loss[side] = loss_of(p);
        memcpy(w, p->keep, (size_t)(t->rows * t->ld) * sizeof *w);
    }
    return (loss[0] - loss[1]) / (2 * h);
}

/* A probe of the gradient at the weights as they are; ready: may prepare the model. */
static inline void probe_start_with(probe *p, const ql_ae_config *cfg, model_shape shape,
                                    double thin, void (*ready)(void *ctx, probe *p), void *ctx)
{
    ql_err err = {0};
    *p = (probe){0};
    shape.separate = thin > 0 || ql_corrupt_lost(&cfg->corrupt) > 0;
    model_new(&p->model, cfg, shape);
    model_shake(&p->model, 0.1, 3);
    p->rows = ql_rows_of_csr(&p->model.counts);
    p->source = (ql_batch_source){.counts = &p->rows,
                                  .thin = thin,
                                  .lose = ql_corrupt_lost(&cfg->corrupt),
                                  .target_input = cfg->likelihood->of_inputs,
                                  .seed = 5,
                                  .epoch = 1};
    double **const arrays[] = {&p->before, &p->gradient, &p->weights, &p->keep, &p->direction};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        assert_int_equal(QL_NEW(*arrays[i], p->model.ae.params.size, "gradient", &err), QL_OK);
    if (ready) ready(ctx, p);
    loss_of(p);
    memcpy(p->before, p->gradient, (size_t)p->model.ae.params.size * sizeof(double));
}

static inline void probe_start(probe *p, const ql_ae_config *cfg, model_shape shape, double thin)
{
    probe_start_with(p, cfg, shape, thin, NULL, NULL);
}

static inline void probe_end(probe *p)
{
    double *const arrays[] = {p->before, p->gradient, p->weights, p->keep, p->direction};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) ql_free(arrays[i]);
    model_free(&p->model);
}

static inline double largest(const probe *p, const ql_tensor *t)
{
    double most = 0;
    for (int64_t i = 0; i < t->rows; i++)
        for (int64_t j = 0; j < t->cols; j++)
            most = fmax(most, fabs(p->before[t->offset + i * t->ld + j]));
    return most;
}

typedef struct {
    double worst;   /* signed, relative */
    char where[32]; /* tensor */
    int64_t checked, skipped;
} verdict;

/* The gradient along a direction, times factor (for tests of this test), against the slope. */
static inline void check_direction(probe *p, const ql_tensor *t, double factor, verdict *v)
{
    double sum = 0, size = largest(p, t) + SMALL;
    for (int64_t i = 0; i < t->rows * t->ld; i++) sum += p->before[t->offset + i] * p->direction[i];
    double d = slope(p, t, p->direction, STEP), error = (factor * sum - d) / size;
    v->checked++;
    if (fabs(error) > TOLERANCE &&
        fabs(slope(p, t, p->direction, STEP / 8) - d) / size > TOLERANCE) {
        v->skipped++;
        return;
    }
    if (fabs(error) <= fabs(v->worst)) return;
    v->worst = error;
    memcpy(v->where, t->name, sizeof v->where);
}

static inline void draw_direction(probe *p, const ql_tensor *t, ql_rng *r)
{
    double size = 0;
    memset(p->direction, 0, (size_t)(t->rows * t->ld) * sizeof(double));
    for (int64_t i = 0; i < t->rows; i++) {
        for (int64_t j = 0; j < t->cols; j++) {
            double x = p->direction[i * t->ld + j] = random_normal(r);
            size += x * x;
        }
    }
    for (int64_t i = 0; i < t->rows * t->ld; i++) p->direction[i] /= sqrt(size);
}

static inline verdict check_model(probe *p, double factor)
{
    verdict v = {0};
    ql_rng r = random_start(11);
    int looks = 1 + (p->model.ae.n_genes > QL_TILE ? 0 : ELEMENTS);
    for (int i = 0; i < p->model.ae.params.n_tensors; i++) {
        const ql_tensor *t = &p->model.ae.params.tensor[i];
        if (!t->trained) continue;
        for (int k = 0; k < looks; k++) {
            int64_t row = ql_rng_below(&r, (uint32_t)t->rows),
                    col = ql_rng_below(&r, (uint32_t)t->cols);
            draw_direction(p, t, &r);
            if (k > 0) {
                memset(p->direction, 0, (size_t)(t->rows * t->ld) * sizeof(double));
                p->direction[row * t->ld + col] = 1;
            }
            check_direction(p, t, factor, &v);
        }
    }
    return v;
}

/* Weights and what belongs to the outputs move. (Biases and shifts may be taken out again by the
 * batch norm of their own layer or the next.) */
static inline void every_tensor_has_a_gradient(const probe *p)
{
    for (int i = 0; i < p->model.ae.params.n_tensors; i++) {
        const ql_tensor *t = &p->model.ae.params.tensor[i];
        bool outputs = !strncmp(t->name, "mean/", 5) || !strncmp(t->name, "dispersion/", 11) ||
                       !strncmp(t->name, "dropout/", 8) || !strcmp(t->name, "log_theta");
        if (!t->trained || !(outputs || strstr(t->name, "/weight"))) continue;
        if (!(largest(p, t) > 1e-7)) fail_msg("%s has no gradient", t->name);
    }
}

static inline void check_probe(const char *what, probe *p)
{
    every_tensor_has_a_gradient(p);
    verdict v = check_model(p, 1);
    print_message("%-34s %4lld checked, %lld at kinks, worst %+.1e in %s\n", what,
                  (long long)v.checked, (long long)v.skipped, v.worst, v.where);
    assert_true(fabs(v.worst) <= TOLERANCE);
    assert_true(v.skipped * ONE_SKIPPED_OF <= v.checked);
    probe_end(p);
}

static inline void check(const char *what, const ql_ae_config *cfg, model_shape shape, double thin)
{
    probe p;
    probe_start(&p, cfg, shape, thin);
    check_probe(what, &p);
}

#endif
