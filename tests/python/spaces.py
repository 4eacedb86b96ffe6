"""Files with latent spaces for the tests of what follows an embedding."""
import anndata as ad
import numpy as np
import scipy.sparse as sp


def groups(n, k, d, noise, seed=0):
    """Cells around k centres: coordinates in float32 and the group of each."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(k, size=n)
    x = rng.normal(size=(k, d))[truth] + noise * rng.normal(size=(n, d))
    return x.astype(np.float32), truth


def write(path, obsm, obs=None, names=None):
    n = len(next(iter(obsm.values())))
    a = ad.AnnData(sp.csr_matrix((n, 2), dtype=np.float32))
    a.obs_names = names if names is not None else [f"c{i}" for i in range(n)]
    for key, x in obsm.items():
        a.obsm[key] = x
    for key, values in (obs or {}).items():
        a.obs[key] = values
    a.write_h5ad(path)
    return path


def correlation_distance(a, b):
    def unit(x):
        x = x.astype(np.float64)
        x = x - x.mean(axis=1, keepdims=True)
        return x / np.linalg.norm(x, axis=1, keepdims=True)
    return 1 - unit(a) @ unit(b).T
