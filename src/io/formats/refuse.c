/* What an input is when no format knows it: tables of first bytes and of HDF5 members, each row
 * with the advice that helps. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../file/folder.h"
#include "../hdf5/h5_read.h"
#include "../mtx/mtx_folder.h"
#include "../table/table_layout.h"
#include "../text/text_input.h"
#include "../text/wording.h"
#include "refuse.h"

static ql_status fail_missing(const char *path, ql_err *err)
{
    char target[256];
    int code = errno;
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n <= 0) return ql_fail(err, QL_ENOINPUT, "%s", strerror(code));
    target[n] = '\0';
    return ql_fail(err, QL_ENOINPUT, "is a link to %s: %s", target, strerror(code));
}

ql_status ql_check_input(const char *path, ql_err *err)
{
    struct stat s;
    if (stat(path, &s) != 0) return fail_missing(path, err);
    if (access(path, R_OK) != 0) return ql_fail(err, QL_ENOINPUT, "%s", strerror(errno));
    if (S_ISDIR(s.st_mode)) return QL_OK;
    if (!S_ISREG(s.st_mode)) return ql_fail(err, QL_ENOINPUT, "is no file");
    if (s.st_size == 0) return ql_fail(err, QL_EDATA, "is empty");
    return QL_OK;
}

typedef struct {
    const char *what, *hint;
} refusal;

static ql_status refuse(const refusal *r, ql_err *err)
{
    ql_fail(err, QL_EDATA, "%s", r->what);
    return r->hint ? ql_hint(err, QL_EDATA, "%s", r->hint) : QL_EDATA;
}

#define R_HINT                                                                                     \
    "in R: anndataR::write_h5ad(readRDS(\"x.rds\"), \"x.h5ad\") or DropletUtils::write10xCounts("  \
    "\"x.h5\", counts, version = \"3\", type = \"HDF5\")"
#define ZARR_HINT "python -c \"import anndata; anndata.read_zarr('x.zarr').write_h5ad('x.h5ad')\""

#define READS_HINT "quell reads count matrices, such as filtered_feature_bc_matrix.h5"
#define UTF16_HINT "save it as UTF-8: iconv -f UTF-16 -t UTF-8 FILE >NEW"

/* --- by first bytes --- */

typedef struct {
    size_t at, n;
    const char *bytes;
    refusal r;
} magic;

/* Of the file as it is. */
static const magic raw_magic[] = {
    {30,
     19,
     "[Content_Types].xml",
     {"is an Excel workbook (xlsx)",
      "export the sheet as csv; see that no gene names have become dates (SEPT1, MARCH1)"}},
    {30, 7, ".zgroup", {"is a zipped zarr store; zarr is not read", ZARR_HINT}},
    {30, 7, ".zattrs", {"is a zipped zarr store; zarr is not read", ZARR_HINT}},
    {30, 9, "zarr.json", {"is a zipped zarr store; zarr is not read", ZARR_HINT}},
    {0,
     4,
     "PK\003\004",
     {"is a zip archive (an xlsx, a zipped folder or a zarr store)",
      "unpack it, or export the table as an h5ad or mtx folder"}},
    {0, 3, "BZh", {"is compressed with bzip2", "decompress it first: bunzip2 FILE"}},
    {0,
     6,
     "\xFD"
     "7zXZ\0",
     {"is compressed with xz", "decompress it first: unxz FILE"}},
    {0, 4, "\x28\xB5\x2F\xFD", {"is compressed with zstd", "decompress it first: unzstd FILE"}},
};

/* Of the text or, if gzip, of what is inside. */
static const magic inner_magic[] = {
    {0, 8, "\x89HDF\r\n\x1a\n", {"is a compressed HDF5 file", "decompress it first: gunzip FILE"}},
    {0, 5, "RDX2\n", {"is an R data file (.RData)", R_HINT}},
    {0, 5, "RDX3\n", {"is an R data file (.RData)", R_HINT}},
    {0, 3, "RDA", {"is an R data file (.RData)", R_HINT}},
    {0, 2, "X\n", {"is an R object (.rds)", R_HINT}},
    {257, 5, "ustar", {"is a tar archive", "unpack it first: tar xf FILE"}},
    {0, 4, "BAM\1", {"is a BAM file of reads", READS_HINT}},
    {0, 4, "CRAM", {"is a CRAM file of reads", READS_HINT}},
    {0, 2, "\xFF\xFE", {"is UTF-16 text", UTF16_HINT}},
    {0, 2, "\xFE\xFF", {"is UTF-16 text", UTF16_HINT}},
};

/* Text that is no table. */
static const magic text_magic[] = {
    {0, 1, "{", {"is JSON, not a count matrix", NULL}},
    {0, 1, "<", {"is a web page or XML: a download that failed?", NULL}},
    {0, 1, "@", {"is a file of reads (FASTQ or SAM)", READS_HINT}},
    {0, 1, ">", {"is a file of sequences (FASTA)", READS_HINT}},
    {0, 13, "##fileformat=", {"is a file of variants (VCF)", READS_HINT}},
    {0, 5, "##gff", {"is an annotation of genes (GFF)", READS_HINT}},
    {0, 2, "#!", {"is an annotation of genes (GTF) or a script", READS_HINT}},
};

static const refusal fragments = {"is a file of ATAC fragments, not a count matrix",
                                  "use filtered_feature_bc_matrix.h5 of the same run"};

static ql_status match(const magic *rows, size_t n_rows, const char *head, size_t n, ql_err *err)
{
    for (size_t i = 0; i < n_rows; i++) {
        if (n < rows[i].at + rows[i].n) continue;
        if (memcmp(head + rows[i].at, rows[i].bytes, rows[i].n) == 0)
            return refuse(&rows[i].r, err);
    }
    return QL_OK;
}

/* --- HDF5 by what the root holds --- */

typedef struct {
    const char *member[3];
    refusal r;
} root_kind;

static const root_kind root_kinds[] = {
    {{"barcode_idx", "count"},
     {"is a 10x molecule_info file, not a count matrix",
      "use filtered_feature_bc_matrix.h5 of the same run"}},
    {{"net", "genes", "training"},
     {"is a model of quell, not a count matrix",
      "quell apply INPUT --load-model FILE -o OUT.h5ad uses it"}},
    {{"assays", "meta.data"}, {"is an h5Seurat file", R_HINT}},
    {{"posterior_noise_log_prob"},
     {"is a posterior of CellBender, not a count matrix",
      "use the _filtered.h5 file of the same run"}},
    {{"X"},
     {"is HDF5 with a dataset X but without obs and var, so without names",
      "--dataset X reads it, rows as cells (--orient genes-x-cells: rows as genes); --genes-file "
      "and --barcodes-file give the names"}},
};

static bool has_all(hid_t file, const char *const member[3])
{
    for (int i = 0; i < 3 && member[i]; i++)
        if (ql_h5r_kind_of(file, member[i]) == QL_H5R_NONE) return false;
    return true;
}

static ql_status refuse_unknown_hdf5(hid_t file, ql_err *err)
{
    ql_names names = {0};
    ql_str text = {0};
    const int64_t total = ql_h5r_list(file, "/", 10, &names);
    ql_join_names(&names, &text);
    ql_fail(err, QL_EDATA, "is an HDF5 file of no known layout; its root holds %s%s",
            names.n ? ql_str_text(&text) : "nothing", total > names.n ? ", ..." : "");
    if (names.n)
        ql_hint(err, QL_EDATA, "if one of its datasets is cells x genes, name it with --dataset");
    ql_str_free(&text);
    ql_names_free(&names);
    return QL_EDATA;
}

static ql_status refuse_hdf5(const char *path, ql_err *err)
{
    hid_t file = -1;
    ql_status st = ql_h5r_open(path, &file, err);
    if (st != QL_OK) return st;
    for (size_t i = 0; st == QL_OK && i < sizeof root_kinds / sizeof *root_kinds; i++)
        if (has_all(file, root_kinds[i].member)) st = refuse(&root_kinds[i].r, err);
    if (st == QL_OK) st = refuse_unknown_hdf5(file, err);
    ql_h5r_close(file);
    return st;
}

/* --- folders --- */

static ql_status refuse_folder(const char *path, ql_err *err)
{
    static const char *const marks[] = {".zgroup", ".zattrs", "zarr.json"};
    static const refusal zarr = {"is a zarr store; zarr is not read", ZARR_HINT};
    ql_path file;
    ql_mtx_folder f;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (ql_join(path, marks[i], file.path, sizeof file.path) && ql_is_file(file.path))
            return refuse(&zarr, err);
    QL_TRY(ql_mtx_folder_find(path, NULL, NULL, &f, err));
    return ql_fail(err, QL_EDATA, "is a folder without a count matrix");
}

/* --- text --- */

static bool looks_like_text(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)s[i] < 0x20 && !(s[i] && strchr("\t\r\n\f", s[i]))) return false;
    return n > 0;
}

/* chromosome, start, end, barcode, number of reads */
static bool is_fragments(const char *s, size_t n)
{
    ql_table_top top;
    ql_field f[6];
    int n_fields = 0;
    ql_table_find_top(s, n, false, &top);
    if (!top.header.s) return false;
    ql_fields r = ql_fields_of(top.header.s, top.header.n, '\t');
    while (n_fields < 6 && ql_next_field(&r, &f[n_fields])) n_fields++;
    return n_fields == 5 && !ql_field_is_number(&f[0]) && ql_field_is_number(&f[1]) &&
           ql_field_is_number(&f[2]) && !ql_field_is_number(&f[3]) && ql_field_is_number(&f[4]);
}

static ql_status match_text(const char *head, size_t n, ql_err *err)
{
    QL_TRY(match(text_magic, sizeof text_magic / sizeof *text_magic, head, n, err));
    return is_fragments(head, n) ? refuse(&fragments, err) : QL_OK;
}

bool ql_is_plain_text(const char *head, size_t n)
{
    return looks_like_text(head, n) && match_text(head, n, NULL) == QL_OK;
}

static size_t read_head(const char *path, char *head, size_t cap)
{
    FILE *f = fopen(path, "rb");
    if (!f) return 0;
    size_t n = fread(head, 1, cap, f);
    (void)fclose(f);
    return n;
}

/* The first bytes as text; an error only where a damaged gzip stream gives none at all. */
static ql_status read_inner(const char *path, char *head, size_t cap, size_t *n, ql_err *err)
{
    ql_text *t = NULL;
    QL_TRY(ql_text_open(path, QL_TEXT_HEAD, &t, err));
    ql_status st = ql_text_read(t, head, cap, n, err);
    ql_text_close(t);
    return *n > 0 ? QL_OK : st;
}

ql_status ql_refuse(const char *path, ql_err *err)
{
    static const refusal text = {
        "is text, but no table: its lines have one field",
        "a table's fields are separated by tabs, commas, semicolons or blanks"};
    char head[512];
    if (ql_is_folder(path)) return refuse_folder(path, err);
    size_t n = read_head(path, head, sizeof head);
    QL_TRY(match(raw_magic, sizeof raw_magic / sizeof *raw_magic, head, n, err));
    if (H5Fis_hdf5(path) > 0 || (n >= 8 && memcmp(head, "\x89HDF\r\n\x1a\n", 8) == 0))
        return refuse_hdf5(path, err);
    QL_TRY(read_inner(path, head, sizeof head, &n, err));
    QL_TRY(match(inner_magic, sizeof inner_magic / sizeof *inner_magic, head, n, err));
    if (looks_like_text(head, n)) {
        QL_TRY(match_text(head, n, err));
        return refuse(&text, err);
    }
    return ql_fail(err, QL_EDATA, "is of no known format");
}
