"""The torchmetrics adapter. Truth: the metrics called on the same images; two processes' states merged as torchmetrics
merges them."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torchmetrics import MetricCollection

import vitiq
from vitiq.errors import InputError, MissingDependencyError, WeightsError
from vitiq.image.io import write_png
from vitiq.metrics.scoring import resolve_metrics, score_pairs, score_sets
from vitiq.metrics.sets.rows import Rows
from vitiq.metrics.torchmetrics_adapter import TorchMetric, eight_bit_images
from vitiq.types import ImageU8


def tensor(images: list[ImageU8]) -> Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255


@pytest.fixture(scope="module")
def pairs(bundled: dict[str, ImageU8]) -> tuple[list[ImageU8], list[ImageU8]]:
    images = [np.ascontiguousarray(image[100:230, 100:230]) for image in bundled.values()]
    return images, [np.clip(image.astype(int) + 9, 0, 255).astype(np.uint8) for image in images]


@pytest.mark.parametrize("name", ["psnr-rgb", "ssim", "vit-topk"])
def test_a_mean_over_batches_and_processes(name: str, pairs: tuple[list[ImageU8], list[ImageU8]]) -> None:
    references, distorted = pairs
    expected = np.mean([s[name].value for s in score_pairs(references, distorted, resolve_metrics(name))])
    one, first, second = (TorchMetric(name) for _ in range(3))
    for part in (slice(0, 3), slice(3, 4)):
        one.update(tensor(distorted[part]), tensor(references[part]))
    assert float(one.compute()) == pytest.approx(expected, rel=1e-12)
    first.update(tensor(distorted[:3]), tensor(references[:3]))
    second.update(tensor(distorted[3:]), tensor(references[3:]))
    first.merge_state(second)
    assert float(first.compute()) == pytest.approx(expected, rel=1e-12)
    one.reset()
    assert int(one.count) == 0


@pytest.mark.parametrize("name", ["kid-pixel", "precision-pixel"])
def test_a_metric_of_sets(name: str, pairs: tuple[list[ImageU8], list[ImageU8]]) -> None:
    references, distorted = pairs
    measure = TorchMetric(name)
    for part in (slice(0, 1), slice(1, 4)):
        measure.update(tensor(distorted[part]), tensor(references[part]))
    expected = score_sets(references, distorted, resolve_metrics(name))[name].value
    assert float(measure.compute()) == pytest.approx(expected, rel=1e-9, nan_ok=True)


@pytest.mark.filterwarnings("ignore:The .*compute")
@pytest.mark.parametrize("name", ["kid-pixel", "ssim"])
def test_everything_is_where_the_metric_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's "meta" stands for a GPU, whose processes gather nothing from the CPU; numbers it has none."""
    measure = TorchMetric(name).to("meta")
    batch = torch.zeros(2, 3, 32, 32)
    if name == "kid-pixel":
        measure.update(batch, batch)
        assert {row.device.type for row in (*measure.reference_rows, *measure.distorted_rows)} == {"meta"}
        monkeypatch.setattr(TorchMetric, "_gathered", lambda *_: Rows([np.eye(192, dtype=np.float32)]))
    else:
        measure.count = torch.zeros(())  # none, as of a process that saw no image
    assert measure.compute().device.type == "meta"


def test_a_metric_that_needs_no_reference_is_updated_without_targets(
    pairs: tuple[list[ImageU8], list[ImageU8]],
) -> None:
    """Truth: `vitiq.metric` of each image, and the same metric with targets."""
    references, distorted = pairs
    alone, beside = vitiq.torchmetric("brisque"), vitiq.torchmetric("brisque")
    for part in (slice(0, 3), slice(3, 4)):
        alone.update(tensor(distorted[part]))
        beside.update(tensor(distorted[part]), tensor(references[part]))
    expected = np.mean([score.value for score in vitiq.metric("brisque")(distorted)])
    assert float(alone.compute()) == pytest.approx(expected, rel=1e-12)
    assert float(beside.compute()) == float(alone.compute())
    assert float(vitiq.torchmetric("brisque")(tensor(distorted))) == float(alone.compute())


def test_what_is_not_defined_is_left_out(pairs: tuple[list[ImageU8], list[ImageU8]]) -> None:
    measure = TorchMetric("ms-ssim")
    with pytest.warns(UserWarning, match=r"ms-ssim: an image is left out of the mean \(.*176.*\.left_out counts"):
        measure.update(tensor(pairs[1]), tensor(pairs[0]))  # sides below 176
    assert int(measure.left_out) == 4
    assert bool(measure.compute().isnan())


def test_infinite_values_are_left_out_as_by_score_folder(
    pairs: tuple[list[ImageU8], list[ImageU8]], tmp_path: Path
) -> None:
    """Truth: 20 lg(255 / √MSE) of the one pair that differs, by NumPy."""
    (reference, other, *_), (distorted, *_) = pairs
    for side, images in (("a", (reference, other)), ("b", (distorted, other))):
        for name, image in zip("xy", images, strict=True):
            write_png(tmp_path / side / f"{name}.png", image)
    measure = vitiq.torchmetric("psnr-rgb")
    batch = tensor([distorted, other]), tensor([reference, other])
    with pytest.warns(UserWarning, match="psnr-rgb: an image is left out of the mean"):
        measure.update(*batch)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        measure.update(*batch)  # said once
    expected = 20 * np.log10(255 / np.sqrt(np.square(reference.astype(float) - distorted).mean()))
    assert float(measure.compute()) == pytest.approx(expected, rel=1e-12)
    summary = vitiq.score_folder(tmp_path / "a", tmp_path / "b", "psnr-rgb", jobs=1, progress=False).summary["psnr-rgb"]
    assert summary.mean == pytest.approx(float(measure.compute()), rel=1e-12)
    assert (int(measure.left_out), summary.left_out) == (2, 1)


@pytest.mark.parametrize("name", ["lpips", "dists", "fid"])
def test_a_metric_without_its_weights_raises_as_its_call_does(
    name: str, pairs: tuple[list[ImageU8], list[ImageU8]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VITIQ_CACHE", str(tmp_path))
    references, distorted = pairs
    with pytest.raises(WeightsError) as called:
        vitiq.metric(name)(references, distorted)
    with pytest.raises(WeightsError) as updated:
        vitiq.torchmetric(name).update(tensor(distorted), tensor(references))
    assert str(updated.value) == str(called.value)


def test_a_metric_without_its_program_raises_as_its_call_does(
    pairs: tuple[list[ImageU8], list[ImageU8]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vitiq.metrics.perceptual.vmaf.program", lambda: None)
    with pytest.raises(MissingDependencyError, match="ffmpeg with libvmaf"):
        vitiq.torchmetric("vmaf").update(tensor(pairs[1]), tensor(pairs[0]))


def test_images_are_checked() -> None:
    assert eight_bit_images(torch.full((1, 3, 2, 2), 0.5))[0].tolist() == [[[128] * 3] * 2] * 2
    for bad in (torch.full((1, 3, 2, 2), 1.5), torch.full((1, 3, 2, 2), float("nan"))):
        with pytest.raises(InputError, match="outside"):
            eight_bit_images(bad)


def test_a_collection_names_and_updates_each_of_its_metrics(pairs: tuple[list[ImageU8], list[ImageU8]]) -> None:
    references, distorted = (torch.from_numpy(np.stack(side)).permute(0, 3, 1, 2) for side in pairs)
    names = ["mse", "mae", "rmse"]
    together = MetricCollection([TorchMetric(name) for name in names])
    alone = {name: TorchMetric(name) for name in names}
    for preds in (references, distorted):  # after the first batch all have the same states
        together.update(preds, references)
        for metric in alone.values():
            metric.update(preds, references)
    found = together.compute()
    assert set(found) == set(names)
    assert {name: float(value) for name, value in found.items()} == {n: float(m.compute()) for n, m in alone.items()}
    again = pickle.loads(pickle.dumps(together))
    assert {name: float(value) for name, value in again.compute().items()} == {k: float(v) for k, v in found.items()}
    copied = alone["mae"].clone()
    copied.reset()
    assert float(alone["mae"].compute()) == float(found["mae"])


def test_a_torchvision_of_another_torch_is_named(tmp_path: Path) -> None:
    """torchmetrics imports torchvision where it finds it; one of another build fails as it registers its operators."""
    (tmp_path / "torchvision").mkdir()
    (tmp_path / "torchvision" / "__init__.py").write_text("raise RuntimeError('operator nms is not there')")
    info = tmp_path / "torchvision-9.9.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torchvision\nVersion: 9.9\n")
    places = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    call = [sys.executable, "-c", "import vitiq; vitiq.torchmetric('mse')"]
    said = subprocess.run(call, env=places, capture_output=True, text=True, check=False).stderr.splitlines()[-1]
    assert "MissingDependencyError: torchmetrics cannot be imported (operator nms is not there); install the" in said


def test_one_channel_is_grey_and_what_is_no_tensor_is_named() -> None:
    measure = vitiq.torchmetric("mse")
    measure.update(torch.zeros(2, 1, 16, 16), torch.full((2, 1, 16, 16), 0.2))
    assert float(measure.compute()) == 51**2
    for given in ([1], np.zeros((1, 3, 16, 16), np.uint8)):
        with pytest.raises(InputError, match=f"{type(given).__name__} given, a tensor N×3×H×W of uint8"):
            eight_bit_images(given)
