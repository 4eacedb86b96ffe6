#!/usr/bin/env python3
"""Write seeds of the fuzz targets: small inputs of every kind, and cut-down real files.

    make-seeds.py [--data DIR] OUT

OUT/<target>/ gets files named by their content. --data: a folder with real files in formats/.
Nothing but the standard library is needed.
"""
import argparse
import gzip
import hashlib
import itertools
import pathlib
import struct

HEAD = bytes([0, 0, 0])  # settings: no flags, no texts, no failing allocation

MTX = """%%MatrixMarket matrix coordinate integer general
% a comment
3 4 5
1 1 2
3 1 1
2 2 5
1 4 7
3 4 1
"""
BARCODES = "AAAC-1\nAAAG-1\nAAAT-1\nAACA-1\n"
FEATURES = "ENSG1\tCD3E\tGene Expression\nENSG2\tMS4A1\tGene Expression\nENSG3\tLYZ\tAntibody Capture\n"
TABLE = "gene\tc1\tc2\tc3\nCD3E\t1\t0\t3\nLYZ\t0\t2\t0\n"
LONG = "cell,gene,count\nAAAC,CD3E,3\nAAAG,LYZ,1\nAAAC,LYZ,2\n"


def archive(files, compress=()):
    """files: (name, bytes). The format is in fuzz_reader.c."""
    out = bytearray(HEAD)
    for name, data in files:
        data = data[:4000]
        out += (b"!" if name in compress else b"") + name.encode() + b"\0" + struct.pack("<H", len(data)) + data
    return bytes(out)


def tenx(compress):
    end = ".gz" if compress else ""
    files = [(f"matrix.mtx{end}", MTX.encode()), (f"barcodes.tsv{end}", BARCODES.encode()),
             (f"features.tsv{end}", FEATURES.encode())]
    return archive(files, [name for name, _ in files] if compress else ())


def transposed():
    return "".join(MTX.splitlines(keepends=True)[:2]) + "4 3 2\n1 1 2\n4 3 1\n"


def eds(values=((0, 2.0), (2, 1.0)), n_genes=3, n_cells=4):
    """alevin's binary: a bit a gene, then the values that are not 0, as float32."""
    row = bytearray((n_genes + 7) // 8)
    for gene, _ in values:
        row[gene // 8] |= 0x80 >> gene % 8
    return (bytes(row) + b"".join(struct.pack("<f", v) for _, v in values)) * n_cells


GENES3 = b"CD3E\nMS4A1\nLYZ\n"
FOLDERS = {
    "read-10x-mtx": [tenx(False), tenx(True),
                     archive([("genes.tsv", b"E1\tA\nE2\tB\nE3\tC\n"), ("barcodes.tsv", BARCODES.encode()),
                              ("matrix.mtx", MTX.replace("integer", "real").encode())]),
                     archive([("filtered/" + n, d) for n, d in (("matrix.mtx", MTX.encode()),
                              ("barcodes.tsv", BARCODES.encode()), ("features.tsv", FEATURES.encode()))])],
    "read-alevin": [archive([("alevin/quants_mat.mtx.gz", transposed().encode()),
                             ("alevin/quants_mat_rows.txt", BARCODES.encode()),
                             ("alevin/quants_mat_cols.txt", GENES3)], ["alevin/quants_mat.mtx.gz"]),
                    archive([("quants_mat.mtx", transposed().encode()), ("quants_mat_rows.txt", BARCODES.encode()),
                             ("quants_mat_cols.txt", GENES3)])],
    "read-alevin-eds": [archive([("alevin/quants_mat.gz", eds()), ("alevin/quants_mat_rows.txt", BARCODES.encode()),
                                 ("alevin/quants_mat_cols.txt", GENES3)], ["alevin/quants_mat.gz"])],
    "read-kallisto": [archive([("cells_x_genes.mtx", transposed().encode()),
                               ("cells_x_genes.barcodes.txt", BARCODES.encode()),
                               ("cells_x_genes.genes.txt", GENES3)])],
    "read-parse": [archive([("count_matrix.mtx", transposed().encode()),
                            ("all_genes.csv", b"gene_id,gene_name,genome\nE1,CD3E,hg38\nE2,MS4A1,hg38\nE3,LYZ,hg38\n"),
                            ("cell_metadata.csv", b"bc_wells,sample\n01_01,a\n01_02,a\n01_03,b\n01_04,b\n")]),
                   archive([("DGE.mtx", transposed().encode()),
                            ("all_genes.csv", b"gene_id,gene_name,genome\nE1,A,hg38\nE2,B,hg38\nE3,C,hg38\n"),
                            ("cell_metadata.csv", b"bc_wells,sample\n1,a\n2,a\n3,b\n4,b\n")])],
}

FILES = {
    "read-mtx": [MTX, MTX.replace("integer", "real"), MTX.replace("integer", "pattern"),
                 "%%MatrixMarket matrix array real general\n2 3\n1\n0\n3\n0\n2\n1\n",
                 MTX.replace("general", "symmetric").replace("3 4 5", "4 4 5"), MTX.replace("\n", "\r\n")],
    "read-table": [TABLE, TABLE.replace("\t", ","), TABLE.replace("gene\t", "", 1),
                   '"","c1","c2"\n"CD3E","1","2"\n"A ""b""",0,3\n', "\ufeff" + TABLE.replace("\n", "\r\n"),
                   "1 2 3\n4 5 6\n", "g;a;b\nx;1,5;2\ny;NA;1e3\n"],
    "read-long-table": [LONG, LONG.replace(",", "\t"), "gene\tcell\tcount\nA\tx\t1\nB\ty\t2\n"],
}

WORDS = {
    "options": [
        "denoise in.h5 -o out.h5ad --epochs 3 --hidden 64,32,64", "denoise --like dca x --dropout=0.1,0,0.1 -o o",
        "denoise --no-batchnorm --memory 4G --threads 2 --seed 1 -", "denoise QUELL_EPOCHS=7 QUELL_CONFIG=/dev/null a",
        "info --json a b c", "help denoise --format man --all", "version --help", "denoise -e5 -- -x --epochs",
        "denoise --learning-rate auto --type nb --epochs=1e3 --batchsize 32", "convert a.h5ad -o b --genome x"],
    "config": [
        "denoise|epochs = 3\n# c\nhidden = 64,32\noutput = \"a b\"\n", "denoise|{\"epochs\": 3, \"hidden\": [64, 32], "
        "\"batchnorm\": false, \"output\": \"a\\u00e9\\\"\", \"type\": null}", "info|json = yes\n",
        "denoise|\ufeffmemory=1.5G\r\nseed=9223372036854775807\r\n", "convert|genome = \"x\\ny\"\n"],
}

HDF5 = ["h5ad", "h5ad-old", "10x-h5", "10x-h5-v2", "loom", "h5mu", "hdf5"]


def programs(name):
    """Each layout, stored plain and in packed chunks; each operation once."""
    texts = 128 if name == "hdf5" else 0
    for variant, storage in itertools.product(range(4), (0, 1, 7, 47, 17)):
        yield bytes([0, texts, 0, variant, storage])
    for operation, thing in itertools.product(range(14), (1, 5, 9)):
        yield bytes([0, texts, 0, thing % 4, 7, operation, thing, 4, 3, 1, 2, 3])


def of_real_files(data):
    """The first lines of every text file there."""
    for path in sorted(p for p in (data / "formats").rglob("*") if p.is_file()):
        content = path.read_bytes()[:1 << 20]
        if content[:2] == b"\x1f\x8b":
            with gzip.open(path) as f:
                content = f.read(1 << 16)
        if content[:4] == b"\x89HDF":
            continue
        lines = b"".join(b"\t".join(line.split(b"\t")[:6]) + b"\n" for line in content.split(b"\n")[:12])
        target = "read-mtx" if path.name.startswith("matrix.mtx") or path.suffix == ".mtx" else "read-table"
        yield target, HEAD + lines[:1500]


def seeds(data):
    for target, items in FOLDERS.items():
        yield from ((target, item) for item in items)
        yield from (("folder", item) for item in items)
    for target, items in FILES.items():
        for item in items:
            yield target, HEAD + item.encode()
            yield target, HEAD + gzip.compress(item.encode(), mtime=0)
    yield from (("options", line.replace(" ", "\0").encode()) for line in WORDS["options"])
    yield from (("config", text.replace("|", "\0", 1).encode()) for text in WORDS["config"])
    for name in HDF5:
        yield from (("read-" + name, program) for program in programs(name))
    yield from (("model", program) for program in programs("model"))
    for numbers in ((1,), (2, 3, 5, 2), (0, 9, 250, 1, 1, 3, 7, 0), (240, 1, 2, 249, 9, 9, 9) * 3, (4, 63, 9) * 8):
        yield "packed-rows", bytes((1, *numbers))
    for packed in (b"\x01\x00", b"\x05\x01\x02\x02\x04", b"\x04\x00\0\0\xc0\x3f\0\0\x80\x3f"):
        yield "packed-rows", bytes((0, 9, 0, 100, 0, 3)) + packed
    for kind, place in itertools.product(range(5), (0, 96, 800, 2048)):
        yield "hdf5-bytes", HEAD + bytes((kind, 0, 7 * (kind % 2), place % 256, place // 256, 2, 255, 255))
        yield "hdf5-bytes", HEAD + bytes((kind, 1, 5))
    if data:
        yield from of_real_files(data)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    a = parser.parse_args()
    for target, content in seeds(a.data):
        folder = a.out / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / hashlib.sha1(content).hexdigest()[:12]).write_bytes(content)


if __name__ == "__main__":
    main()
