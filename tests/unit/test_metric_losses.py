"""Losses of the metrics. Truth: the metrics themselves on the same 8-bit pixels, and differences for the gradients.

LPIPS, DISTS and Wasserstein Distortion run with random weights of a fixed seed in the published layouts
(benchmarks/inputs.py).
"""

from __future__ import annotations

import copy
import math
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import vitiq
from vitiq import registry
from vitiq.errors import InputError, UnknownNameError, WeightsError
from vitiq.losses import LOSSES, STAND_INS, Loss, loss
from vitiq.metrics.measures.ssimulacra2 import xyb
from vitiq.metrics.scoring import resolve_metrics, score_pairs
from vitiq.models.backbones.base import Backbone, Preprocessing
from vitiq.models.vit import VisionTransformer, ViTConfig
from vitiq.optimise.settings import WEIGHTINGS
from vitiq.types import ImageU8

PIXELS = ("mse", "rmse", "mae", "psnr-rgb", "psnr-y", "ssim", "ssim-y", "ssim-skimage", "ms-ssim", "ms-ssim-y")
WITHIN = {"psnr-rgb": 1e-4, "psnr-y": 1e-4, "ssimulacra2": 5e-3}
"""Of values in dB and on a scale of 100; 1e-5 for the others."""

MEASURED = ("iw-ssim", "vif", "fsim", "gmsd", "haarpsi", "nlpd", "ssimulacra2")
PERCEPTUAL = ("lpips", "lpips-vgg", "dists", "wasserstein")
SEMANTIC = tuple(name for name in LOSSES if name.startswith("vit-"))


@pytest.fixture(scope="module")
def pairs(bundled: dict[str, ImageU8]) -> tuple[list[ImageU8], list[ImageU8]]:
    rng = np.random.default_rng(0)
    images = [np.ascontiguousarray(bundled[name][100:291, 100:279]) for name in ("animal", "portrait")]
    noise = [rng.normal(0, strength, image.shape) for strength, image in zip((5, 25), images, strict=True)]
    return images, [np.clip(i + n, 0, 255).astype(np.uint8) for i, n in zip(images, noise, strict=True)]


def tensor(images: list[ImageU8]) -> Tensor:
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 255


def small_backbone() -> Backbone:
    torch.manual_seed(0)
    model = VisionTransformer(ViTConfig(image_size=32, patch=16, width=64, depth=2, heads=1, classes=10)).double()
    return Backbone("small", model, tuple("abcdefghij"), Preprocessing(32), "0" * 64, 0, "float32")


def made(name: str, weights: Path) -> Loss:
    return loss(name, folder=weights) if name in PERCEPTUAL else loss(name)


def test_differentiable_metrics_are_those_with_a_loss() -> None:
    """Both ways: what a metric says of itself, and what can be minimised."""
    stated = {name for name in registry.names("metrics") if registry.load("metrics", name).differentiable}
    assert stated == set(LOSSES)
    assert set(LOSSES) == {*PIXELS, *MEASURED, *PERCEPTUAL, *SEMANTIC}


@pytest.mark.parametrize("name", [*PIXELS, *MEASURED, *PERCEPTUAL])
def test_values_are_the_metrics(name: str, pairs: tuple[list[ImageU8], list[ImageU8]], weights: Path) -> None:
    metric = resolve_metrics(f"{name}@{weights}" if name in PERCEPTUAL else name)
    expected = [scores[name].value for scores in score_pairs(*pairs, metric)]
    with torch.no_grad():
        found = made(name, weights).scores(tensor(pairs[1]), tensor(pairs[0]))
    assert found.tolist() == pytest.approx(expected, rel=1e-5, abs=WITHIN.get(name, 1e-5))


@pytest.mark.parametrize("name", [*PIXELS, *MEASURED, *PERCEPTUAL])
def test_gradients_are_the_slopes(name: str, weights: Path) -> None:
    torch.manual_seed(0)
    side = {"ms-ssim": 176, "ms-ssim-y": 176, "iw-ssim": 161, "nlpd": 65, "vif": 41, "wasserstein": 61}.get(name, 32)
    reference = torch.rand(1, 3, side, side, dtype=torch.float64)
    strength = 0.02 if name == "fsim" else 0.1  # its power of 0.03 has no end of slope where colours are opposite
    image = (reference + strength * torch.randn_like(reference)).clamp(0.01, 0.99).requires_grad_()
    criterion = made(name, weights)
    (slope,) = torch.autograd.grad(criterion(image, reference), image)
    rng = torch.Generator().manual_seed(1)
    for _ in range(3):
        step = torch.randn(image.shape, generator=rng, dtype=torch.float64) * 1e-6
        with torch.no_grad():
            difference = criterion(image + step, reference) - criterion(image - step, reference)
        assert float(difference / 2) == pytest.approx(float((slope * step).sum()), rel=2e-3, abs=1e-12)


@pytest.mark.parametrize("name", ["mse", "rmse", "psnr-y", "ssim", "ssim-skimage"])
def test_gradcheck(name: str) -> None:
    torch.manual_seed(0)
    reference = torch.rand(2, 3, 12, 13, dtype=torch.float64)
    image = (reference * 0.8 + 0.1).requires_grad_()
    criterion = loss(name)
    assert torch.autograd.gradcheck(lambda x: criterion(x, reference), (image,))


@pytest.mark.parametrize("name", SEMANTIC)
def test_gradcheck_of_the_vit_losses(name: str) -> None:
    torch.manual_seed(0)
    reference = torch.rand(1, 3, 32, 32, dtype=torch.float64)
    start = (reference * 0.5 + 0.2).requires_grad_()
    criterion: Any = loss(name, backbone=small_backbone())
    direction = torch.randn_like(reference)
    at = torch.zeros((), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: criterion(start.detach() + t * direction, reference), (at,), eps=1e-6)


@pytest.mark.parametrize("name", [*PIXELS, *MEASURED, *PERCEPTUAL])
def test_identical_and_flat_images_have_a_finite_slope(name: str, weights: Path) -> None:
    criterion = made(name, weights)
    for level in (0.0, 0.5):
        image = torch.full((1, 3, 176, 176), level).requires_grad_()
        value = criterion(image, image.detach())
        assert math.isfinite(value.item())
        assert bool(torch.autograd.grad(value, image)[0].isfinite().all())


@pytest.mark.parametrize("name", [*PIXELS, *MEASURED])
def test_an_output_that_overshoots_has_a_finite_slope(name: str) -> None:
    side = {"ms-ssim": 176, "ms-ssim-y": 176, "iw-ssim": 161, "nlpd": 65, "vif": 41}.get(name, 32)
    reference = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    image = reference.clone()
    image[..., 5, 5], image[..., 9, 7], image[..., 1, 2], image[..., 8, 8] = -0.05, 1.05, -3, 4
    value = loss(name)(image.requires_grad_(), reference)
    assert math.isfinite(value.item())
    assert bool(torch.autograd.grad(value, image)[0].isfinite().all())


def test_ssimulacra2_takes_opsin_values_below_zero_for_zero() -> None:
    """As libjxl's LinearRGBToXYB: max(0, …) before the cube root. Computed here with NumPy."""
    light = np.array([-0.3, -0.1, 0.2], np.float32)
    matrix = np.array([[0.3, 0.622, 0.078], [0.23, 0.692, 0.078], [0.243422689, 0.204767444, 0.551809867]])
    bias = 0.0037930732552754493
    long, medium, short = np.cbrt(np.maximum(0, matrix @ light + bias)) - np.cbrt(bias)
    x, y = (long - medium) / 2, (long + medium) / 2
    expected = [x * 14 + 0.42, y + 0.01, short - y + 0.55]
    found = xyb(torch.from_numpy(light).view(1, 3, 1)).flatten()
    assert found.tolist() == pytest.approx(expected, abs=2e-3)


def test_a_reference_at_another_scale_is_refused() -> None:
    levels = torch.tensor([0.0, 255.0]).repeat(1, 3, 16, 8)
    criterion = loss("ssim")
    with pytest.raises(InputError, match=r"a reference from 0 to 255 given, .* expected; divide levels"):
        criterion(levels, levels)
    with pytest.raises(InputError, match="from -1 to 1 given"):
        criterion.against(levels / 127.5 - 1)(levels / 255)
    assert criterion(levels / 255, levels / 255 * 1.4 - 0.2).isfinite()  # the overshoot of a resize
    assert criterion(levels, levels / 255).isfinite()  # the output of a network


def test_what_is_no_batch_of_tensors_is_refused() -> None:
    image = np.zeros((1, 3, 16, 16), np.float32)
    given: Any = image
    with pytest.raises(InputError, match=r"numpy.ndarray given, torch tensors .* give torch.from_numpy"):
        loss("ssim")(given, given)
    with pytest.raises(InputError, match="list given"):
        loss("ssim").scores(given.tolist(), torch.from_numpy(image))
    empty = torch.zeros(0, 3, 200, 200)
    for name in ("mse", "ssim", "ssimulacra2", "vit-js"):
        with pytest.raises(InputError, match="leave out empty batches"):
            loss(name)(empty, empty)


def test_torch_compile_does_not_trace_iw_ssim() -> None:
    """Traced, its tables were dozens of graphs, for which Inductor asked for 10¹⁷ bytes.

    In another process: the checks of arrays in this one are no code to be traced.
    """
    code = """if True:
        import torch
        from vitiq.losses import IwSsimLoss
        traced = []
        def measure(x, y):
            traced.append(torch.compiler.is_compiling())
            return (x - y).abs().mean()
        IwSsimLoss.measure = staticmethod(measure)
        reference = torch.rand(1, 3, 161, 161)
        image = (reference * 0.9).requires_grad_()
        value = torch.compile(IwSsimLoss(), backend="eager")(image, reference)
        assert torch.autograd.grad(value, image)[0].isfinite().all()
        assert traced == [False], traced
    """
    subprocess.run([sys.executable, "-c", code], check=True)


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\(1, 3, 8, 8\) and \(1, 3, 8, 9\)"):
        loss("mse")(torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 9))
    with pytest.raises(InputError, match="ms-ssim needs sides of 176"):
        loss("ms-ssim")(torch.zeros(1, 3, 175, 200), torch.zeros(1, 3, 175, 200))
    with pytest.raises(UnknownNameError, match="did you mean"):
        loss("ms-sim")
    with pytest.raises(UnknownNameError, match="did you mean ssim"):
        loss("SSIM")
    for name, weighting in WEIGHTINGS.items():
        if weighting.loss != name:
            with pytest.raises(UnknownNameError, match=f"--loss {name}.* give '{weighting.loss}'"):
                loss(name)
    with pytest.raises(UnknownNameError, match="the metric brisque has no loss; choose from "):
        loss("brisque")
    with pytest.raises(WeightsError, match="vitiq models fetch"):
        loss("lpips", folder=tmp_path)


WITH_WEIGHTS = sorted({*LOSSES, *STAND_INS} - {"lpips", "lpips-vgg", "dists", "wasserstein", "fid"})
"""Losses that need no fetched weights."""


@pytest.mark.parametrize("name", WITH_WEIGHTS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_narrow_images_and_autocast_give_the_values_of_float32(name: str, dtype: torch.dtype) -> None:
    """Truth: the same numbers, handed in as float32."""
    torch.manual_seed(0)
    reference = torch.rand(1, 3, 176, 180)
    distorted = (reference + 0.1 * torch.randn_like(reference)).clamp(0, 1).to(dtype).requires_grad_()
    criterion, wide = loss(name), distorted.detach().float()
    truth = criterion(wide, reference)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = criterion(distorted, reference)
        searched = criterion.against(reference)(distorted.detach())
    assert value.dtype == truth.dtype == torch.float32
    assert float(value.detach()) == pytest.approx(float(truth), rel=1e-5, abs=1e-6)
    assert float(searched) == pytest.approx(float(criterion.against(reference)(wide)), rel=1e-5, abs=1e-6)
    torch.autograd.backward(value)
    assert distorted.grad is not None
    assert bool(distorted.grad.isfinite().all())
    assert float(distorted.grad.abs().max()) > 0


def test_what_was_first_used_in_inference_mode_can_be_trained_through() -> None:
    """A process of its own, since networks and windows are kept."""
    code = f"""
import torch, vitiq
x = torch.rand(1, 3, 176, 180)
y = (x + 0.1 * torch.randn_like(x)).clamp(0, 1)
with torch.inference_mode():
    for name in {WITH_WEIGHTS}:
        vitiq.losses.loss(name)(y, x)
    vitiq.score(x, y, "vit-cls,ssimulacra2,iw-ssim")
for name in {WITH_WEIGHTS}:
    given = y.clone().requires_grad_()
    vitiq.losses.loss(name)(given, x).backward()
    assert given.grad.abs().max() > 0, name
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["vit-topk", "vit-cls", "fid-vit", "ms-ssim"])
def test_losses_are_copied_pickled_and_turned_as_other_modules_are(name: str) -> None:
    """A training copies what it averages, and saves it whole; other types than float32 are computed in."""
    torch.manual_seed(0)
    x = torch.rand(1, 3, 176, 176)
    y = (x + 0.1 * torch.randn_like(x)).clamp(0, 1)
    criterion = loss(name)
    value = float(criterion(y, x))
    # The square root of a covariance in fid-vit amplifies rounding, which differs from CPU to CPU.
    near = 3e-5 if name == "fid-vit" else 1e-5
    vitiq.score(x, y, "vit-cls")  # packs the network that the loss shares
    for copied in (copy.deepcopy(criterion), pickle.loads(pickle.dumps(criterion))):
        assert float(copied(y, x)) == value
        assert float(copied.double()(y.double(), x.double())) == pytest.approx(value, abs=near)
        assert float(copied.half()(y, x)) == pytest.approx(value, abs=near)
        copied.to("meta")
    assert float(criterion(y, x)) == value


def test_metrics_are_copied_and_pickled() -> None:
    torch.manual_seed(0)
    x, y = torch.rand(2, 3, 64, 64)
    metric = vitiq.metric("vit-topk")
    value = metric(x, y).value
    assert copy.deepcopy(metric)(x, y).value == pickle.loads(pickle.dumps(metric))(x, y).value == value
