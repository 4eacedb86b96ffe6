#include "entry_sink.h"

/* Runs of a size that there are at most RUNS of them, within bounds. */
enum { RUNS = 256, LEAST = 1 << 20, MOST = 1 << 22, FEW = 1 << 10, ENTRY_BYTES = 4 };

static int64_t forced_run, forced_band;

void ql_stream_in_pieces(int64_t run, int64_t band)
{
    forced_run = run;
    forced_band = band;
}

int64_t ql_band_entries(void)
{
    return forced_band > 0 ? forced_band : QL_BAND;
}

int64_t ql_sort_entries(int64_t nnz)
{
    if (forced_run > 0) return forced_run;
    int64_t n = nnz / RUNS;
    if (n > MOST) return MOST;
    if (n >= LEAST || nnz < 0) return nnz < 0 ? LEAST : n;
    if (nnz > LEAST) return LEAST;
    return nnz > FEW ? nnz : FEW;
}

int64_t ql_sort_held(int64_t nnz, int64_t n_rows, int64_t max_row)
{
    int64_t band = nnz < QL_BAND ? nnz : QL_BAND;
    return ql_runs_held(ql_sort_entries(nnz), band, nnz, n_rows, max_row);
}

int64_t ql_sort_file(int64_t nnz)
{
    return nnz > ql_sort_entries(nnz) ? nnz * ENTRY_BYTES : 0;
}

static ql_status take(void *ctx, ql_csr *band, bool *stop, ql_err *err)
{
    ql_band_sink *s = ctx;
    QL_TRY(ql_sink_add(s, band, err));
    *stop = s->stop;
    return QL_OK;
}

ql_status ql_sink_sorted(ql_band_sink *s, ql_entry_runs *runs, int64_t n_rows, int64_t n_cols,
                         ql_err *err)
{
    QL_TRY(ql_sink_begin(s, n_rows, n_cols, err));
    return ql_runs_merge(runs, n_rows, n_cols, ql_band_entries(), take, s, err);
}
