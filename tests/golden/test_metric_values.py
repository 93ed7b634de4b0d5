"""Metrics against values of other packages on the bundled images under JPEG, blur and noise.

Truth: data/metrics.json, which names for each value the package, its version, the call, the tolerance and the command
that wrote it (benchmarks/metrics.py). LPIPS and DISTS run with random weights of a fixed seed, written by
benchmarks/inputs.py in the published layouts; BRISQUE with LIVE's files, found through $VITIQ_DATA.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from scripts import script_module
from vitiq.errors import InputError, WeightsError
from vitiq.metrics.base import PairMetric
from vitiq.metrics.perceptual.base import PerceptualMetric
from vitiq.metrics.perceptual.brisque import Brisque
from vitiq.metrics.scoring import resolve_metrics, score_pair
from vitiq.types import ImageU8

GOLDEN = json.loads((Path(__file__).parent / "data" / "metrics.json").read_text(encoding="utf-8"))
NETWORKS = ("lpips", "lpips-vgg", "dists")


@pytest.fixture(scope="session")
def inputs() -> ModuleType:
    return script_module("benchmarks/inputs.py")


@pytest.fixture(scope="session")
def pairs(inputs: ModuleType, bundled: dict[str, ImageU8]) -> dict[str, tuple[ImageU8, ImageU8]]:
    made = {f"{n}/{k}": (image, inputs.degrade(image, k)) for n, image in bundled.items() for k in inputs.KINDS}
    for name, (_, other) in made.items():
        found = hashlib.sha256(other.tobytes()).hexdigest()
        assert found == GOLDEN["images"][name], f"Pillow makes another {name}; run: {GOLDEN['command']}"
    return made


def entries(*metrics: str, others: bool = False) -> list[Any]:
    chosen = [e for e in GOLDEN["entries"] if (e["metric"] in metrics) != others]
    return [pytest.param(e, id=f"{e['metric']}-{e['source'].replace(' ', '-')}") for e in chosen]


@pytest.fixture(scope="session")
def scores(pairs: dict[str, tuple[ImageU8, ImageU8]]) -> dict[str, dict[str, float]]:
    names = {e["metric"] for e in GOLDEN["entries"]} - {"brisque", *NETWORKS}
    metrics = resolve_metrics(sorted(names))
    return {name: {k: s.value for k, s in score_pair(a, b, metrics).items()} for name, (a, b) in pairs.items()}


@pytest.mark.parametrize("entry", entries("brisque", *NETWORKS, others=True))
def test_values_are_the_packages(entry: dict[str, Any], scores: dict[str, dict[str, float]]) -> None:
    assert len(entry["values"]) == 12
    for name, value in entry["values"].items():
        assert scores[name][entry["metric"]] == pytest.approx(value, abs=entry["tolerance"]), name


@pytest.mark.parametrize("entry", entries("brisque"))
def test_brisque_is_the_packages(
    entry: dict[str, Any], pairs: dict[str, tuple[ImageU8, ImageU8]], vitiq_data: Path
) -> None:
    """Where few windows are flat; in the others the packages count rounding in single precision (docs, BRISQUE)."""
    metric = Brisque(vitiq_data / "brisque")
    compared = [f"{name}/{kind}" for name in ("animal", "building", "portrait") for kind in ("blur", "noise")]
    for name in compared:
        found = metric.score_one(pairs[name][1])
        assert found == pytest.approx(entry["values"][name], abs=entry["tolerance"]), name


@pytest.mark.parametrize("entry", entries(*NETWORKS))
def test_networks_are_the_packages(
    entry: dict[str, Any], pairs: dict[str, tuple[ImageU8, ImageU8]], weights: Path
) -> None:
    metric = resolve_metrics(f"{entry['metric']}@{weights}")[0]
    assert isinstance(metric, PairMetric)
    for name in ("portrait/jpeg", "graphic/noise"):
        found = metric(*pairs[name]).value
        assert found == pytest.approx(entry["values"][name], abs=1e-6)
        assert found > 1e-3


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_degenerate_input(name: str, weights: Path, small: ImageU8) -> None:
    metric = resolve_metrics(f"{name}@{weights}")[0]
    assert isinstance(metric, PerceptualMetric)
    assert metric(small, small).value == 0
    flat = small * 0
    assert metric(flat, flat + 255).value > 0
    assert metric(flat[:31, :31], flat[:31, :31]).value == 0
    with pytest.raises(InputError, match=f"at least {metric.smallest}"):
        metric(small[: metric.smallest - 1], small[: metric.smallest - 1])
    assert "missing" not in metric.signature()


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_without_weights_are_reported(name: str, tmp_path: Path, small: ImageU8, weights: Path) -> None:
    score = score_pair(small, small, resolve_metrics(f"{name}@{tmp_path}"))[name]
    assert score.value != score.value
    assert f"vitiq models fetch {'lpips-alex' if name == 'lpips' else name}" in str(score.details["undefined"])
    for path in weights.iterdir():
        (tmp_path / path.name).write_bytes(b"no weights")
    metric = resolve_metrics(f"{name}@{tmp_path}")[0]
    assert isinstance(metric, PairMetric)
    with pytest.raises(WeightsError, match="not a readable checkpoint"):
        metric(small, small)


def test_networks_refuse_another_layout(weights: Path, tmp_path: Path, small: ImageU8) -> None:
    for path in weights.iterdir():
        (tmp_path / path.name).symlink_to(path)
    for own, other, words in (
        ("alexnet-owt-7be5be79.pth", "vgg16-397923af.pth", "torchvision's layout"),
        ("alex.pth", "vgg.pth", "lin1"),
    ):
        (tmp_path / own).unlink()
        (tmp_path / own).symlink_to(weights / other)
        metric = resolve_metrics(f"lpips@{tmp_path}")[0]
        assert isinstance(metric, PairMetric)
        with pytest.raises(WeightsError, match=words):
            metric(small, small)
        (tmp_path / own).unlink()
        (tmp_path / own).symlink_to(weights / own)
