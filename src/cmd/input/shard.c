#include "shard.h"

#include <stdio.h>
#include <string.h>

#include "quell/fingerprint.h"
#include "quell/hash.h"

/* ---- the option ---- */

static bool take_number(const char **at, char end, int64_t *out)
{
    int64_t n = 0;
    const char *from = *at;
    for (; **at >= '0' && **at <= '9' && n <= SHARD_MOST; ++*at) n = 10 * n + (**at - '0');
    if (*at == from || **at != end || n < 1 || n > SHARD_MOST) return false;
    *out = n;
    return true;
}

ql_status shard_parse(const char *text, shard_spec *out, ql_err *err)
{
    *out = (shard_spec){0};
    if (!text) return QL_OK;
    const char *at = text;
    bool ok = take_number(&at, '/', &out->number);
    if (ok) {
        at++;
        ok = take_number(&at, '\0', &out->of) && out->number <= out->of;
    }
    if (ok) return QL_OK;
    return ql_fail(err, QL_EUSAGE, "--shard: '%.40s' is no I/N with 1 <= I <= N <= %d", text,
                   SHARD_MOST);
}

cell_range shard_range(shard_spec s, int64_t n_cells)
{
    if (s.of == 0) return (cell_range){0, n_cells};
    /* in two steps: the product of both may be too large */
    const int64_t whole = n_cells / s.of, rest = n_cells % s.of, i = s.number - 1;
    const int64_t first = whole * i + rest * i / s.of;
    const int64_t end = whole * s.number + rest * s.number / s.of;
    return (cell_range){first, end - first};
}

/* ---- marks ---- */

static void put_hash(uint64_t h, char out[SHARD_HASH])
{
    (void)snprintf(out, SHARD_HASH, "%016llx", (unsigned long long)h);
}

static uint64_t hash_names(uint64_t h, const ql_names *names)
{
    h = ql_hash_word(h, (uint64_t)names->n);
    return names->n > 0 ? ql_hash_bytes(h, names->bytes, names->offset[names->n]) : h;
}

static ql_status hash_file(const char *path, uint64_t *out, ql_err *err)
{
    unsigned char block[16384];
    FILE *f = fopen(path, "rb");
    if (!f) return ql_fail(err, QL_ENOINPUT, "%s: cannot be read again", path);
    *out = QL_HASH_START;
    for (size_t n; (n = fread(block, 1, sizeof block, f)) > 0;)
        *out = ql_hash_bytes(*out, block, (int64_t)n);
    const bool failed = ferror(f) != 0;
    (void)fclose(f);
    return failed ? ql_fail(err, QL_ENOINPUT, "%s: cannot be read again", path) : QL_OK;
}

ql_status shard_marks_make(const ql_dataset *ds, const char *model, shard_marks *out, ql_err *err)
{
    const ql_rows rows = ql_dataset_rows(ds);
    uint64_t counts, file = 0;
    QL_TRY(ql_rows_fingerprint(&rows, &counts, err));
    if (model) QL_TRY(hash_file(model, &file, err));
    put_hash(hash_names(hash_names(QL_HASH_START, &ds->cells.index), &ds->genes.index), out->names);
    put_hash(counts, out->counts);
    put_hash(file, out->model);
    return QL_OK;
}

/* ---- a part ---- */

static ql_status names_between(const ql_names *all, cell_range r, ql_names *out, ql_err *err)
{
    for (int64_t i = r.first; i < r.first + r.n; i++)
        QL_TRY(ql_names_add(out, ql_name(all, i), strlen(ql_name(all, i)), err));
    return QL_OK;
}

ql_status shard_begin(const char *path, const ql_dataset *ds, cell_range range,
                      const ql_write_options *opt, ql_h5ad_writer **out, ql_err *err)
{
    ql_dataset part = {.path = ds->path}; /* format is left out: nothing of the file is copied */
    ql_status st;
    QL_GO(ql_csr_alloc(&part.counts, range.n, ds->counts.n_cols, 0, err));
    QL_GO(names_between(&ds->cells.index, range, &part.cells.index, err));
    QL_GO(ql_names_copy(&ds->genes.index, &part.genes.index, err));
    QL_GO(ql_h5ad_begin(path, &part, opt, NULL, out, err));
out:
    ql_csr_free(&part.counts);
    ql_frame_free(&part.cells);
    ql_frame_free(&part.genes);
    return st;
}

static ql_status write_options(const ql_opts *opts, ql_h5ad_writer *w, ql_err *err)
{
    ql_str text = {0};
    ql_options_text(opts, &text);
    ql_status st = text.failed ? ql_fail(err, QL_EMEMORY, "no memory for the options")
                               : ql_h5ad_string(w, SHARD_KEY "/options", ql_str_text(&text), err);
    ql_str_free(&text);
    return st;
}

ql_status shard_write_header(const shard_header *h, ql_h5ad_writer *w, ql_err *err)
{
    const cell_range range = shard_range(h->spec, h->n_cells);
    ql_names journal = {0};
    ql_status st;
    QL_GO(ql_names_copy(ql_h5ad_journal(w), &journal, err)); /* which the following goes on with */
    QL_GO(ql_h5ad_int(w, SHARD_KEY "/version", SHARD_VERSION, err));
    QL_GO(ql_h5ad_int(w, SHARD_KEY "/number", h->spec.number, err));
    QL_GO(ql_h5ad_int(w, SHARD_KEY "/of", h->spec.of, err));
    QL_GO(ql_h5ad_int(w, SHARD_KEY "/first_cell", range.first, err));
    QL_GO(ql_h5ad_int(w, SHARD_KEY "/cells", range.n, err));
    QL_GO(ql_h5ad_int(w, SHARD_KEY "/input_cells", h->n_cells, err));
    QL_GO(ql_h5ad_string(w, SHARD_KEY "/input_names_fnv1a", h->marks->names, err));
    QL_GO(ql_h5ad_string(w, SHARD_KEY "/input_counts_fnv1a", h->marks->counts, err));
    QL_GO(ql_h5ad_string(w, SHARD_KEY "/model_fnv1a", h->marks->model, err));
    QL_GO(ql_h5ad_int(w, SHARD_KEY "/compression_level", h->deflate, err));
    QL_GO(write_options(h->opts, w, err));
    QL_GO(ql_h5ad_strings(w, SHARD_KEY "/journal", &journal, err));
out:
    ql_names_free(&journal);
    return st;
}
