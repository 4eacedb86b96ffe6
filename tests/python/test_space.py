"""quell neighbors, cluster, layout and query: against scipy and scikit-learn, and against scanpy,
umap-learn and leidenalg where they are installed."""
import importlib
import json
import subprocess

import anndata
import h5py
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.spatial.distance import cdist
from sklearn.manifold import trustworthiness
from sklearn.metrics import adjusted_rand_score

N, DIMS, K = 400, 12, 15
ASIDE = [3, 77, 399]  # cells that a model set aside: rows of NaN


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An h5ad without counts: five groups in a latent space of 12 dimensions."""
    rng = np.random.default_rng(11)
    group = rng.integers(0, 5, N)
    x = (rng.normal(size=(5, DIMS)) * 3)[group] + rng.normal(size=(N, DIMS))
    x = x.astype(np.float32)
    x[ASIDE] = np.nan
    data = anndata.AnnData(sp.csr_matrix((N, 4), dtype=np.float32))
    data.obs_names = [f"cell{i}" for i in range(N)]
    data.obs["group"] = [f"g{g}" for g in group]
    data.obs["group"] = data.obs["group"].astype("category")
    data.obsm["X_dca"] = x
    data.obsm["X_umap"] = x[:, :2].copy()
    path = tmp_path_factory.mktemp("space") / "in.h5ad"
    data.write_h5ad(path)
    return path, x, group


@pytest.fixture(scope="module")
def has_igraph(program):
    return "igraph" in subprocess.run([program, "version"], capture_output=True, text=True).stdout


def run(quell, tmp_path, command, path, *args, **kwargs):
    out = tmp_path / f"{command}.h5ad"
    quell(command, path, "-o", out, "--force", *args, **kwargs)
    return out


def present():
    return np.setdiff1d(np.arange(N), ASIDE)


# ---- neighbors ----


@pytest.mark.parametrize("metric", ["euclidean", "cosine", "correlation"])
def test_neighbors_are_those_of_all_distances(quell, tmp_path, made, metric):
    path, x, _ = made
    d = anndata.read_h5ad(run(quell, tmp_path, "neighbors", path, "--metric", metric))
    keep = present()
    all_pairs = cdist(x[keep].astype(float), x[keep].astype(float), metric)
    np.fill_diagonal(all_pairs, np.inf)
    nearest = np.argsort(all_pairs, axis=1, kind="stable")[:, : K - 1]
    found = d.obsp["distances"]
    assert found.dtype == np.float64 and found.shape == (N, N)
    for row, cell in enumerate(keep):
        mine = slice(found.indptr[cell], found.indptr[cell + 1])
        assert set(found.indices[mine]) == set(keep[nearest[row]])
        assert np.all(np.diff(found.indices[mine]) > 0)
        np.testing.assert_allclose(np.sort(found.data[mine]), np.sort(all_pairs[row])[: K - 1], rtol=1e-12, atol=1e-12)
    for cell in ASIDE:
        assert found.indptr[cell] == found.indptr[cell + 1]


def smooth(d):
    """Weights of one cell's neighbours by scipy: the equation that defines sigma, solved."""
    from scipy.optimize import brentq
    rho, target = d[d > 0].min(), np.log2(len(d) + 1)
    weights = lambda s: np.exp(-np.maximum(0, d - rho) / s)
    return weights(brentq(lambda s: weights(s).sum() - target, 1e-9, 1e9))


def test_connectivities_are_the_fuzzy_union(quell, tmp_path, made):
    path, x, _ = made
    d = anndata.read_h5ad(run(quell, tmp_path, "neighbors", path))
    w = np.zeros((N, N))
    found = d.obsp["distances"]
    for i in present():
        mine = slice(found.indptr[i], found.indptr[i + 1])
        w[i, found.indices[mine]] = smooth(found.data[mine])
    graph = d.obsp["connectivities"]
    assert graph.dtype == np.float32
    np.testing.assert_allclose(graph.toarray(), w + w.T - w * w.T, atol=3e-5)
    params = d.uns["neighbors"]["params"]
    assert (params["n_neighbors"], params["metric"], params["use_rep"]) == (K, "euclidean", "X_dca")
    assert d.uns["neighbors"]["connectivities_key"] == "connectivities"


def peer(name):
    """A package to compare with. None where it is not there, which is no skip: `make workflows` has them all."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def test_scanpy_agrees(quell, tmp_path, made):
    scanpy = peer("scanpy")
    if not scanpy:
        return
    path, _, _ = made
    d = anndata.read_h5ad(run(quell, tmp_path, "neighbors", path))[present()].copy()
    theirs = d.copy()
    scanpy.pp.neighbors(theirs, n_neighbors=K, use_rep="X_dca")
    assert abs(theirs.obsp["connectivities"] - d.obsp["connectivities"]).max() < 3e-5
    scanpy.tl.umap(d)  # it finds what it needs


def test_input_is_carried_through(quell, tmp_path, made):
    path, x, _ = made
    d = anndata.read_h5ad(run(quell, tmp_path, "neighbors", path))
    np.testing.assert_array_equal(d.obsm["X_dca"], x)
    assert list(d.obs["group"].cat.categories) == [f"g{i}" for i in range(5)]
    assert d.X.nnz == 0


def test_results_there_already_need_force(quell, tmp_path, made):
    path, _, _ = made
    out = run(quell, tmp_path, "neighbors", path)
    done = quell("neighbors", out, "-o", tmp_path / "again.h5ad", code=73)
    assert "obsp/distances is in the input already" in done.stderr
    assert not (tmp_path / "again.h5ad").exists()
    quell("neighbors", out, "-o", out, "--force", code=64)


def test_several_graphs_in_a_file(quell, tmp_path, made, has_igraph):
    """Two graphs of two spaces under names of their own, as scanpy's key_added; each command takes the one named."""
    path, _, _ = made
    plain, both, more = tmp_path / "plain.h5ad", tmp_path / "both.h5ad", tmp_path / "more.h5ad"
    quell("neighbors", path, "-o", plain)
    quell("neighbors", plain, "-o", both, "--use", "X_umap", "-k", 8, "--key", "flat")
    d, p = anndata.read_h5ad(both), anndata.read_h5ad(plain)
    assert (abs(d.obsp["connectivities"] - p.obsp["connectivities"])).nnz == 0
    assert d.uns["flat"]["connectivities_key"] == "flat_connectivities" and d.uns["flat"]["distances_key"] == "flat_distances"
    assert d.uns["flat"]["params"]["use_rep"] == "X_umap" and d.uns["flat"]["params"]["n_neighbors"] == 8
    assert {"neighbors", "neighbors_flat"} <= set(d.uns["quell"])
    alone = anndata.read_h5ad(run(quell, tmp_path, "neighbors", path, "--use", "X_umap", "-k", 8))
    assert (abs(d.obsp["flat_connectivities"] - alone.obsp["connectivities"])).nnz == 0
    # of the named graph, not of the default one
    quell("layout", both, "-o", more, "--key", "X_flat", "--neighbors-key", "flat")
    by_name = anndata.read_h5ad(more)
    by_default = anndata.read_h5ad(run(quell, tmp_path, "layout", both, "--key", "X_flat"))
    assert by_name.uns["quell"]["layout"]["X_flat"]["use"] == "X_umap"
    assert by_default.uns["quell"]["layout"]["X_flat"]["use"] == "X_dca"
    assert (by_name.obsm["X_flat"] != by_default.obsm["X_flat"])[present()].any()
    if has_igraph:
        a = anndata.read_h5ad(run(quell, tmp_path, "cluster", both, "--neighbors-key", "flat"))
        b = anndata.read_h5ad(run(quell, tmp_path, "cluster", path, "--use", "X_umap", "-k", 8))
        assert (a.obs["leiden"].cat.codes == b.obs["leiden"].cat.codes).all()
    scanpy = peer("scanpy")
    if scanpy:
        whole = d[present()].copy()
        scanpy.tl.umap(whole, neighbors_key="flat")  # it finds what it needs
        scanpy.pp.neighbors(whole, n_neighbors=8, use_rep="X_umap", key_added="theirs")
        whole.write_h5ad(tmp_path / "theirs.h5ad")
        quell("layout", tmp_path / "theirs.h5ad", "-o", more, "--force", "--key", "X_new", "--neighbors-key", "theirs")
        assert anndata.read_h5ad(more).uns["quell"]["layout"]["X_new"]["use"] == "X_umap"


def test_graphs_that_there_are_not(quell, tmp_path, made):
    path, _, _ = made
    near, out = run(quell, tmp_path, "neighbors", path, "--key", "near"), tmp_path / "x.h5ad"
    for command, key in (("layout", "X_new"), ("cluster", "new")):
        done = quell(command, near, "-o", out, "--key", key, "--neighbors-key", "far", code=None)
        if "igraph" not in done.stderr:
            assert done.returncode == 65 and "named far (it has: near)" in done.stderr
    for option in (["--use", "X_dca"], ["-k", 9], ["--metric", "cosine"]):
        done = quell("layout", near, "-o", out, "--key", "X_new", "--neighbors-key", "near", *option, code=64)
        assert "give one of them" in done.stderr
    assert "clusters coordinates" in quell("cluster", near, "-o", out, "--method", "kmeans", "--clusters", 3,
                                           "--neighbors-key", "near", code=64).stderr
    for name in ("", "a/b", ".", "x" * 101):
        assert "--key" in quell("neighbors", path, "-o", out, "--key", name, code=64).stderr
    assert not out.exists()


def test_a_column_that_is_there_already(quell, tmp_path, made, igraph):
    """Nothing of the input is lost unless --force says so."""
    path, _, _ = made
    out = tmp_path / "x.h5ad"
    done = quell("cluster", path, "-o", out, "--key", "group", code=73)
    assert "obs: group is in the input already" in done.stderr and not out.exists()
    quell("cluster", path, "-o", out, "--key", "group", "--force")
    d = anndata.read_h5ad(out)
    assert list(d.obs.columns).count("group") == 1 and set(d.obs["group"].dropna()) <= {str(i) for i in range(40)}


def test_spaces_that_cannot_be_used(quell, tmp_path, made):
    path, _, _ = made
    done = quell("neighbors", path, "-o", tmp_path / "x.h5ad", "--use", "X_vae", code=65)
    assert "has no obsm/X_vae (it has: X_dca, X_umap)" in done.stderr
    bad = tmp_path / "bad.h5ad"
    for value, where in ((np.inf, "[5, 2] is inf"), (np.nan, "[5, 2] is nan"), (1e20, "beyond 1e15")):
        bad.write_bytes(path.read_bytes())
        with h5py.File(bad, "a") as f:
            f["obsm/X_dca"][5, 2] = value
        assert where in quell("neighbors", bad, "-o", tmp_path / "x.h5ad", code=65).stderr
    with h5py.File(bad, "a") as f:
        del f["obsm/X_dca"]
        del f["obsm/X_umap"]
    done = quell("neighbors", bad, "-o", tmp_path / "x.h5ad", code=65)
    assert "quell embed" in done.stderr
    assert list(tmp_path.glob("*.tmp")) == [] and not (tmp_path / "x.h5ad").exists()


# ---- any number of threads ----


@pytest.mark.parametrize("command", ["neighbors", "cluster", "layout"])
def test_threads_change_no_byte(quell, tmp_path, made, has_igraph, command):
    if command == "cluster" and not has_igraph:
        pytest.skip("no igraph")
    path, _, _ = made
    outs = []
    for threads in (1, 2, 5):
        out = tmp_path / f"{threads}.h5ad"
        quell(command, path, "-o", out, "--threads", threads, *(["--key", "X_new"] if command == "layout" else []))
        outs.append(out.read_bytes())
    assert outs[0] == outs[1] == outs[2]


# ---- cluster ----


@pytest.fixture
def igraph(has_igraph):
    if not has_igraph:
        pytest.skip("the program was built without igraph")


def modularity(w, labels, resolution=1.0):
    total, degree = w.sum(), np.asarray(w.sum(axis=0)).ravel()
    q = 0
    for label in np.unique(labels):
        inside = labels == label
        q += w[inside][:, inside].sum() / total - resolution * (degree[inside].sum() / total) ** 2
    return q


@pytest.mark.parametrize("method", ["leiden", "louvain"])
def test_groups_are_found(quell, tmp_path, made, igraph, method):
    path, _, group = made
    near = run(quell, tmp_path, "neighbors", path)
    d = anndata.read_h5ad(run(quell, tmp_path, "cluster", near, "--method", method))
    labels, keep = d.obs[method], present()
    assert labels.isna().sum() == len(ASIDE) and labels.isna().iloc[ASIDE].all()
    assert adjusted_rand_score(group[keep], labels.iloc[keep].cat.codes) > 0.97
    sizes = labels.value_counts()
    assert list(labels.cat.categories) == [str(i) for i in range(len(sizes))]
    assert list(sizes[labels.cat.categories]) == sorted(sizes, reverse=True)
    w, codes = d.obsp["connectivities"][keep][:, keep], labels.cat.codes.to_numpy()[keep]
    record = d.uns["quell"]["cluster"][method]
    np.testing.assert_allclose(record["modularity"], modularity(w, codes), atol=1e-6)
    assert record["use"] == "X_dca" and d.uns[method]["params"]["resolution"] == 1


def test_graph_is_made_where_there_is_none(quell, tmp_path, made, igraph):
    path, _, _ = made
    near = run(quell, tmp_path, "neighbors", path)
    a = anndata.read_h5ad(run(quell, tmp_path, "cluster", near)).obs["leiden"]
    b = anndata.read_h5ad(run(quell, tmp_path, "cluster", path)).obs["leiden"]
    assert (a.cat.codes == b.cat.codes).all()


def test_resolution_and_key(quell, tmp_path, made, igraph):
    path, _, _ = made
    fine = run(quell, tmp_path, "cluster", path, "-r", 4, "--key", "fine")
    d = anndata.read_h5ad(fine)
    assert d.obs["fine"].cat.categories.size > 7
    both = tmp_path / "both.h5ad"
    quell("cluster", fine, "-o", both, "-r", 0.1, "--key", "coarse")
    d = anndata.read_h5ad(both)
    assert {"fine", "coarse"} <= set(d.obs) and {"fine", "coarse"} <= set(d.uns["quell"]["cluster"])
    assert d.obs["coarse"].cat.categories.size <= 5


def test_leidenalg_agrees(quell, tmp_path, made, igraph):
    leidenalg, ig = peer("leidenalg"), peer("igraph")
    if not leidenalg or not ig:
        return
    path, _, _ = made
    near = run(quell, tmp_path, "neighbors", path)
    d = anndata.read_h5ad(run(quell, tmp_path, "cluster", near))[present()]
    w = sp.triu(d.obsp["connectivities"]).tocoo()
    graph = ig.Graph(n=d.n_obs, edges=list(zip(w.row.tolist(), w.col.tolist())))
    best = max((leidenalg.find_partition(graph, leidenalg.RBConfigurationVertexPartition, n_iterations=-1,
                                         weights=w.data.tolist(), seed=s) for s in range(5)),
               key=lambda p: p.quality())
    codes = d.obs["leiden"].cat.codes.to_numpy()
    assert modularity(d.obsp["connectivities"], codes) > modularity(d.obsp["connectivities"], np.array(best.membership)) - 0.005
    assert adjusted_rand_score(best.membership, codes) > 0.9


def test_real_cells(quell, tmp_path, shared_data, igraph):
    """Clusters of real cells agree with their types better than not."""
    embedded, out = tmp_path / "e.h5ad", tmp_path / "c.h5ad"
    quell("embed", shared_data / "mixology_3cl_celseq2.h5ad", "-o", embedded, "--model", "pca", "-n", 10)
    quell("cluster", embedded, "-o", out, "-r", 0.3)
    d = anndata.read_h5ad(out)
    column = next(c for c in ("cell_line", "cell_type", "label") if c in d.obs)
    assert adjusted_rand_score(d.obs[column], d.obs["leiden"]) > 0.9


def test_graphs_that_are_none(quell, tmp_path, made, igraph):
    path, _, _ = made
    near, bad = run(quell, tmp_path, "neighbors", path), tmp_path / "bad.h5ad"
    for value, text in ((-1, "is no weight"), (np.nan, "is no weight"), (9, "other direction")):
        bad.write_bytes(near.read_bytes())
        with h5py.File(bad, "a") as f:
            data = f["obsp/connectivities/data"]
            values = data[:]
            values[7] = value
            data[:] = values
        assert text in quell("cluster", bad, "-o", tmp_path / "x.h5ad", code=65).stderr
    with h5py.File(bad, "a") as f:
        indices = f["obsp/connectivities/indices"]
        values = indices[:]
        values[7] = N + 5
        indices[:] = values
    assert "/obsp/connectivities/indices" in quell("cluster", bad, "-o", tmp_path / "x.h5ad", code=65).stderr


def test_without_igraph_it_says_so(quell, tmp_path, made, has_igraph):
    if has_igraph:
        return
    done = quell("cluster", made[0], "-o", tmp_path / "x.h5ad", code=64)
    assert "igraph" in done.stderr and "libigraph-dev" in done.stderr


# ---- layout ----


def test_layout_keeps_neighbours(quell, tmp_path, made):
    path, x, group = made
    d = anndata.read_h5ad(run(quell, tmp_path, "layout", path))
    xy, keep = d.obsm["X_umap"], present()
    assert xy.shape == (N, 2) and xy.dtype == np.float32
    assert np.isnan(xy[ASIDE]).all() and np.isfinite(xy[keep]).all()
    score = trustworthiness(x[keep], xy[keep], n_neighbors=K)
    assert score > 0.85
    np.testing.assert_allclose(d.uns["umap"]["params"]["a"], 0.583030, atol=1e-5)
    np.testing.assert_allclose(d.uns["umap"]["params"]["b"], 1.334167, atol=1e-5)
    umap = peer("umap")
    if not umap:
        return
    theirs = umap.UMAP(n_neighbors=K, min_dist=0.5, random_state=0).fit_transform(x[keep])
    assert score > trustworthiness(x[keep], theirs, n_neighbors=K) - 0.02


def test_layout_of_a_file_with_neighbours(quell, tmp_path, made):
    path, _, _ = made
    near = run(quell, tmp_path, "neighbors", path)
    a, b = tmp_path / "a.h5ad", tmp_path / "b.h5ad"
    quell("layout", path, "-o", a, "--key", "X_new", "--seed", 5)
    quell("layout", near, "-o", b, "--key", "X_new", "--seed", 5)
    np.testing.assert_array_equal(anndata.read_h5ad(a).obsm["X_new"], anndata.read_h5ad(b).obsm["X_new"])
    quell("layout", path, "-o", b, "--force", "--key", "X_new", "--seed", 6)
    assert (anndata.read_h5ad(a).obsm["X_new"] != anndata.read_h5ad(b).obsm["X_new"]).any()
    quell("layout", path, "-o", b, "--force", "--min-dist", 2, "--spread", 1, code=64)


# ---- query ----


def table(text):
    lines = [line.split("\t") for line in text.splitlines()]
    return lines[0], lines[1:]


def test_query_by_name_and_by_value(quell, made):
    path, x, group = made
    header, rows = table(quell("query", path, "--cells", "cell7,cell300", "-k", 5, "--columns", "group").stdout)
    assert header == ["query", "rank", "cell", "distance", "group"]
    keep = present()
    for cell, mine in ((7, rows[:5]), (300, rows[5:])):
        d = np.linalg.norm(x[keep].astype(float) - x[cell].astype(float), axis=1)
        order = [i for i in keep[np.argsort(d, kind="stable")] if i != cell][:5]
        assert [r[2] for r in mine] == [f"cell{i}" for i in order]
        assert [r[4] for r in mine] == [f"g{group[i]}" for i in order]
        np.testing.assert_allclose([float(r[3]) for r in mine], np.sort(d)[1:6], rtol=1e-7)
    _, rows = table(quell("query", path, "--where", "group=g2", "-k", 1).stdout)
    assert [r[0] for r in rows] == [f"cell{i}" for i in keep if group[i] == 2]


def test_query_of_another_file(quell, tmp_path, made):
    path, x, _ = made
    other = anndata.AnnData(sp.csr_matrix((2, 4), dtype=np.float32))
    other.obs_names = ["new0", "new1"]
    other.obsm["X_dca"] = x[[20, 21]] + np.float32(1e-3)
    other.write_h5ad(tmp_path / "other.h5ad")
    out = tmp_path / "nearest.tsv"
    quell("query", path, tmp_path / "other.h5ad", "-k", 2, "-o", out)
    _, rows = table(out.read_text())
    assert [rows[0][2], rows[2][2]] == ["cell20", "cell21"] and rows[0][0] == "new0"
    other.obsm["X_dca"] = x[[20, 21], :3]
    other.write_h5ad(tmp_path / "other.h5ad")
    assert "another space" in quell("query", path, tmp_path / "other.h5ad", code=78).stderr


def test_queries_that_cannot_be_asked(quell, tmp_path, made):
    path, _, _ = made
    assert "--where" in quell("query", path, code=64).stderr
    assert "no cell is named 'nobody'" in quell("query", path, "--cells", "nobody", code=65).stderr
    assert "there are: g0" in quell("query", path, "--where", "group=g9", code=65).stderr
    assert "has no column nothing" in quell("query", path, "--where", "nothing=1", code=65).stderr
    assert "no place in the space" in quell("query", path, "--cells", "cell3,cell4", "-k", 1).stderr
    quell("query", path, "--cells", "cell3", code=65)


def test_hash(quell, tmp_path, made):
    """Codes of a saturated sigmoid, against the same by numpy."""
    path, x, _ = made
    rng = np.random.default_rng(0)
    d = anndata.read_h5ad(path)
    keep = present()
    codes = (0.5 + 0.5 * np.tanh(4 * np.nan_to_num(x) @ rng.normal(size=(DIMS, 24)))).astype(np.float32)
    codes[ASIDE] = np.nan
    d.obsm["X_code"] = codes
    d.write_h5ad(tmp_path / "codes.h5ad")
    done = quell("query", tmp_path / "codes.h5ad", "--use", "X_code", "--hash", "-k", 6, "--where", "group=g1",
                 "--summary", tmp_path / "s.json")
    _, rows = table(done.stdout)
    bits = codes[keep] > 0.5
    exact = cdist(codes[keep].astype(float), codes[keep].astype(float))
    np.fill_diagonal(exact, np.inf)
    hits, queries = 0, 0
    for at, cell in enumerate(keep):
        mine = [r for r in rows if r[0] == f"cell{cell}"]
        if not mine:
            continue
        differ = (bits != bits[at]).sum(axis=1).astype(float)
        differ[at] = np.inf
        order = np.argsort(differ, kind="stable")[:6]
        assert [r[2] for r in mine] == [f"cell{keep[i]}" for i in order]
        assert [int(r[3]) for r in mine] == list(differ[order])
        hits += len(set(order) & set(np.argsort(exact[at], kind="stable")[:6]))
        queries += 1
    metrics = json.loads((tmp_path / "s.json").read_text())["metrics"]
    np.testing.assert_allclose(metrics["recall"], hits / (6 * queries), atol=1e-12)
    assert f"recall: {100 * metrics['recall']:.1f} %" in done.stderr
    full = quell("query", tmp_path / "codes.h5ad", "--use", "X_code", "--hash", "--shortlist", 1000, "--cells", "cell8")
    assert "recall: 100.0 %" in full.stderr
    assert full.stdout == quell("query", tmp_path / "codes.h5ad", "--use", "X_code", "--cells", "cell8").stdout
