/* Gradients of the whole network in float64 against central differences of its loss. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture_gradient.h"

static const model_shape small = {.cells = 25, .genes = 36, .seed = 21};
static const int64_t bottle[] = {8, 4, 8};

static void every_likelihood(void **state)
{
    (void)state;
    for (int i = 0; ql_likelihoods[i]; i++) {
        ql_ae_config c = model_config(ql_likelihoods[i]->name, 3, bottle);
        c.ridge = ql_likelihoods[i]->has_pi ? 0.05 : 0;
        check(ql_likelihoods[i]->name, &c, small, 0);
    }
}

/* Heads that share something over the genes, and those with layers of their own: over several
 * tiles, strips and blocks of cells, with penalties. */
static void shared_and_forked_heads(void **state)
{
    (void)state;
    static const char *const types[] = {"nb-shared", "zinb-shared", "nb-fork", "zinb-fork",
                                        "zinb-elempi"};
    const int64_t widths[] = {10, 4, 9, 7, 8};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        ql_ae_config c = model_config(types[i], 5, widths);
        c.ridge = 0.05;
        c.l1 = 1e-4;
        c.l2 = 2e-4;
        check(types[i], &c, (model_shape){.cells = 140, .genes = 270, .seed = 22}, 0);
    }
}

static void shared_dropout_of_the_mean(void **state)
{
    (void)state;
    ql_ae_config c = model_config("zinb-elempi", 3, bottle);
    c.shared_pi = true;
    c.l2 = 1e-3;
    check("zinb-elempi, shared", &c, small, 0);
    check("shared, 3 tiles, 2 blocks", &c, (model_shape){.cells = 140, .genes = 270, .seed = 22},
          0);
}

static void forks_without_layers_and_with_dropout(void **state)
{
    (void)state;
    const int64_t two[] = {9, 5};
    ql_ae_config c = model_config("zinb-fork", 2, two);
    check("fork, nothing behind", &c, small, 0);
    c = model_config("nb-fork", 3, bottle);
    c.dropout = 0.3;
    check("fork, dropout", &c, small, 0);
}

static void every_activation(void **state)
{
    (void)state;
    for (int i = 0; ql_activations[i]; i++) {
        ql_ae_config c = model_config("nb", 3, bottle);
        c.act = ql_activations[i];
        check(ql_activations[i]->name, &c, small, 0);
    }
}

static void shapes_of_the_network(void **state)
{
    (void)state;
    const int64_t one[] = {8}, two[] = {9, 5}, wide[] = {20, 3, 17}, five[] = {6, 5, 4, 5, 7};
    ql_ae_config c = model_config("zinb-conddisp", 1, one);
    check("one layer", &c, small, 0);
    c = model_config("nb-conddisp", 2, two);
    check("two layers", &c, small, 0);
    c = model_config("nb", 3, wide);
    check("three, odd widths", &c, small, 0);
    c = model_config("nb", 5, five);
    check("five layers", &c, small, 0);
}

static void batch_norm_and_latent(void **state)
{
    (void)state;
    for (int norm = 0; norm < 2; norm++) {
        for (int linear = 0; linear < 2; linear++) {
            char what[64];
            ql_ae_config c = model_config("zinb", 3, bottle);
            c.batch_norm = norm;
            c.linear_latent = linear;
            snprintf(what, sizeof what, "batch norm %d, linear %d", norm, linear);
            check(what, &c, small, 0);
        }
    }
}

static void dropout(void **state)
{
    (void)state;
    ql_ae_config c = model_config("nb", 3, bottle);
    c.dropout = 0.3;
    check("dropout", &c, small, 0);
    c.batch_norm = false;
    check("dropout, no batch norm", &c, small, 0);
}

static void penalties(void **state)
{
    (void)state;
    ql_ae_config c = model_config("nb-conddisp", 3, bottle);
    c.l1 = 1e-3;
    c.l2 = 2e-3;
    check("l1, l2", &c, small, 0);
    c.l1_enc = 4e-3;
    c.l2_enc = 5e-3;
    check("l1, l2 of the encoder", &c, small, 0);
}

static void thinned_inputs(void **state)
{
    (void)state;
    ql_ae_config c = model_config("nb", 3, bottle);
    check("thinned inputs", &c, small, 0.3);
}

/* ---- hidden layers and penalties (docs/family.md) ---- */

typedef struct {
    const char *name, *act, *code_act;
    const int64_t *hidden;
    int n_hidden, norm; /* norm: 0 batch, 1 layer, -1 none */
    bool curved_code;   /* linear_latent off */
    double code_l1, code_kl, orthogonal, contractive, dropout;
    double dropouts[3]; /* the first above 0: each layer has its own */
    int64_t code_k;
    bool tied;
} setting;

static const int64_t one_layer[] = {5}, encoder[] = {9, 4}, deep[] = {9, 6, 3, 6, 9};

static const setting settings[] = {
    {.name = "layer norm", .norm = 1},
    {.name = "layer norm, curved code", .norm = 1, .curved_code = true},
    {.name = "prelu, no norm", .act = "prelu", .norm = -1},
    {.name = "prelu, layer norm", .act = "prelu", .norm = 1, .curved_code = true},
    {.name = "softplus code", .code_act = "softplus"},
    {.name = "dropout of each layer", .dropouts = {0.1, 0.3, 0.2}},
    {.name = "code l1, linear", .code_l1 = 0.1},
    {.name = "code l1, relu", .code_l1 = 0.1, .code_act = "relu", .dropout = 0.2},
    {.name = "code l1, code is last", .code_l1 = 0.1, .hidden = encoder, .n_hidden = 2},
    {.name = "code l1, code is first", .code_l1 = 0.1, .hidden = one_layer, .n_hidden = 1},
    {.name = "code kl", .code_kl = 0.1, .code_act = "sigmoid"},
    {.name = "code kl, norm", .code_kl = 0.1, .code_act = "sigmoid", .curved_code = true},
    {.name = "largest of the code", .code_k = 2},
    {.name = "largest, l1, dropout", .code_k = 2, .code_l1 = 0.1, .dropouts = {0.1, 0.2, 0.1}},
    {.name = "orthogonal", .orthogonal = 0.05},
    {.name = "orthogonal, one layer", .orthogonal = 0.05, .hidden = one_layer, .n_hidden = 1},
    {.name = "orthogonal, deep", .orthogonal = 0.05, .hidden = deep, .n_hidden = 5},
    {.name = "tied, one layer", .tied = true, .hidden = one_layer, .n_hidden = 1},
    {.name = "tied", .tied = true},
    {.name = "tied, deep, no norm", .tied = true, .hidden = deep, .n_hidden = 5, .norm = -1},
    {.name = "tied, orthogonal", .tied = true, .orthogonal = 0.05, .hidden = deep, .n_hidden = 5},
    {.name = "contractive, one layer",
     .contractive = 0.1,
     .hidden = one_layer,
     .n_hidden = 1,
     .code_act = "tanh",
     .norm = -1},
    {.name = "the same, batch norm",
     .contractive = 0.1,
     .hidden = one_layer,
     .n_hidden = 1,
     .act = "gelu",
     .curved_code = true},
    {.name = "the same, layer norm",
     .contractive = 0.1,
     .hidden = one_layer,
     .n_hidden = 1,
     .act = "sigmoid",
     .curved_code = true,
     .norm = 1},
    {.name = "contractive", .contractive = 0.1, .norm = -1},
    {.name = "contractive, deep", .contractive = 0.1, .norm = -1, .hidden = deep, .n_hidden = 5},
    {.name = "contractive, relu", .contractive = 0.1, .norm = -1, .act = "relu"},
    {.name = "contractive, selu", .contractive = 0.1, .norm = -1, .act = "selu"},
    {.name = "contractive, batch norm", .contractive = 0.1, .act = "tanh", .curved_code = true},
    {.name = "contractive, layer norm",
     .contractive = 0.1,
     .act = "softplus",
     .curved_code = true,
     .norm = 1},
    {.name = "contractive, dropout", .contractive = 0.1, .dropout = 0.3},
    {.name = "contractive, prelu", .contractive = 0.1, .act = "prelu", .curved_code = true},
    {.name = "contractive, code last", .contractive = 0.1, .hidden = encoder, .n_hidden = 2},
    {.name = "contractive, tied", .contractive = 0.1, .tied = true, .hidden = deep, .n_hidden = 5},
    {.name = "all of it",
     .act = "gelu",
     .contractive = 0.1,
     .code_l1 = 0.05,
     .code_k = 2,
     .orthogonal = 0.02,
     .tied = true,
     .dropout = 0.1,
     .hidden = deep,
     .n_hidden = 5},
};

static ql_ae_config config_of(const setting *s)
{
    ql_ae_config c =
        model_config("nb-conddisp", s->hidden ? s->n_hidden : 3, s->hidden ? s->hidden : bottle);
    if (s->act) c.act = ql_activation_find(s->act);
    if (s->code_act) c.code_act = ql_activation_find(s->code_act);
    c.linear_latent = !s->curved_code;
    c.batch_norm = s->norm == 0;
    c.layer_norm = s->norm == 1;
    c.code_l1 = s->code_l1;
    c.code_kl = s->code_kl;
    c.code_k = s->code_k;
    c.orthogonal = s->orthogonal;
    c.contractive = s->contractive;
    c.tied = s->tied;
    c.dropout = s->dropout;
    c.n_dropouts = s->dropouts[0] > 0 ? 3 : 0;
    for (int i = 0; i < c.n_dropouts; i++) c.dropouts[i] = s->dropouts[i];
    return c;
}

static void hidden_layers_and_penalties(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        ql_ae_config c = config_of(&settings[i]);
        check(settings[i].name, &c, small, 0);
    }
}

static void corrupted_inputs(void **state)
{
    (void)state;
    const int64_t widths[] = {10, 4, 9};
    for (int i = 0; ql_corruptions[i]; i++) {
        const ql_corruption *kind = ql_corruptions[i];
        ql_ae_config c = model_config("nb", 3, bottle);
        c.corrupt = (ql_corrupt){kind, kind->usual};
        check(kind->name, &c, small, 0);
        if (i > 0 && kind->apply) continue;
        c = model_config("nb", 3, widths);
        c.corrupt = (ql_corrupt){kind, kind->usual};
        check("  3 tiles, 2 blocks", &c, (model_shape){.cells = 140, .genes = 270, .seed = 22}, 0);
    }
}

/* Penalties and tied weights see the input layer's weights, whatever the inputs are. */
static void corrupted_inputs_and_penalties(void **state)
{
    (void)state;
    static const char *const names[] = {"tied", "tied, orthogonal", "contractive",
                                        "contractive, tied", "all of it"};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
            if (strcmp(settings[i].name, names[k]) != 0) continue;
            ql_ae_config c = config_of(&settings[i]);
            c.corrupt = (ql_corrupt){ql_corruption_find("gaussian"), 0.3};
            check(names[k], &c, small, 0);
        }
    }
}

static void convolution(void **state)
{
    (void)state;
    const int64_t widths[] = {10, 4, 9};
    ql_ae_config c = model_config("nb", 3, bottle);
    c.conv = (ql_conv_shape){4, 5, 3};
    check("convolution", &c, small, 0);
    c.corrupt = (ql_corrupt){ql_corruption_find("gaussian"), 0.4};
    check("  noisy", &c, small, 0);
    c.batch_norm = false;
    check("  noisy, no batch norm", &c, small, 0);
    c = model_config("nb", 3, widths);
    c.conv = (ql_conv_shape){8, 9, 2};
    c.corrupt = (ql_corrupt){ql_corruption_find("mask"), 0.2};
    check("  many tiles, 2 blocks", &c, (model_shape){.cells = 140, .genes = 270, .seed = 22}, 0);
}

static void scaled_inputs_as_targets(void **state)
{
    (void)state;
    const int64_t widths[] = {10, 4, 9};
    ql_ae_config c = model_config("nb", 3, bottle);
    c.likelihood = &ql_gaussian;
    check("squared error of inputs", &c, small, 0);
    c.corrupt = (ql_corrupt){ql_corruption_find("thin"), 0.3};
    check("  thinned, target whole", &c, small, 0);
    c = model_config("nb", 3, widths);
    c.likelihood = &ql_gaussian;
    c.corrupt = (ql_corrupt){ql_corruption_find("gaussian"), 0.3};
    check("  noisy, 3 tiles, 2 blocks", &c, (model_shape){.cells = 140, .genes = 270, .seed = 22},
          0);
}

/* More than a tile of genes, more than a block of cells; more tiles than strips. */
static void several_tiles_strips_and_blocks(void **state)
{
    (void)state;
    const int64_t widths[] = {10, 4, 9};
    ql_ae_config c = model_config("zinb-conddisp", 3, widths);
    check("3 tiles, 2 blocks", &c, (model_shape){.cells = 140, .genes = 270, .seed = 22}, 0);
    const int64_t mirrored[] = {10, 4, 10};
    ql_ae_config d = model_config("zinb-conddisp", 3, mirrored);
    d.tied = true;
    d.orthogonal = 0.05;
    d.contractive = 0.1;
    check("tied and penalised", &d, (model_shape){.cells = 140, .genes = 270, .seed = 22}, 0);
    c = model_config("nb", 3, widths);
    check("35 tiles, 32 strips", &c, (model_shape){.cells = 14, .genes = 4400, .seed = 23}, 0);
    /* less of them: sums over so many genes would hide the loss in their rounding */
    d.orthogonal = 5e-5;
    d.contractive = 1e-3;
    check("tied and penalised", &d, (model_shape){.cells = 14, .genes = 4400, .seed = 23}, 0);
}

/* The gradient of the sum over genes is the gradient of the mean, times the genes. */
static void sum_over_genes(void **state)
{
    (void)state;
    ql_ae_config c = model_config("nb-conddisp", 3, bottle);
    probe mean, sum;
    probe_start(&mean, &c, small, 0);
    c.mean_loss = false;
    probe_start(&sum, &c, small, 0);
    double genes = (double)mean.model.ae.n_genes, most = 0;
    for (int64_t i = 0; i < mean.model.ae.params.size; i++) most = fmax(most, fabs(sum.before[i]));
    for (int i = 0; i < mean.model.ae.params.n_tensors; i++) {
        const ql_tensor *t = &mean.model.ae.params.tensor[i];
        for (int64_t k = t->offset; t->trained && k < t->offset + t->rows * t->ld; k++)
            assert_true(fabs(mean.before[k] * genes - sum.before[k]) <= 1e-9 * most);
    }
    probe_end(&mean);
    probe_end(&sum);
}

/* Moving statistics are no weights: they change the loss in inference only. */
static void moving_statistics_do_not_matter(void **state)
{
    (void)state;
    ql_ae_config c = model_config("nb", 3, bottle);
    probe p;
    probe_start(&p, &c, small, 0);
    double loss = loss_of(&p);
    for (int i = 0; i < p.model.ae.params.n_tensors; i++) {
        const ql_tensor *t = &p.model.ae.params.tensor[i];
        for (int64_t k = 0; !t->trained && k < t->cols; k++)
            p.model.ae.params.w[t->offset + k] += 1;
    }
    assert_true(loss_of(&p) == loss);
    probe_end(&p);
}

static void wrong_gradients_are_noticed(void **state)
{
    (void)state;
    ql_ae_config c = model_config("nb", 3, bottle);
    probe p;
    probe_start(&p, &c, small, 0);
    assert_true(fabs(check_model(&p, -1).worst) > 0.5);
    assert_true(fabs(check_model(&p, 1.001).worst) > 2e-4);
    probe_end(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_likelihood),
        cmocka_unit_test(shared_and_forked_heads),
        cmocka_unit_test(shared_dropout_of_the_mean),
        cmocka_unit_test(forks_without_layers_and_with_dropout),
        cmocka_unit_test(every_activation),
        cmocka_unit_test(shapes_of_the_network),
        cmocka_unit_test(batch_norm_and_latent),
        cmocka_unit_test(dropout),
        cmocka_unit_test(penalties),
        cmocka_unit_test(thinned_inputs),
        cmocka_unit_test(hidden_layers_and_penalties),
        cmocka_unit_test(corrupted_inputs),
        cmocka_unit_test(corrupted_inputs_and_penalties),
        cmocka_unit_test(scaled_inputs_as_targets),
        cmocka_unit_test(convolution),
        cmocka_unit_test(several_tiles_strips_and_blocks),
        cmocka_unit_test(sum_over_genes),
        cmocka_unit_test(moving_statistics_do_not_matter),
        cmocka_unit_test(wrong_gradients_are_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
