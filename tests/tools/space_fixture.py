"""Values of tests/unit/fixture_space_py.h: what scikit-learn, scipy and numpy say about small data.

    python tests/tools/space_fixture.py > tests/unit/fixture_space_py.h
"""
import textwrap

import numpy as np
import scipy.stats
import sklearn
from sklearn import metrics

rng = np.random.default_rng(5)
N, D, NEAR = 48, 4, 7


def array(kind, name, x):
    x = np.asarray(x)
    shape = f"[{x.size}]"
    text = ", ".join(repr(v) for v in x.ravel().tolist())
    print(f"static const {kind} {name}{shape} = {{")
    print(textwrap.fill(text, 96, initial_indent="    ", subsequent_indent="    ") + "};")


print(f"/* Made by tests/tools/space_fixture.py with scikit-learn {sklearn.__version__}, numpy {np.__version__} */")
print("/* clang-format off */")
print(f"enum {{ PY_POINTS = {N}, PY_DIMS = {D}, PY_LABELINGS = 4, PY_VECTORS = 5 }};")
truth = rng.integers(5, size=N)
x = np.round((rng.normal(size=(5, D))[truth] * 1.5 + rng.normal(size=(N, D))) * 1024) / 1024  # exact in float32
noisy = np.where(rng.random(N) < 0.7, truth, rng.integers(5, size=N))
coarse, random = truth // 2, rng.integers(3, size=N)
other = [truth, noisy, coarse, random]
array("double", "py_points", x)
array("int", "py_labels", np.array(other))
array("double", "py_adjusted", [metrics.adjusted_rand_score(truth, o) for o in other])
array("double", "py_mutual", [metrics.normalized_mutual_info_score(truth, o) for o in other])
array("double", "py_silhouette", [metrics.silhouette_score(x, o) for o in other])
array("double", "py_width", metrics.silhouette_samples(x, truth))

# D^-1/2 W D^-1/2 of the graph of docs/after-embedding.md, by dense algebra
d = 1 - np.corrcoef(x)
np.fill_diagonal(d, np.inf)
order = np.argsort(d, axis=1)[:, :NEAR]
reach = np.take_along_axis(d, order, 1)[:, -1]
q = abs(scipy.stats.norm.ppf(1 / (2 * (NEAR + 1))))
w = np.zeros((N, N))
for i in range(N):
    for j in order[i]:
        w[i, j] = w[j, i] = scipy.stats.norm.pdf(q * d[i, j] ** 2 / (reach[i] * reach[j]))
degree = w.sum(axis=1)
value, vector = np.linalg.eigh(w / np.sqrt(np.outer(degree, degree)))
array("double", "py_eigenvalue", value[::-1][:5])
top = vector[:, ::-1][:, :5]
array("double", "py_projector", (top @ top.T)[:3])
