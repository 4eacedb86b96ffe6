/* Model files: whatever HDF5 holds, it is a model that can be applied, or one line says why not. */
#include <hdf5.h>
#include <math.h>
#include <string.h>

#include "../../src/cmd/fit/model_file.h"
#include "../../src/cmd/model_info.h"
#include "fuzz.h"
#include "quell/alloc.h"
#include "quell/predict.h"

enum { GENES_MOST = 64, CELLS = 2 };

static void check_failure(ql_status st, const ql_err *err)
{
    fz_require(st == QL_EDATA || st == QL_ENOINPUT || st == QL_EMEMORY);
    fz_require(err->msg[0] && !strchr(err->msg, '\n'));
}

/* One molecule of the first gene, two of the last. */
static ql_status counts_for(int64_t genes, ql_csr *m)
{
    QL_TRY(ql_csr_alloc(m, CELLS, genes, CELLS, NULL));
    m->indices[0] = 0;
    m->data[0] = 1;
    m->indices[1] = (int32_t)genes - 1;
    m->data[1] = 2;
    m->indptr[1] = 1;
    m->indptr[2] = 2;
    return QL_OK;
}

static void predict(ql_fitted *f, const ql_rows *rows)
{
    ql_predictor p = {0};
    float out[CELLS * GENES_MOST];
    ql_err err = {0};
    if (ql_predictor_new(&p, f, rows, QL_VALUE_MEAN, NULL, 0, &err) == QL_OK) {
        ql_status st = ql_predict_cells(&p, 0, CELLS, out, &err);
        fz_require(st == QL_OK || st == QL_EMEMORY);
    }
    ql_predictor_free(&p);
}

static void use(model_file *m)
{
    int64_t place[GENES_MOST];
    const int64_t genes = m->genes->n;
    ql_csr counts = {0};
    ql_fitted f = {0};
    ql_err err = {0};
    if (genes > GENES_MOST || m->args.hidden.n > 3 || counts_for(genes, &counts) != QL_OK) return;
    for (int64_t g = 0; g < genes; g++) place[g] = g;
    const ql_gene_places places = {genes, place, genes};
    ql_rows rows = ql_rows_of_csr(&counts);
    m->fit.ae.bf16 = false;
    m->fit.train.batch_size = 16;
    ql_status st =
        ql_fitted_take(&m->bundle, &m->fit, &rows, &places, ql_kern_find("scalar"), &f, &err);
    if (st == QL_OK)
        predict(&f, &rows);
    else
        check_failure(st, &err);
    ql_fitted_free(&f);
    ql_csr_free(&counts);
}

static int64_t n_sound;

int64_t fz_n_sound_models(void)
{
    return n_sound;
}

void fz_model(const char *path, const fz_settings *s)
{
    model_file m = {0};
    ql_err err = {0};
    ql_str text = {0};
    int64_t before = ql_alloc_bytes();
    ql_alloc_fail_after(s->fail_after);
    ql_status st = model_file_read(path, 1, &m, &err);
    ql_alloc_fail_after(0);
    if (st == QL_OK) {
        n_sound++;
        use(&m);
        st = model_info(path, s->flags & 1, &text, &err);
        if (st != QL_OK) check_failure(st, &err);
    } else {
        check_failure(st, &err);
    }
    model_file_free(&m);
    ql_str_free(&text);
    fz_require(ql_alloc_bytes() == before);
    fz_require(H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) == 0);
}
