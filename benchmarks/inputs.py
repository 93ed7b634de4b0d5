"""Images and weights that benchmarks and golden tests share, made from the bundled images and fixed seeds."""

from __future__ import annotations

import argparse
import io
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter

from vitiq.image.io import find_images, read_image
from vitiq.metrics.base import Metric
from vitiq.metrics.perceptual.base import PerceptualMetric
from vitiq.metrics.scoring import resolve_metrics
from vitiq.models.backbones import load_backbone
from vitiq.models.perceptual import ALEXNET, VGG16, VGG16_CHANNELS
from vitiq.types import ImageU8
from vitiq.weights.store import model_info

KINDS = ("jpeg", "blur", "noise")


def asked(description: str | None, names: str) -> tuple[list[ImageU8], list[Metric]]:
    """Images of the folder on the command line, and metrics with its ViT (--weights; the embedded one if not given)."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--weights", type=Path)
    options = parser.parse_args()
    images = [read_image(found.path) for found in find_images([options.folder]).images]
    return images, resolve_metrics(names, load_backbone(weights=options.weights))


def degrade(image: ImageU8, kind: str, strength: float = 1) -> ImageU8:
    """JPEG of quality 10, Gaussian blur of radius 2 or white noise of σ 25 (divided, multiplied by the strength)."""
    pil = Image.fromarray(image)
    if kind == "jpeg":
        buffer = io.BytesIO()
        pil.save(buffer, "JPEG", quality=round(10 / strength))
        pil = Image.open(buffer).convert("RGB")
    elif kind == "blur":
        pil = pil.filter(ImageFilter.GaussianBlur(2 * strength))
    else:
        noise = np.random.default_rng(0).normal(0, 25 * strength, image.shape)
        return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(pil, dtype=np.uint8)


def _trunk(layout: Mapping[int, tuple[int, int, int]]) -> dict[str, torch.Tensor]:
    rng, state = np.random.default_rng(0), {}
    for place, (out, inner, kernel) in layout.items():
        scale = np.sqrt(2 / (inner * kernel**2))
        weight = rng.standard_normal((out, inner, kernel, kernel), dtype=np.float32) * np.float32(scale)
        state[f"features.{place}.weight"] = torch.from_numpy(weight)
        state[f"features.{place}.bias"] = torch.from_numpy(rng.random(out, dtype=np.float32) / 10)
    return state


def write_random_weights(folder: Path) -> None:
    """Weights files of LPIPS and DISTS with the published layouts and random numbers of a fixed seed."""
    rng = np.random.default_rng(1)

    def positive(*shape: int) -> torch.Tensor:
        return torch.from_numpy(rng.random(shape, dtype=np.float32))

    def heads(channels: tuple[int, ...]) -> dict[str, torch.Tensor]:
        return {f"lin{i}.model.1.weight": positive(1, c, 1, 1) for i, c in enumerate(channels)}

    states = {
        "alexnet-torchvision": _trunk(ALEXNET),
        "vgg16-torchvision": _trunk(VGG16),
        "lpips-alex": heads(tuple(out for out, _, _ in ALEXNET.values())),
        "lpips-vgg": heads(VGG16_CHANNELS),
        "dists": {"alpha": positive(1, 1475, 1, 1), "beta": positive(1, 1475, 1, 1)},
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, state in states.items():
        torch.save(state, folder / Path(model_info(name).file).name)


def weights_of(metric: type[PerceptualMetric], folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Tensors of a metric and of its trunk in a folder of `write_random_weights`."""
    return metric(folder).states


def codec_pairs(images: Mapping[str, ImageU8]) -> dict[str, tuple[ImageU8, ImageU8]]:
    """Pairs on which metrics of codecs are compared: whole images, odd sizes, tiny and flat ones.

    Args:
        images: the bundled ones by name, 512×512 or more.
    """

    def piece(name: str, top: int, left: int, height: int, width: int) -> ImageU8:
        return np.ascontiguousarray(images[name][top : top + height, left : left + width])

    grey = np.full((192, 192, 3), 120, np.uint8)
    ramp = np.ascontiguousarray(np.broadcast_to(np.arange(180, dtype=np.uint8)[None, :, None], (170, 180, 3)))
    sources = {
        "animal/jpeg": (images["animal"], "jpeg", 0.3),
        "building/blur": (images["building"], "blur", 0.5),
        "graphic/jpeg": (images["graphic"], "jpeg", 1),
        "portrait/noise": (images["portrait"], "noise", 0.3),
        "odd 333×201": (piece("animal", 3, 5, 333, 201), "jpeg", 0.5),
        "odd 161×255": (piece("portrait", 101, 99, 161, 255), "noise", 1),
        "65×70": (piece("building", 200, 200, 65, 70), "jpeg", 1),
        "41×43": (piece("portrait", 200, 200, 41, 43), "blur", 1),
        "16×17": (piece("portrait", 150, 250, 16, 17), "jpeg", 0.5),
        "9×8": (piece("building", 150, 250, 9, 8), "noise", 0.5),
        "ramp": (ramp, "noise", 0.1),
    }
    pairs = {name: (image, degrade(image, kind, strength)) for name, (image, kind, strength) in sources.items()}
    return pairs | {"flat, brighter": (grey, grey + np.uint8(8)), "flat, noise": (grey, degrade(grey, "noise", 0.1))}


def small_pairs(images: Mapping[str, ImageU8]) -> dict[str, tuple[ImageU8, ImageU8]]:
    """Pairs for slow networks: crops of odd and even sizes, each under one degradation.

    Args:
        images: the bundled ones by name, 512×512 or more.
    """
    found = {}
    for name, height, width, kind in (
        ("portrait", 128, 128, "jpeg"),
        ("graphic", 97, 143, "noise"),
        ("animal", 61, 70, "blur"),
    ):
        image = np.ascontiguousarray(images[name][150 : 150 + height, 100 : 100 + width])
        found[f"{name}/{kind}"] = (image, degrade(image, kind))
    return found
