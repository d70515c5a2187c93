"""The accuracy of the pretrained network on samples that come with the package: any clone can repeat it.

Figures of the wider comparison are in docs/explanation/performance.md; its data are not part of the repository.
"""

from __future__ import annotations

import pytest

import nbforecast as nbf

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("sample", "points", "mase", "crps"),
    [("taxi", 450, 0.9, 0.9), ("retail", 300, 0.7, 0.71)],  # measured: .743/.744 with 1,200 points; .660/.671
)
def test_F2_the_pretrained_network_is_more_accurate_than_seasonal_naive(
    sample: str, points: int, mase: float, crps: float
) -> None:
    frame = nbf.sample(sample).tail(points)
    naive, pretrained = (nbf.forecast(frame, model, wait=True).scores() for model in ("naive", "pretrained"))
    assert naive["n"].item() == pretrained["n"].item() > 3000, "both are scored on the same origins and steps"
    assert pretrained["mase"].item() < mase * naive["mase"].item()
    assert pretrained["crps"].item() < crps * naive["crps"].item()
    assert 0.7 < pretrained["coverage_80"].item() < 0.9
