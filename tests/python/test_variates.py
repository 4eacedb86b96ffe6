"""The numbers that tests/unit/test_variates.c draws, against the distributions of scipy."""
import os
import pathlib
import subprocess

import numpy as np
import pytest
from scipy import stats


@pytest.fixture(scope="module")
def draws(program, tmp_path_factory):
    given = os.environ.get("QUELL_TEST_FILES")
    path = pathlib.Path(given or tmp_path_factory.mktemp("draws")) / "variates.txt"
    test = pathlib.Path(program).parent / "tests" / "test_variates"
    if not path.is_file():
        if not test.is_file():
            pytest.skip(f"neither {path} nor {test} is there")
        subprocess.run([test], env={**os.environ, "QUELL_TEST_FILES": str(path.parent)},
                       check=True, capture_output=True)
    lines = [line.split() for line in path.read_text().splitlines()]
    return {line[0]: np.array(line[1:], dtype=float) for line in lines}


def zinb(mean, theta, pi):
    nb = stats.nbinom(theta, theta / (theta + mean))
    return lambda k: pi * (k == 0) + (1 - pi) * nb.pmf(k)


def pmf(name):
    law, *numbers = name.replace("--", "-~").split("-")
    numbers = [float(x.replace("~", "-")) for x in numbers]
    if law == "poisson":
        return stats.poisson(numbers[0]).pmf
    if law == "nb":
        return zinb(*numbers, 0)
    if law == "zinb":
        return zinb(*numbers)
    return None


def test_counts(draws):
    seen = 0
    for name, x in draws.items():
        p = pmf(name)
        if p is None:
            continue
        k = np.arange(int(x.max()) + 2000)
        expected = p(k) * len(x)
        observed = np.bincount(x.astype(int), minlength=len(k))
        # classes of 10 or more that are expected, from the start
        edge, sums = [], [0.0, 0.0]
        for e, o in zip(expected, observed):
            sums = [sums[0] + e, sums[1] + o]
            if sums[0] >= 10:
                edge.append(sums)
                sums = [0.0, 0.0]
        edge[-1] = [edge[-1][0] + sums[0] + len(x) - expected.sum(), edge[-1][1] + sums[1]]
        if len(edge) < 2:
            continue
        e, o = np.array(edge).T
        assert stats.chisquare(o, e * o.sum() / e.sum()).pvalue > 1e-3, name
        seen += 1
    assert seen == 8


def test_continuous(draws):
    for name, x in draws.items():
        if name.startswith("gamma-"):
            law = stats.gamma(float(name.split("-")[1]))
        elif name.startswith("normal"):
            law = stats.norm(-2, 3)
        else:
            continue
        assert stats.kstest(x, law.cdf).pvalue > 1e-3, name
