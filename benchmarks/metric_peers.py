"""The same metrics as other packages compute them, from two uint8 images to a number.

scikit-image, torchmetrics, piq, pyiqa and lpips, at the settings of ours where they can be set so. piq, pyiqa and lpips
import torchvision for its networks only; beside a torch that its binary does not match, empty operators stand in.
"""

from __future__ import annotations

import importlib
import math
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from inputs import weights_of

from vitiq.image.colour import luma
from vitiq.image.geometry import resize
from vitiq.metrics.perceptual.brisque_model import SupportVectors
from vitiq.metrics.perceptual.dists import Dists
from vitiq.metrics.perceptual.lpips import LpipsAlex, LpipsVgg
from vitiq.types import ImageU8

Call = Callable[[ImageU8, ImageU8], float]


@dataclass(frozen=True)
class Peer:
    """One metric of another package.

    Attributes:
        metric: our key.
        package: its name on PyPI.
        call: what is called, in words.
        run: the call.
        tolerance: largest difference from ours to expect.
        equal: it computes the same definition, so that speeds compare.
    """

    metric: str
    package: str
    call: str
    run: Call
    tolerance: float
    equal: bool = True

    @property
    def release(self) -> str:
        """Package and version."""
        return f"{self.package} {version(self.package)}"


class Program(Peer):
    """A peer that is no Python package: `package` is what it is called."""

    @property
    def release(self) -> str:
        return self.package


def _tensor(image: np.ndarray) -> torch.Tensor:
    """N×C×H×W float32, 0 … 255."""
    if image.ndim == 2:
        return torch.from_numpy(image)[None, None].float()
    return torch.from_numpy(image).permute(2, 0, 1)[None].float()


def _on_tensors(function: Callable[..., Any], scale: float = 1, y: bool = False, **settings: Any) -> Call:
    def run(a: ImageU8, b: ImageU8) -> float:
        x, z = (_tensor(luma(p) if y else p) / scale for p in (a, b))
        return float(function(x, z, **settings))

    return run


def _on_arrays(function: Callable[..., Any], y: bool = False, **settings: Any) -> Call:
    def run(a: ImageU8, b: ImageU8) -> float:
        x, z = (luma(p) if y else p for p in (a, b))
        return float(function(x, z, **settings))

    return run


def _flat(function: Callable[..., Any], **settings: Any) -> Call:
    """For errors of single values, where the order of channels does not matter."""

    def run(a: ImageU8, b: ImageU8) -> float:
        x, z = (torch.from_numpy(p).float() for p in (a, b))
        return float(function(x, z, **settings))

    return run


def _module(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


def prepare() -> None:
    """Lets torchvision be imported where its binary does not match torch."""
    try:
        _module("torchvision")
    except RuntimeError:
        for name in ("nms", "qnms"):
            torch.library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")


def pixel_and_structure() -> list[Peer]:
    """Peers that need no weights."""
    prepare()
    sk, piq = _module("skimage.metrics"), _module("piq")
    tm, tr = _module("torchmetrics.functional.image"), _module("torchmetrics.functional.regression")
    iqa, iqa_psnr = _module("pyiqa.archs.ssim_arch"), _module("pyiqa.archs.psnr_arch")
    wang = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    psnr, ssim = sk.peak_signal_noise_ratio, sk.structural_similarity
    mse, absolute = tr.mean_squared_error, tr.mean_absolute_error
    tm_ssim, tm_multi = tm.structural_similarity_index_measure, tm.multiscale_structural_similarity_index_measure
    flat = {"data_range": 255.0}
    return [
        Peer("mse", "scikit-image", "mean_squared_error", _on_arrays(sk.mean_squared_error), 1e-9),
        Peer("mse", "torchmetrics", "mean_squared_error", _flat(mse), 0.05),
        Peer("rmse", "torchmetrics", "mean_squared_error(squared=False)", _flat(mse, squared=False), 1e-3),
        Peer("mae", "torchmetrics", "mean_absolute_error", _flat(absolute), 1e-3),
        Peer("psnr-rgb", "scikit-image", "peak_signal_noise_ratio", _on_arrays(psnr, **flat), 1e-9),
        Peer("psnr-rgb", "torchmetrics", "peak_signal_noise_ratio", _flat(tm.peak_signal_noise_ratio, **flat), 1e-4),
        Peer("psnr-rgb", "piq", "psnr", _on_tensors(piq.psnr, **flat), 1e-4),
        Peer("psnr-rgb", "pyiqa", "psnr", _on_tensors(iqa_psnr.psnr, scale=255), 5e-3),
        Peer("psnr-y", "scikit-image", "the same on luma", _on_arrays(psnr, True, **flat), 1e-9),
        Peer("psnr-y", "pyiqa", "psnr of Y", _on_tensors(iqa_psnr.psnr, 255, test_y_channel=True), 0.02),
        Peer("ssim", "scikit-image", "Wang's setting", _on_arrays(ssim, channel_axis=2, **wang), 1e-9),
        Peer("ssim", "piq", "ssim(downsample=False)", _on_tensors(piq.ssim, downsample=False, **flat), 1e-4),
        Peer("ssim", "pyiqa", "ssim", _on_tensors(iqa.ssim, **flat), 2e-3),
        Peer("ssim", "torchmetrics", "defaults: mirrors the edges", _on_tensors(tm_ssim, **flat), 0.02, False),
        Peer("ssim-y", "scikit-image", "Wang's setting on luma", _on_arrays(ssim, True, **wang), 1e-9),
        Peer("ssim-y", "piq", "ssim on luma", _on_tensors(piq.ssim, y=True, downsample=False, **flat), 1e-4),
        Peer(
            "ssim-skimage",
            "scikit-image",
            "defaults",
            _on_arrays(ssim, channel_axis=2, **flat),
            1e-9,
        ),
        Peer("ms-ssim", "piq", "multi_scale_ssim", _on_tensors(piq.multi_scale_ssim, **flat), 1e-4),
        Peer("ms-ssim", "pyiqa", "ms_ssim", _on_tensors(iqa.ms_ssim, **flat), 5e-3),
        Peer("ms-ssim", "torchmetrics", "defaults: mirrors the edges", _on_tensors(tm_multi, **flat), 0.02, False),
        Peer("ms-ssim-y", "piq", "multi_scale_ssim on luma", _on_tensors(piq.multi_scale_ssim, y=True, **flat), 1e-4),
        Peer("ms-ssim-y", "pyiqa", "ms_ssim on luma", _on_tensors(iqa.ms_ssim, y=True, **flat), 5e-3),
    ]


def brisque(model: SupportVectors) -> list[Peer]:
    """BRISQUE of the distorted image with LIVE's regression, which both packages expect."""
    prepare()
    piq, iqa = _module("piq.brisque"), _module("pyiqa.archs.brisque_arch")
    weights, vectors = torch.tensor(model.weights).float()[:, None], torch.tensor(model.vectors).float()

    piq.load_url = lambda *_, **__: (weights, vectors.clone())  # instead of a download

    def by_piq(_: ImageU8, b: ImageU8) -> float:
        return float(piq.brisque(_tensor(b), data_range=255.0))

    def by_pyiqa(_: ImageU8, b: ImageU8) -> float:
        return float(iqa.brisque(_tensor(b) / 255, sv_coef=weights, sv=vectors))

    return [
        Peer("brisque", "piq", "brisque, LIVE's numbers", by_piq, 0.1),
        Peer("brisque", "pyiqa", "brisque, LIVE's numbers", by_pyiqa, 0.1),
    ]


def _fill(module: torch.nn.Module, trunk: Mapping[str, torch.Tensor]) -> None:
    """Copies convolutions by their place in torchvision's `features`, the last number of a parameter's name."""
    for name, parameter in module.named_parameters():
        if name.startswith(("slice", "stage")):
            place, part = name.split(".")[-2:]
            parameter.data.copy_(trunk[f"features.{place}.{part}"])


def perceptual(folder: Path) -> list[Peer]:
    """LPIPS by its authors' package and DISTS by pyiqa, with the weights in a folder."""
    prepare()
    lpips, iqa = _module("lpips"), _module("pyiqa.archs.dists_arch")
    peers = []
    for metric, net in ((LpipsAlex, "alex"), (LpipsVgg, "vgg")):
        own, trunk = weights_of(metric, folder)
        model = lpips.LPIPS(net=net, pretrained=False, pnet_rand=True, verbose=False)
        _fill(model.net, trunk)
        model.load_state_dict(own, strict=False)
        peers.append(Peer(metric.name, "lpips", f"LPIPS(net={net!r})", _on_tensors(_unit(model), 255), 1e-4))
    own, trunk = weights_of(Dists, folder)
    plain = iqa.models.vgg16
    with mock.patch.object(iqa.models, "vgg16", side_effect=lambda **_: plain(weights=None)):
        network = iqa.DISTS(pretrained=False)
    _fill(network, trunk)
    network.load_state_dict(own, strict=False)

    def dists(a: ImageU8, b: ImageU8) -> float:
        height, width, _ = a.shape
        share = min(1, 256 / min(height, width))
        x, z = (_tensor(resize(p, int(share * width), int(share * height), "bilinear")) / 255 for p in (a, b))
        return float(network(x, z))

    return [*peers, Peer("dists", "pyiqa", "DISTS after the authors' resize", dists, 1e-4)]


def _unit(model: torch.nn.Module) -> Callable[..., Any]:
    return lambda a, b: model(a, b, normalize=True)


def difference(ours: float, theirs: float) -> float:
    """Absolute difference; 0 for equal infinities."""
    return 0.0 if ours == theirs or (math.isinf(ours) and math.isinf(theirs)) else abs(ours - theirs)
