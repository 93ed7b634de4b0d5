"""Every registered metric of sets keeps the contract.

Truth: the contracts in metrics/base.py and metrics/rows.py. InceptionV3 has random weights here: the layout is
real, the numbers are not.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from forced_choice.changes import jpeg

from vitiq import registry
from vitiq.errors import InputError
from vitiq.image.io import read_image
from vitiq.metrics.base import SetMetric
from vitiq.metrics.scoring import resolve_metrics, score_sets, to_json
from vitiq.metrics.sets.rows import RowMetric, Rows, rows_of
from vitiq.models import inception_reader
from vitiq.models.inception import InceptionV3
from vitiq.types import ImageU8

SETS = [name for name in registry.names("metrics") if issubclass(registry.load("metrics", name), SetMetric)]


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> inception_reader.InceptionReader:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(InceptionV3().state_dict(), path)
    return inception_reader.InceptionReader(path)


@pytest.fixture
def metric(
    request: pytest.FixtureRequest, reader: inception_reader.InceptionReader, monkeypatch: pytest.MonkeyPatch
) -> RowMetric:
    monkeypatch.setattr(inception_reader, "fid_reader", lambda resize: reader)
    found = resolve_metrics([request.param])[0]
    assert isinstance(found, RowMetric)
    return found


@pytest.fixture(scope="module")
def images(bundled: dict[str, ImageU8]) -> list[ImageU8]:
    return [np.ascontiguousarray(image[:256, :256]) for image in bundled.values()]


@pytest.mark.parametrize("metric", SETS, indirect=True)
def test_a_set_against_itself_and_too_few_images(metric: RowMetric, images: list[ImageU8]) -> None:
    assert metric.signature().startswith(f"{metric.name}|")
    assert metric.signature() == metric.signature()
    assert metric.rows(images[0]).dtype == np.float32
    rows = Rows(metric.rows(image) for image in images)
    more = Rows([rows.array] * (1 + 240 // rows.count))
    low, high = metric.range
    try:
        score = metric.of_rows(more, more)
    except InputError as error:
        assert "more than 2048 expected" in str(error)  # noqa: PT017 - Inception's dimensions
    else:
        json.dumps(to_json(score), allow_nan=False)
        assert low <= score.value <= high
        if "fid" in metric.name:
            assert score.value == 0
        if "kid" in metric.name:
            assert score.value <= 1e-9  # unbiased, so not above 0
        if "precision" in metric.name or "recall" in metric.name:
            assert score.value == 1
    with pytest.raises(InputError, match=r"\d+ and \d+ (images|patches of .*) given"):
        metric.of_rows(Rows(), Rows())


@pytest.mark.parametrize("metric", SETS, indirect=True)
def test_a_set_of_one_pixel(metric: RowMetric) -> None:
    tiny = [np.zeros((1, 1, 3), np.uint8)]
    score = score_sets(tiny, tiny, [metric])[metric.name]
    if metric.name == "is-vit":
        assert score.value == pytest.approx(1)
    else:
        assert math.isnan(score.value)
        assert "given" in str(score.details["undefined"])


def test_all_rows_are_shared(images: list[ImageU8], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Six ways to read an image: features and labels of the ViT, and pixels, each of the whole and of patches."""
    monkeypatch.setenv("VITIQ_CACHE", str(tmp_path))
    metrics = [m for m in resolve_metrics(SETS) if isinstance(m, RowMetric)]
    assert len(rows_of(images[0], metrics)) == 6


PATCHES = [name for name in SETS if name.startswith("patch-") and name.endswith(("-vit", "-pixel"))]


def test_sets_of_photographs_fall_with_the_quality(vitiq_data: Path) -> None:
    """Of patches: few whole images say too little about a distribution, and random networks nothing."""
    paths = sorted((vitiq_data / "kodak_odd").glob("*.png"))[::2]
    images = [np.ascontiguousarray(read_image(path)[100:356, 200:456]) for path in paths]
    metrics = resolve_metrics(PATCHES)
    found = [score_sets(images, [jpeg(image, quality) for image in images], metrics) for quality in (4, 20, 80)]
    compared = 0
    for metric in metrics:
        values = [scores[metric.name].value for scores in found]
        if not math.isnan(values[0]):  # more patches than here are asked for
            assert values == sorted(values, reverse=not metric.higher_is_better), metric.name
            compared += 1
    assert compared >= len(PATCHES) - 1
