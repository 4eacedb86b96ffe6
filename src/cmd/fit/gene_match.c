#include "gene_match.h"

#include <string.h>

#include "quell/alloc.h"
#include "quell/strbuf.h"

void gene_match_free(gene_match *g)
{
    ql_free(g->map);
    ql_free(g->place);
    *g = (gene_match){0};
}

/* Genes of the file that are still without a partner, by one list of each side. Returns how many
 * found one. */
static ql_status match_lists(const ql_names *file, const ql_names *model, gene_match *g,
                             int64_t *found, ql_err *err)
{
    ql_name_index *index = NULL;
    *found = 0;
    if (!file || !model) return QL_OK;
    QL_TRY(ql_name_index_new(model, &index, err));
    for (int64_t i = 0; i < g->n_file; i++) {
        const char *name = ql_name(file, i);
        int64_t at = g->map[i] < 0 && *name ? ql_name_index_find(index, name) : -1;
        if (at < 0 || g->place[at] >= 0) continue;
        g->map[i] = (int32_t)at;
        g->place[at] = i;
        ++*found;
    }
    ql_name_index_free(index);
    return QL_OK;
}

static ql_status match_all(const model_file *m, const ql_frame *genes, gene_match *g, ql_err *err)
{
    const ql_names *ids = model_gene_ids(genes);
    const struct {
        const ql_names *file, *model;
    } passes[] = {{ids, m->ids}, {&genes->index, m->ids}, {ids, m->genes}};
    int64_t found;
    QL_TRY(match_lists(&genes->index, m->genes, g, &g->by_name, err));
    for (size_t i = 0; i < sizeof passes / sizeof *passes; i++) {
        QL_TRY(match_lists(passes[i].file, passes[i].model, g, &found, err));
        g->by_id += found;
    }
    return QL_OK;
}

static ql_status missing_share(const model_file *m, gene_match *g, ql_err *err)
{
    double all = 0, missing = 0;
    ql_array total;
    QL_TRY(ql_bundle_array(&m->bundle, "genes/total", (ql_array){QL_ELEM_F64, g->n_model, -1, NULL},
                           &total, err));
    for (int64_t i = 0; i < g->n_model; i++) {
        double t = ((const double *)total.values)[i];
        all += t;
        if (g->place[i] < 0) missing += t;
    }
    g->missing_share = all > 0 ? missing / all : 0;
    return QL_OK;
}

static void examples(const ql_names *names, ql_str *out)
{
    for (int64_t i = 0; i < names->n && i < 3; i++) {
        ql_str_puts(out, i ? ", " : "");
        ql_str_escape(out, ql_name(names, i), strlen(ql_name(names, i)));
    }
}

static ql_status fail_strangers(const model_file *m, const ql_frame *genes, ql_err *err)
{
    ql_str here = {0}, there = {0};
    examples(&genes->index, &here);
    examples(m->genes, &there);
    ql_fail(err, QL_EMISMATCH,
            "%s: none of the model's %lld genes (%s, ...) is among the %lld of the data (%s, ...)",
            m->path, (long long)m->genes->n, ql_str_text(&there), (long long)genes->index.n,
            ql_str_text(&here));
    ql_str_free(&here);
    ql_str_free(&there);
    return ql_hint(err, QL_EMISMATCH,
                   "the same names, or ids in a column gene_ids, are needed on both sides");
}

ql_status gene_match_make(const model_file *m, const ql_frame *genes, gene_match *out, ql_err *err)
{
    ql_status st;
    *out = (gene_match){.n_file = genes->index.n, .n_model = m->genes->n};
    QL_GO(QL_NEW(out->map, out->n_file, "gene list", err));
    QL_GO(QL_NEW(out->place, out->n_model, "gene list", err));
    for (int64_t i = 0; i < out->n_file; i++) out->map[i] = -1;
    for (int64_t i = 0; i < out->n_model; i++) out->place[i] = -1;
    QL_GO(match_all(m, genes, out, err));
    QL_GO(missing_share(m, out, err));
    if (out->by_name + out->by_id == 0) st = fail_strangers(m, genes, err);
out:
    if (st != QL_OK) gene_match_free(out);
    return st;
}
