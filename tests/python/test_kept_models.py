"""Models that released versions have written (tests/tools/keep_models.py): this one reads them, and the cells'
latent space is what it was."""
import pathlib
import sys

import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "tools"))
from keep_models import COUNTS, KEPT, latent  # noqa: E402

MODELS = sorted(KEPT.glob("*/*.quell.h5"))


def test_there_are_some():
    assert len(MODELS) > 3


@pytest.mark.parametrize("model", MODELS, ids=lambda path: f"{path.parent.name}-{path.name.split('.')[0]}")
def test_a_model_of_an_earlier_version(quell, model, tmp_path):
    quell("apply", COUNTS, "--load-model", model, "-o", tmp_path / "out.h5ad")
    before = np.loadtxt(model.with_name(model.name.replace(".quell.h5", ".csv")), delimiter=",")
    assert np.ptp(before, axis=0).max() > 0.1
    np.testing.assert_allclose(latent(tmp_path / "out.h5ad"), before, rtol=1e-4, atol=1e-5)
