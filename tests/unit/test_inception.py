"""InceptionV3 in the layout of the FID weights, and its three resizes.

Truth: torch-fidelity 0.4.0 (`FeatureExtractorInceptionV3("x", ["2048", "logits_unbiased"], path)` with the weights of
`made_up` below, on the portrait's first 200×330 pixels; the layout is the sha256 of its state dict's names and shapes),
and for the resizes clean-fid 0.1.35 (`build_resizer("clean")`, `build_resizer("legacy_pytorch")`) and torch-fidelity's
`interpolate_bilinear_2d_like_tensorflow1x`. The real weights are not needed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vitiq.errors import InputError, WeightsError
from vitiq.metrics.scoring import resolve_metrics, score_sets
from vitiq.metrics.sets.inception import FidInception, InceptionSource, IsInception, KidInception, PatchKid
from vitiq.models.inception import InceptionV3
from vitiq.models.inception_reader import InceptionReader, resize_clean, resize_pytorch, resize_tf1
from vitiq.types import ImageU8
from vitiq.weights.store import fetch, model_info

LAYOUT = "d84f693f2abd7fea61cb31c87d3b2f268bf707c1bae1db219afdad3363959cb0"


def made_up(name: str, value: Tensor) -> Tensor:
    """Weights that any program can make again: sines, scaled so that the network neither dies nor explodes."""
    seed = int(hashlib.sha256(name.encode()).hexdigest()[:6], 16) % 1000
    wave = torch.sin(torch.arange(value.numel(), dtype=torch.float64) * 12.9898 + seed)
    if name.endswith("conv.weight") or name == "fc.weight":
        wave = wave * (6 / value[0].numel()) ** 0.5
    elif "running_var" in name:
        wave = 1 + 0.3 * wave
    elif name.endswith("bn.weight"):
        wave = 1 + 0.2 * wave
    else:
        wave = 0.1 * wave
    return wave.reshape(value.shape).float()


@pytest.fixture(scope="module")
def layout() -> dict[str, Tensor]:
    return {name: value for name, value in InceptionV3().state_dict().items() if "num_batches" not in name}


@pytest.fixture(scope="module")
def weights(layout: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    torch.save({name: made_up(name, value) for name, value in layout.items()}, path)
    return path


@pytest.fixture(scope="module")
def image(bundled: dict[str, ImageU8]) -> ImageU8:
    return np.ascontiguousarray(bundled["portrait"][:200, :330])


def test_layout_is_that_of_the_fid_weights(layout: dict[str, Tensor]) -> None:
    lines = [f"{name} {tuple(value.shape)}" for name, value in sorted(layout.items())]
    assert len(lines) == 472
    assert hashlib.sha256("\n".join(lines).encode()).hexdigest() == LAYOUT


def test_values_are_torch_fidelitys(weights: Path, image: ImageU8) -> None:
    reader = InceptionReader(weights, "tf1")
    found = reader.features([image])[0]
    assert np.argsort(-found)[:3].tolist() == [272, 212, 153]
    assert found[[272, 212, 153]] == pytest.approx([4.7223787, 4.7052555, 4.6784472], rel=1e-5)
    assert (found.mean(), found.std()) == pytest.approx((0.31373763, 0.7947607), rel=1e-5)
    p = reader.probabilities([image])[0]
    assert p[[0, 500, 1007]] * 1e3 == pytest.approx([0.00163645, 1.2710081, 0.05366806], rel=1e-4)
    assert p.sum() == pytest.approx(1, rel=1e-5)
    other = InceptionReader(weights).features([image])[0]
    assert abs(other - found).max() > 1e-3  # the resize counts
    assert reader.signature() != InceptionReader(weights).signature()


def test_resizes_are_the_tools(image: ImageU8) -> None:
    at = [(0, 0, 0), (150, 200, 1), (298, 298, 2)]
    for resize, values, mean in (
        (resize_tf1, [154.0, 204.8358154296875, 219.0], 140.1287734760026),
        (resize_clean, [149.81349182128906, 205.67396545410156, 218.66775512695312], 140.2000922419311),
        (resize_pytorch, [151.66722106933594, 205.1400604248047, 219.0], 140.19577474729712),
    ):
        found = resize(image)
        assert found.shape == (299, 299, 3)
        assert [float(found[place]) for place in at] == pytest.approx(values, abs=1e-4)
        assert found.mean(dtype=np.float64) == pytest.approx(mean, abs=1e-4)
        tiny = np.full((1, 1, 3), 77, np.uint8)
        assert abs(resize(tiny) - 77).max() < 1e-4


def test_other_checkpoints_are_reported(layout: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save({"fc.weight": torch.zeros(1000, 2048)}, tmp_path / "other.pth")
    with pytest.raises(WeightsError, match="1008 outputs"):
        InceptionReader(tmp_path / "other.pth")
    torch.save({**layout, "AuxLogits.fc.bias": torch.zeros(1)}, tmp_path / "more.pth")
    with pytest.raises(WeightsError, match=r"AuxLogits\.fc\.bias"):
        InceptionReader(tmp_path / "more.pth")
    with pytest.raises(InputError, match="clean, tf1, pytorch"):
        InceptionReader(tmp_path / "other.pth", "bicubic")
    with pytest.raises(InputError, match="clean, tf1, pytorch"):
        resolve_metrics("fid@bicubic")


def test_metrics_with_a_reader(weights: Path, bundled: dict[str, ImageU8]) -> None:
    reader = InceptionReader(weights)
    images = [image[:300, :400] for image in bundled.values()]
    others = [image[100:400, 100:500] for image in bundled.values()]
    kid, few, fid = KidInception(reader=reader), IsInception(reader=reader), FidInception(reader=reader)
    assert abs(kid(images, others).value) < 1
    with pytest.raises(InputError, match="at least 10"):
        few(images, others)
    with pytest.raises(InputError, match="more than 2048 expected"):
        fid(images, others)
    assert "resize:clean" in kid.signature()
    with pytest.raises(InputError, match="larger images"):
        PatchKid(reader=reader)([images[0][:255]], [images[0][:255]])
    assert InceptionSource(patched=True, reader=reader).rows(bundled["animal"][:384, :384], "features").shape == (
        2,
        2048,
    )


def test_without_the_weights_the_way_to_them_is_reported(
    bundled: dict[str, ImageU8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weights: Path
) -> None:
    monkeypatch.setenv("VITIQ_CACHE", str(tmp_path))
    metrics = resolve_metrics("fid,fid@tf1,kid-pixel")
    assert [metric.name for metric in metrics] == ["fid", "fid@tf1", "kid-pixel"]
    scores = score_sets([*bundled.values()], [*bundled.values()], metrics)
    assert "vitiq models fetch inception-fid" in str(scores["fid"].details["undefined"])
    assert np.isfinite(scores["kid-pixel"].value)
    with pytest.raises(WeightsError, match="6726825d"):
        fetch("inception-fid", source=weights)
    with pytest.raises(WeightsError, match="check the path"):
        fetch("inception-fid", source=tmp_path / "gone")
    model_info("inception-fid").path.write_bytes(weights.read_bytes())
    with pytest.raises(WeightsError, match="not the published"):
        metrics[0].signature()


def test_files_from_elsewhere_are_taken_with_what_they_require(
    vitiq_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITIQ_CACHE", str(tmp_path))
    path = fetch("brisque-live", source=vitiq_data / "brisque" / "allmodel")
    assert path.parent == tmp_path / "brisque-live"
    assert sorted(p.name for p in path.parent.iterdir()) == ["allmodel", "allrange"]
