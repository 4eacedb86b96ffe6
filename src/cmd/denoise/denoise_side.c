/* Files beside the h5ad, for programs that read no HDF5: cells and latent space as csv, the
 * denoised matrix as .npy. */
#include <string.h>

#include "denoise_layers.h"
#include "quell/alloc.h"
#include "quell/frame_table.h"
#include "quell/npy_writer.h"

enum { BAND_ROWS = 256 }; /* what the memory plan counts on */

ql_status denoise_check_side(const denoise_args *a, const char *in_path, ql_err *err)
{
    if (a->obs_out) QL_TRY(ql_output_check(a->obs_out, in_path, a->force, err));
    if (a->obsm_out) QL_TRY(ql_output_check(a->obsm_out, in_path, a->force, err));
    return a->layer_out ? ql_npy_check(a->layer_out, in_path, a->force, err) : QL_OK;
}

static ql_status write_table(const denoise_result *r, const char *path, const ql_frame *frame,
                             ql_err *err)
{
    const ql_frame_table_options how = {
        .in_path = r->ds->path, .force = r->args->force, .threads = r->run->threads};
    return ql_frame_table_write(path, frame, &how, err);
}

/* Columns of the input's cells that the reader could not represent. */
static void tell_lost(const denoise_result *r)
{
    const ql_names *others = &r->ds->others;
    for (int64_t i = 0; i < others->n; i++) {
        const char *name = ql_name(others, i);
        if (!strncmp(name, "obs/", 4))
            ql_log_warn(r->run->log, "%s: %s cannot be written as text", r->args->obs_out, name);
    }
}

/* The input's columns first, then those of the run, as in the h5ad. */
static ql_status write_obs(const denoise_result *r, ql_err *err)
{
    const ql_frame *in = &r->ds->cells;
    ql_frame frame = {0};
    ql_status st;
    tell_lost(r);
    QL_GO(ql_names_copy(&in->index, &frame.index, err));
    for (int i = 0; i < in->n_columns; i++) {
        const ql_column *c = &in->columns[i];
        const void *values = c->type == QL_COL_STRING ? (const void *)&c->strings : c->values;
        QL_GO(ql_frame_add(&frame, c->name, c->type, values, err));
    }
    QL_GO(denoise_cell_columns(r, &frame, err));
    QL_GO(write_table(r, r->args->obs_out, &frame, err));
out:
    ql_frame_free(&frame);
    return st;
}

static ql_status write_latent(const denoise_result *r, ql_err *err)
{
    const int64_t n = r->ds->counts.n_rows, width = ql_ae_latent_width(&r->fitted->ae);
    ql_frame frame = {0};
    float *latent = NULL;
    ql_status st;
    QL_GO(ql_names_copy(&r->ds->cells.index, &frame.index, err));
    QL_GO(QL_NEW(latent, n * width, "the latent space", err));
    QL_GO(ql_predict_latent(r->fitted, r->rows, r->fitted->ae.cfg.latent_at, latent, err));
    QL_GO(ql_frame_add_matrix(&frame, denoise_key(r->args), QL_COL_F32, latent, width, err));
    QL_GO(write_table(r, r->args->obsm_out, &frame, err));
out:
    ql_free(latent);
    ql_frame_free(&frame);
    return st;
}

static ql_status write_bands(const denoise_result *r, const ql_predictor *p, ql_npy *w, ql_err *err)
{
    const int64_t n_cells = r->ds->counts.n_rows;
    float *band = NULL;
    ql_status st;
    QL_TRY(QL_NEW(band, BAND_ROWS * p->n_columns, "a band of the denoised matrix", err));
    st = QL_OK;
    for (int64_t row = 0; row < n_cells; row += BAND_ROWS) {
        int64_t n = n_cells - row < BAND_ROWS ? n_cells - row : BAND_ROWS;
        denoise_tell_cells(r, row);
        QL_GO(ql_predict_cells(p, row, n, band, err));
        QL_GO(ql_npy_rows(w, band, n, err));
    }
    ql_log_progress_end(r->run->log);
out:
    ql_free(band);
    return st;
}

/* Names of the columns: all genes of the file, or the chosen ones in their order. */
static ql_status gene_names(const denoise_result *r, ql_names *out, ql_err *err)
{
    const ql_names *all = &r->ds->genes.index;
    if (!r->genes->in_order) return ql_names_copy(all, out, err);
    for (int64_t i = 0; i < r->genes->n; i++) {
        const char *name = ql_name(all, r->genes->in_order[i]);
        QL_TRY(ql_names_add(out, name, strlen(name), err));
    }
    return QL_OK;
}

static ql_status write_layer(const denoise_result *r, ql_err *err)
{
    const ql_view view = denoise_view(r->args, r->posterior);
    ql_predictor p = {0};
    ql_names genes = {0};
    ql_npy *w = NULL;
    ql_status st;
    QL_GO(gene_names(r, &genes, err));
    QL_GO(
        ql_predictor_new(&p, r->fitted, r->rows, view.value, r->genes->in_order, r->genes->n, err));
    QL_GO(ql_predictor_look(&p, &view, err));
    const ql_npy_spec spec = {.cells = &r->ds->cells.index,
                              .genes = &genes,
                              .in_path = r->ds->path,
                              .force = r->args->force};
    QL_GO(ql_npy_begin(r->args->layer_out, &spec, &w, err));
    QL_GO(write_bands(r, &p, w, err));
    ql_npy *finished = w;
    w = NULL; /* commit frees it in any case */
    QL_GO(ql_npy_commit(finished, err));
out:
    ql_npy_abort(w);
    ql_predictor_free(&p);
    ql_names_free(&genes);
    return st;
}

ql_status denoise_write_side(const denoise_result *r, ql_err *err)
{
    if (r->args->obs_out) QL_TRY(write_obs(r, err));
    if (r->args->obsm_out) QL_TRY(write_latent(r, err));
    return r->args->layer_out ? write_layer(r, err) : QL_OK;
}
