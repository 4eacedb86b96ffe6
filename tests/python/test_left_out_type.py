"""Cells of a type that was not trained on are found (docs/quality.md has the figures)."""
import pytest
from left_out_type import evaluate


@pytest.mark.parametrize("kind, least, over_pca", [("B", 0.84, 0.05), ("NK", 0.95, -0.03)])
def test_a_type_that_was_left_out(quell, shared_data, tmp_path, kind, least, over_pca):
    found = evaluate(quell, shared_data / "pbmc3k.h5ad", kind, 1, tmp_path)
    assert found["quell"] >= least
    assert found["quell"] >= max(v for k, v in found.items() if k.startswith("PCA")) + over_pca
    # the cells' own column, though its calibration cells are partly of the left-out type
    assert found["quell_outlier"] >= least - 0.1
