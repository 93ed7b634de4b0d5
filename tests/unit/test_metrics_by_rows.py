"""Metrics of networks on images that come by rows have the value of the whole image.

Truth: the same measure on the whole image, which the golden tests compare with the reference programs. The networks
have random weights of a fixed seed in the published layouts. ColorVideoVDP's is its package's where it is installed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from vitiq import registry
from vitiq.errors import MissingDependencyError
from vitiq.metrics.perceptual import base, cvvdp_rows
from vitiq.metrics.perceptual.base import PerceptualMetric
from vitiq.metrics.perceptual.cvvdp import Cvvdp
from vitiq.metrics.perceptual.cvvdp_rows import jod_by_rows
from vitiq.metrics.perceptual.lpips import LpipsAlex, LpipsVgg
from vitiq.metrics.perceptual.wasserstein import Wasserstein
from vitiq.models import row_stream
from vitiq.models.row_stream import Rows, Window
from vitiq.types import ImageU8

SIZES = (((61, 61), 700), ((97, 70), 900), ((64, 131), 2000))
"""Odd and even, upright and wide, and the pixels at a time; `Window` itself is tested a row at a time."""


def pair(height: int, width: int) -> tuple[ImageU8, ImageU8]:
    rng = np.random.default_rng(height)
    image = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    return image, np.clip(image + rng.integers(-40, 41, image.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("size", "pixels"), SIZES)
def test_values_are_those_of_the_whole_image(
    size: tuple[int, int], pixels: int, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = pair(*size)
    metrics = (LpipsAlex(weights), LpipsVgg(weights), Wasserstein(weights), Wasserstein(weights, 1.0))
    for metric in metrics:
        whole = metric(*images).value
        with monkeypatch.context() as patch:
            patch.setattr(base, "LARGE", 1)
            patch.setattr(row_stream, "PIXELS", pixels)
            assert metric(*images).value == pytest.approx(whole, rel=1e-6)
            assert metric(images[0], images[0].copy()).value == 0


def test_every_registered_metric_of_a_network_stays_within_memory(weights: Path) -> None:
    """By rows; DISTS alone makes a large image smaller first."""
    kinds = [registry.load("metrics", name) for name in registry.names("metrics")]
    metrics = [kind(weights) for kind in kinds if issubclass(kind, PerceptualMetric)]
    assert {m.name for m in metrics if m.by_rows(*m.states, (900, 700)) is None} == {"dists"}
    assert {m.name for m in metrics} >= {"dists", "lpips", "lpips-vgg", "wasserstein"}


@pytest.mark.parametrize("size", [(131, 257), (400, 301), (256, 333)])
def test_cvvdp_by_rows_is_the_package_s(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        model = Cvvdp().model()
    except MissingDependencyError as error:
        pytest.skip(str(error))
    images = pair(*size)
    whole = Cvvdp().measure(*images)
    for pixels in (2000, 20000):
        assert jod_by_rows(model, *images, pixels=pixels) == pytest.approx(whole, abs=1e-5)
    monkeypatch.setattr(cvvdp_rows, "LARGE", 1)
    assert Cvvdp().measure(*images) == pytest.approx(whole, abs=1e-5)


@pytest.mark.parametrize(
    ("size", "stride", "padding"), [(3, 1, 1), (3, 2, 1), (11, 4, 2), (3, 2, 0), (2, 2, 0), (1, 2, 0)]
)
def test_windows_by_rows_are_windows_of_the_whole(size: int, stride: int, padding: int) -> None:
    torch.manual_seed(0)
    image, weight = torch.randn(1, 2, 41, 15), torch.randn(3, 2, size, size)
    whole = torch.nn.functional.conv2d(image, weight, None, stride, padding)
    found: list[Rows] = []

    def work(rows: Rows) -> Rows:
        return torch.nn.functional.conv2d(rows, weight, None, stride, (0, padding))

    def keep(rows: Rows, _: bool) -> None:
        found.append(rows)

    for step in (1, 2, 5, 41):
        found.clear()
        node = Window(work, size, stride, padding, [keep])
        for top in range(0, 41, step):
            node(image[:, :, top : top + step], top + step >= 41)
        assert torch.allclose(torch.cat(found, dim=2), whole, atol=1e-5)
